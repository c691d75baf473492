"""The reporter that ignores everything, and the one that prints."""

from hqgan.reporter import SILENT, PrintReporter


def test_silent_and_printed(capsys):
    for reporter in (SILENT, PrintReporter()):
        reporter.message("a line")
        reporter.progress("decoding", 1, 2)
    assert capsys.readouterr() == ("a line\n", "")

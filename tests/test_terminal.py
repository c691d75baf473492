"""What the command line shows of long work, in a log and on a terminal."""

import pytest

from hqgan import reporter as terminal
from hqgan.reporter import Terminal


@pytest.fixture
def clock(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_now_and_then_with_rate_and_time_left(clock, capsys):
    with Terminal() as reporter:
        for done in range(0, 101, 10):
            clock[0] = 2.0 * done
            reporter.progress("decoding", done, 1000)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 5
    assert lines[0] == "decoding: 20 of 1,000 images, 30.0 images/min, 32.7 min left"


def test_the_end_of_a_training_has_a_line_and_the_next_one_starts_anew(clock, capsys):
    with Terminal() as reporter:
        for _ in range(2):
            for done in (10, 20, 30):
                clock[0] += 1
                reporter.progress("training", done, 30)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["training: 30 of 30 images, 10.0 images/s"] * 2


def test_a_terminal_gets_bars_which_end_with_the_work(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with Terminal() as reporter:
        reporter.progress("circuits", 1, 3, "circuits")
        assert not reporter._bars.finished
        assert reporter._bars.live.is_started
        reporter.message("beside the bar")
    assert not reporter._bars.live.is_started
    err = capsys.readouterr().err
    assert "circuits" in err
    assert "beside the bar" in err

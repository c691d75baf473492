import socket

import pytest

from hqgan.cli import pages
from hqgan.serve import app
from hqgan.serve.runs import RealImages

pytest.importorskip("gradio", reason="the page needs gradio")


@pytest.fixture
def started(monkeypatch):
    """What would have been served."""
    calls = []

    def serve(runs, taken, hosts, started, root_path):
        started()
        calls.append((runs, hosts))
        taken.close()

    monkeypatch.setattr(app, "serve", serve)
    return calls


def test_a_run_is_served_to_this_machine_alone(hqgan, tiny_run, started):
    code, out, _ = hqgan("serve", tiny_run, "--port", 0)
    assert code == 0
    assert out.startswith("1 run at http://127.0.0.1:")
    ((runs, hosts),) = started
    assert "127.0.0.1" in hosts
    assert isinstance(runs[0].real, RealImages)


def test_other_machines_see_no_real_images_unless_asked(hqgan, tiny_run, started):
    _, _, err = hqgan("serve", tiny_run, "--port", 0, "--host", "0.0.0.0")
    assert "there is no password" in err
    assert started[0][1] is None
    assert "--show-real shows them" in started[0][0][0].real
    hqgan("serve", tiny_run, "--port", 0, "--host", "0.0.0.0", "--show-real")
    assert isinstance(started[1][0][0].real, RealImages)


def test_a_port_in_use_is_a_sentence(hqgan, tiny_run):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        code, _, err = hqgan("serve", tiny_run, "--port", taken.getsockname()[1])
    assert code == 2
    assert "cannot be used (Address already in use); choose another by --port." in err


def test_what_cannot_be_served_is_a_sentence(hqgan, tiny_run, tmp_path, monkeypatch):
    assert "There is no run at" in hqgan("serve", tmp_path / "none")[2]
    assert "try --host 127.0.0.1" in hqgan("serve", tiny_run, "--host", "no such host")[2]
    monkeypatch.setattr(pages, "find_spec", lambda name: None)
    code, _, err = hqgan("serve", tiny_run)
    assert (code, err) == (2, 'hqgan: The page needs gradio: pip install "hqgan[app]".\n')

"""Fetching, from a server on this machine and a stand-in for MedMNIST's list."""

import hashlib
import importlib.machinery
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType

import numpy as np
import pytest

from calls import Calls
from hqgan.data import open_data
from hqgan.data.fetch import fetch
from hqgan.errors import UserError


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(tmp_path):
    """A folder, and the address that it is served at."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{httpd.server_address[1]}"
        httpd.shutdown()
        thread.join()


@pytest.fixture
def medmnist(server, monkeypatch):
    """An archive on the server, in the list that the package medmnist has."""
    folder, url = server
    rng = np.random.default_rng(0)
    arrays = {}
    for side, n in (("train", 14), ("val", 7), ("test", 7)):
        arrays[f"{side}_images"] = rng.integers(0, 256, (n, 64, 64, 3), np.uint8)
        arrays[f"{side}_labels"] = np.arange(n, dtype=np.uint8).reshape(-1, 1) % 7
    np.savez(folder / "dermamnist_64.npz", **arrays)
    digest = hashlib.md5((folder / "dermamnist_64.npz").read_bytes()).hexdigest()
    info = {
        "url_64": f"{url}/dermamnist_64.npz?download=1",
        "MD5_64": digest,
        "license": "CC BY-NC 4.0",
        "n_channels": 3,
    }
    module = ModuleType("medmnist")
    module.__spec__ = importlib.machinery.ModuleSpec("medmnist", None)
    module.INFO = {"dermamnist": info}
    monkeypatch.setitem(sys.modules, "medmnist", module)
    return folder / "dermamnist_64.npz", info


def test_fetched_whole_after_saying_what_it_is(medmnist, tmp_path):
    source, info = medmnist
    said, steps = [], []
    reporter = Calls(said.append, fetching=lambda *numbers: steps.append((len(said), *numbers)))
    path = fetch("dermamnist", 64, tmp_path / "out", reporter=reporter)
    assert path.read_bytes() == source.read_bytes()
    megabytes = f"{source.stat().st_size / 1e6:,.1f} MB"
    assert all(word in said[0] for word in (megabytes, "CC BY-NC 4.0", info["MD5_64"], info["url_64"]))
    assert steps[0][0] == 1
    assert steps[-1][1] == steps[-1][2]
    assert len(open_data(path, 32)) == 28
    again = fetch("dermamnist", 64, tmp_path / "out", reporter=Calls(said.append))
    assert (again, "there already, and whole" in said[-1]) == (path, True)


def test_the_command(medmnist, hqgan, tmp_path):
    code, out, err = hqgan("data", "fetch", "dermamnist", "--out", tmp_path / "out")
    assert code == 0
    assert "hqgan data inspect" in out
    assert "licence CC BY-NC 4.0" in err


def test_what_is_damaged_on_the_way_is_thrown_away(medmnist, tmp_path):
    source, _ = medmnist
    source.write_bytes(source.read_bytes()[:-1])
    with pytest.raises(UserError, match="another MD5 than .* thrown away"):
        fetch("dermamnist", 64, tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_what_is_there_and_another_file_is_left_alone(medmnist, tmp_path):
    (tmp_path / "dermamnist_64.npz").write_text("mine")
    with pytest.raises(UserError, match="not the publisher's file"):
        fetch("dermamnist", 64, tmp_path)
    assert (tmp_path / "dermamnist_64.npz").read_text() == "mine"


def test_no_network(medmnist, tmp_path):
    medmnist[0].unlink()
    with pytest.raises(UserError, match=r"could not be fetched \(File not found\): fetch it elsewhere, MD5"):
        fetch("dermamnist", 64, tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "size", "words"),
    [
        ("HAM10000", 64, r"downloaded by hand.*doi.org/10.7910/DVN/DBW86T"),
        ("nothing", 64, "no data set 'nothing'. MedMNIST's in colour are bloodmnist, dermamnist"),
        ("dermamnist", 65, "dermamnist has images 64 pixels wide, not 65"),
    ],
)
def test_other_names_and_sizes(medmnist, tmp_path, name, size, words):
    with pytest.raises(UserError, match=words):
        fetch(name, size, tmp_path / "out")


def test_without_the_package(monkeypatch, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'hqgan\[medmnist\]'"):
        fetch("dermamnist", 64, tmp_path)

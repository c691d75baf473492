"""To the Hugging Face hub and back, by its own library against a stand-in."""

import json
import subprocess
import sys

import numpy as np
import pytest
from hub_stand_in import hub

from calls import Calls
from hqgan.errors import UserError
from hqgan.sampling import hub as hubs
from hqgan.sampling.load import load
from hqgan.wording import at_most

TOKEN = "hf_right"
TEMPLATE = "/{repo_id}/resolve/{revision}/{filename}"


def push(path, repo, **options):
    return hubs.push(load(path), repo, **options)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Address and contents of a hub, a token for it, a cache of its own."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    with hub(TOKEN) as (address, repositories):
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", address + TEMPLATE)
        yield address, repositories


def test_there_and_back(place, tiny_run, tmp_path):
    _, repositories = place
    loaded, said = load(tiny_run), []
    url = hubs.push(loaded, "clinic/rare", reporter=Calls(said.append))
    assert url.endswith("clinic/rare")
    assert "to private clinic/rare" in said[0]
    assert repositories.keys() == {"clinic/rare"}
    files = repositories["clinic/rare"]
    assert files.keys() == {"checkpoint.json", "checkpoint.safetensors", "README.md"}
    assert files["README.md"].decode().startswith("---\nlibrary_name: hqgan")
    assert "not for diagnosis" in files["README.md"].decode()
    back = load(hubs.pull("clinic/rare", reporter=Calls(said.append)))
    size = sum(len(files[f"checkpoint.{ending}"]) for ending in ("json", "safetensors"))
    assert said[-1] == f"downloading a generator, {size / 1e6:,.1f} MB, from clinic/rare on the Hugging Face hub"
    assert back.checkpoint_hash in files["README.md"].decode()
    assert back.values["ema_sha256"] == loaded.values["ema_sha256"]
    for name, tensor in loaded.generator.state_dict().items():
        assert np.array_equal(tensor.numpy(), back.generator.state_dict()[name].numpy())


def test_nothing_of_this_machine_goes_along(place, tiny_run, tiny_config, tmp_path):
    from hqgan import config as configs
    from hqgan.training import checkpoint

    _, repositories = place
    tensors, values = checkpoint.read(load(tiny_run).path)
    values["config"]["data"]["path"] = "/home/dr-who/patients"
    assert configs.from_dict(values["config"]).data.path == "/home/dr-who/patients"
    path = checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, values)
    push(path, "clinic/rare")
    files = repositories["clinic/rare"]
    assert not [name for name, content in files.items() if b"dr-who" in content or TOKEN.encode() in content]
    assert json.loads(files["checkpoint.json"])["tensors"].keys() == {k for k in tensors if k.startswith("ema/")}


def test_of_a_private_run_its_epsilon_goes_along_and_neither_secret_nor_split(place, private_run):
    _, repositories = place
    run, _ = private_run
    loaded = load(run)
    hubs.push(loaded, "clinic/private")
    files = repositories["clinic/private"]
    assert files.keys() == {"checkpoint.json", "checkpoint.safetensors", "README.md"}
    facts = json.loads(files["checkpoint.json"])
    assert facts["privacy"] == loaded.values["privacy"]
    assert (facts["data"]["fingerprint"], facts["data"]["training_images"]) == ("", [])
    assert all(name.startswith("ema/") for name in facts["tensors"])
    assert f"epsilon {at_most(facts['privacy']['spent'])}" in files["README.md"].decode()
    secret = (run / "private-seed").read_text().split()[0].encode()
    assert all(secret not in content for content in files.values())


def test_no_rights_no_repository_no_name(place, tiny_run, monkeypatch, hqgan):
    _, repositories = place
    path = load(tiny_run).path
    with pytest.raises(UserError, match="no repository of the hub"):
        push(path, "a b/c d/e")
    with pytest.raises(UserError, match=r"did not do that with clinic/none \("):
        hubs.pull("clinic/none")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(UserError, match=r"did not do that with clinic/rare \(.*401"):
        push(path, "clinic/rare")
    assert repositories == {}
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UserError, match=r"did not do that with clinic/rare \(.*refused"):
        push(path, "clinic/rare")
    code, _, err = hqgan("generate", "runs/nowhere", "--per-class", 1, "--out", "x")
    assert (code, "one on the Hugging Face hub is hf:owner/name" in err) == (2, True)


def test_a_damaged_upload_is_refused(place, tiny_run):
    _, repositories = place
    push(load(tiny_run).path, "clinic/rare")
    files = repositories["clinic/rare"]
    weights = files["checkpoint.safetensors"]
    files["checkpoint.safetensors"] = weights[:-1] + b"x"
    with pytest.raises(UserError, match="is damaged"):
        load(hubs.pull("clinic/rare"))
    files["checkpoint.safetensors"] = weights + b"more"
    with pytest.raises(UserError, match="its JSON says .*: they are not fetched"):
        hubs.pull("clinic/rare")
    files["checkpoint.json"] = bytes(hubs.LARGEST_JSON + 1)
    with pytest.raises(UserError, match="far more than facts take"):
        hubs.pull("clinic/rare")
    del files["checkpoint.json"]
    with pytest.raises(UserError, match="is no generator of hqgan: it lacks checkpoint.json"):
        hubs.pull("clinic/rare")


def test_private_stays_private_and_other_things_are_left_alone(place, tiny_run):
    _, repositories = place
    path = load(tiny_run).path
    push(path, "clinic/open", public=True)
    before = dict(repositories["clinic/open"])
    with pytest.raises(UserError, match="clinic/open is there already and public: say `public`"):
        push(path, "clinic/open")
    push(path, "clinic/closed")
    with pytest.raises(UserError, match="clinic/closed is there already and private: leave `public` away"):
        push(path, "clinic/closed", public=True)
    assert repositories["clinic/open"] == before
    repositories["clinic/closed"] = {"README.md": b"another model"}
    with pytest.raises(UserError, match="holds something else already"):
        push(path, "clinic/closed")
    assert repositories["clinic/closed"] == {"README.md": b"another model"}


def test_the_commands(place, tiny_run, tmp_path):
    """In processes of their own, where the library reads the hub's address from the environment."""
    import os

    address, repositories = place
    there = {**os.environ, "HF_ENDPOINT": address, "HF_HOME": str(tmp_path / "home"), "HF_TOKEN": TOKEN}
    command = [sys.executable, "-m", "hqgan"]
    pushed = subprocess.run(
        [*command, "push", tiny_run, "me/rare", "--public"], env=there, capture_output=True, text=True
    )
    assert pushed.returncode == 0, pushed.stderr
    assert repositories.keys() == {"me/rare"}
    made = [*command, "generate", "hf:me/rare", "--per-class", "1", "--out", tmp_path / "out", "--device", "cpu"]
    generated = subprocess.run(made, env=there, capture_output=True, text=True)
    assert generated.returncode == 0, generated.stderr
    assert "downloading a generator" in generated.stderr
    assert (tmp_path / "out" / "manifest.csv").exists()
    written = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert not [p for p in written if TOKEN.encode() in p.read_bytes()]


def test_something_else_than_a_hub_answers(monkeypatch, tmp_path):
    """A login page of a hotel, say."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    answers = [b"<html>log in</html>", b"[]", b"{}"]

    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers[0]
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", f"http://127.0.0.1:{server.server_port}")
        for _ in range(3):
            with pytest.raises(UserError, match="did not do that with clinic/rare|is no generator of hqgan"):
                hubs.pull("clinic/rare")
            answers.pop(0)
        server.shutdown()

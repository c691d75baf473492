import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from calls import Calls
from hqgan.errors import UserError
from hqgan.evaluation.audit import FLAGGED
from hqgan.sampling.images import latent_seed
from hqgan.serve import runs
from hqgan.serve.runs import RealImages, open_runs
from hqgan.training import checkpoint


def opened(*runs, data=None, hidden=""):
    return open_runs([str(run) for run in runs], data, hidden)


def test_two_runs_of_one_name_and_one_set_of_images(tiny_run):
    one, two = opened(tiny_run, tiny_run)
    assert (one.name, two.name) == ("tiny (1)", "tiny (2)")
    assert one.real is two.real


def test_real_images_are_hidden_or_not_at_hand_in_a_sentence(tiny_run, tmp_path):
    assert opened(tiny_run, hidden="Not here.")[0].real == "Not here."
    with pytest.raises(UserError, match="was not trained on"):
        opened(tiny_run, data="demo:90")
    assert isinstance(opened(tiny_run)[0].real, RealImages)
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    values["config"]["data"]["path"] = str(tmp_path / "nowhere")
    checkpoint.write(tmp_path / "moved" / "checkpoints", "images-1", tensors, values)
    assert "give their path with hqgan serve --data" in opened(tmp_path / "moved")[0].real


def test_a_run_in_training_is_served_and_what_is_no_run_is_not(tiny_run, tmp_path):
    started = tmp_path / "started"
    started.mkdir()
    shutil.copy(tiny_run / "config.json", started)
    (served,) = opened(started)
    with pytest.raises(UserError, match="started has no checkpoint yet. See Training"):
        served.generator()
    with pytest.raises(UserError, match="There is no run at"):
        opened(tmp_path / "none")
    with pytest.raises(UserError, match="holds no checkpoint"):
        opened(tmp_path)


def test_what_the_runs_own_audit_flagged_is_known(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    (run / "audit").mkdir()
    latent = latent_seed(0, "nevus", 2)
    sha256 = opened(run)[0].loaded.checkpoint_hash
    head = "file,class,latent_seed,checkpoint_sha256\n"
    (run / "audit" / FLAGGED).write_text(f"{head}nevus/nevus-00002.png,nevus,{latent},{sha256}\n")
    assert opened(run)[0].flagged == {latent}
    (run / "audit" / FLAGGED).write_text(f"{head}nevus/nevus-00002.png,nevus,{latent},other\n")
    assert opened(run)[0].flagged == frozenset()


def test_no_real_image_beside_those_of_a_private_run():
    said = []
    private = SimpleNamespace(config=SimpleNamespace(private=True), path=Path("runs/it/checkpoints/images-1.json"))
    assert "private" in runs._real(private, "demo:160", Calls(said.append))
    assert said == ["runs/it is a private run: demo:160 is not opened for it"]

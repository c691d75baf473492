"""A private run from start to finish: what it leaves, what it keeps to itself, what it refuses, how it goes on."""

import json
import os
import re
import shutil
import signal
import stat
from dataclasses import replace

import numpy as np
import pytest
import torch

from calls import Calls
from hqgan import config as configs
from hqgan.data import load_split, open_configured
from hqgan.errors import UserError
from hqgan.report.run_sections import run_sections
from hqgan.run.privacy import SECRET, start_private
from hqgan.run.train import train
from hqgan.sampling.images import matched_images
from hqgan.sampling.load import load
from hqgan.sampling.model_card import model_card
from hqgan.training import checkpoint
from hqgan.training.loop import Interrupted
from hqgan.types import Split
from hqgan.wording import at_most

CPU = torch.device("cpu")


def page_says(run):
    rows = run_sections(run, "it", real=True)[0].blocks[0].rows
    assert "training time" not in [row[0] for row in rows], "it follows the sizes of samples"
    return next(row[1] for row in rows if row[0] == "privacy spent")


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def real(private_config, private_run):
    data = open_configured(private_config.data)
    return data, load_split(private_run[0] / "split.json", data)


def test_epsilon_is_in_metrics_checkpoint_card_report_and_the_last_line(private_run):
    out, said = private_run
    metrics = [m for m in lines(out / "metrics.jsonl") if m["kind"] == "train"]
    spent = [m["privacy/epsilon"] for m in metrics]
    assert spent == sorted(spent)
    assert 7.5 < spent[-1] <= 8
    plan = json.loads((out / "run.json").read_text())["privacy"]
    loaded = load(out)
    facts = loaded.values["privacy"]
    assert facts == {**plan, "done": 16, "spent": spent[-1]}
    assert plan["steps"] == 16
    card = model_card(loaded)
    assert f"epsilon {at_most(spent[-1])} at delta 1e-05" in card
    assert "by class: withheld" in card
    assert said[-1].startswith(
        f"privacy spent: epsilon {at_most(spent[-1])} at delta 1e-05 for any one of {plan['lesions']} lesions"
    )
    assert page_says(out).startswith(f"epsilon {at_most(spent[-1])} of 8")


def test_opacus_agrees_step_by_step(private_run):
    from opacus.accountants import RDPAccountant

    plan = json.loads((private_run[0] / "run.json").read_text())["privacy"]
    theirs = RDPAccountant()
    for _ in range(plan["steps"]):
        theirs.step(noise_multiplier=plan["noise_multiplier"], sample_rate=plan["sampling_rate"])
    last = lines(private_run[0] / "metrics.jsonl")[-1]
    assert last["privacy/epsilon"] == pytest.approx(theirs.get_epsilon(1e-5), rel=1e-12)


def test_only_what_is_independent_of_the_real_images_is_recorded(private_run):
    out, _ = private_run
    metrics = lines(out / "metrics.jsonl")
    assert {m["kind"] for m in metrics} == {"train"}, "no evaluation: judges look at real images"
    names = {k for m in metrics for k in m} - {"kind", "step", "images"}
    assert {k for k in names if not k.startswith("norm/")} == {"loss/generator", "privacy/epsilon"}


def test_no_real_picture_and_no_private_count_is_left(private_run, real):
    """In anything but the split, which says so of itself."""
    out, _ = private_run
    data, split = real
    counts = np.bincount(data.labels[split.train], minlength=len(data.classes)).tolist()
    secret = (out / SECRET).read_text().split()[0]
    for path in out.rglob("*"):
        if not path.is_file() or path.name in {"split.json", SECRET}:
            continue
        content = path.read_bytes()
        assert secret.encode() not in content
        assert int(secret, 16).to_bytes(32, "little") not in content
        assert data.fingerprint.encode() not in content
        if path.suffix in {".json", ".jsonl"}:
            flat = re.sub(r"\s", "", content.decode())
            assert json.dumps(counts).replace(" ", "") not in flat
            assert not any(file in content.decode() for file in data.files)
    grid = checkpoint.latest(out / "checkpoints")
    assert checkpoint.read_values(grid)["data"] == {
        "name": "demo", "licence": data.licence, "fingerprint": "", "training_images": [],
    }  # fmt: skip
    assert {p.name for p in out.iterdir()} == {
        ".lock", "checkpoints", "config.json", "metrics.jsonl", "run.json", "samples", "split.json", "tensorboard",
        "timing.jsonl", SECRET,
    }  # fmt: skip


def test_the_secret_is_its_owners_alone_and_of_every_run_another(private_run, private_config, tmp_path, real):
    path = private_run[0] / SECRET
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    data, split = real
    other = start_private(private_config, tmp_path, data, split, CPU)
    ours, theirs = (int(p.read_text().split()[0], 16) for p in (tmp_path / SECRET, path))
    assert other.secret == ours != theirs
    assert other.secret.bit_length() > 200


def test_of_each_lesion_one_image_at_most_and_all_randomness_from_the_secret(private_config, tmp_path, real):
    data, split = real
    one = start_private(private_config, tmp_path, data, split, CPU)
    sizes = [len(one.sample(i)) for i in range(200)]
    assert abs(np.mean(sizes) - private_config.training.batch) < 1
    assert len(set(sizes)) > 5
    again = start_private(private_config, tmp_path, data, split, CPU)
    assert all(torch.equal(a, b) for a, b in ((one.sample(i).images, again.sample(i).images) for i in range(3)))
    assert one.plan == again.plan
    assert one.plan.lesions == len(set(data.groups[split.train].tolist())) < len(split.train)


@pytest.mark.parametrize("stop_at", [32, 112])
def test_resumed_equals_uninterrupted(private_config, private_run, tmp_path, monkeypatch, stop_at):
    whole = private_run[0]
    monkeypatch.setattr("secrets.token_hex", lambda n: (whole / SECRET).read_text().split()[0])

    def stop(images, total):
        if images == stop_at:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        train(private_config, tmp_path / "run", reporter=Calls(training=stop))
    monkeypatch.setattr("secrets.token_hex", lambda n: pytest.fail("the secret is drawn once"))
    spent = load(tmp_path / "run").values["privacy"]["spent"]
    assert page_says(tmp_path / "run").startswith(f"epsilon {at_most(spent)} of 8"), (
        "also after the last line of metrics"
    )
    torch.manual_seed(99)
    train(private_config, tmp_path / "run", resume=True)
    for name in ("metrics.jsonl", "checkpoints/images-000000128.safetensors"):
        assert (tmp_path / "run" / name).read_bytes() == (whole / name).read_bytes()


def refused(config, data, split, out, words):
    with pytest.raises(UserError, match=words):
        start_private(config, out, data, split, CPU)


def test_images_without_a_lesion_are_refused(private_config, real, tmp_path):
    data, split = real
    ungrouped = np.zeros(len(data), bool)
    ungrouped[[split.train[0], split.test[0]]] = True
    words = "1 image in its training part of which no"
    refused(private_config, replace(data, ungrouped=ungrouped), split, tmp_path, words)


def test_the_noise_of_other_images_is_not_used_again(private_config, real, tmp_path):
    data, split = real
    start_private(private_config, tmp_path, data, split, CPU)
    changed = "The images or their lesions have changed since"
    refused(private_config, replace(data, fingerprint="0"), split, tmp_path, changed)
    groups = data.group_of.copy()
    alone = next(i for i in split.train if (groups[split.train] == groups[i]).sum() > 1)
    groups[alone] = groups.max() + 1
    refused(private_config, replace(data, group_of=groups), split, tmp_path, changed)
    fewer = Split(split.train[1:], split.validation, split.test)
    refused(private_config, data, fewer, tmp_path, changed)


def test_too_few_lesions_are_refused(private_config, real, tmp_path):
    data, split = real
    few = Split(split.train[:5], split.validation, split.test)
    refused(private_config, data, few, tmp_path, "no samples of 8 can be drawn")


def test_a_refused_start_leaves_the_folder_to_the_next(private_config, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(UserError, match="no samples of 4,096 can be drawn"):
        train(configs.replace(private_config, {"training.batch": 4096}), out)
    assert not out.exists()
    train(configs.replace(private_config, {"training.kimg": 0.016}), out)
    assert (out / "run.json").exists()


def test_a_delta_that_gives_a_lesion_away_is_refused(private_config, real, tmp_path):
    refused(configs.replace(private_config, {"privacy.delta": 0.1}), *real, tmp_path, "A delta of 0.1 allows one of")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("unlink", "private-seed is gone"),
        ("forget", "private-seed is gone"),
        ("cut", "private-seed is damaged"),
        ("noise", "private-seed is damaged"),
    ],
)
def test_a_lost_secret_ends_a_run(private_config, private_run, tmp_path, change, words):
    out = shutil.copytree(private_run[0], tmp_path / "run")
    if change in ("unlink", "forget"):
        (out / SECRET).unlink()
        if change == "forget":  # its checkpoints still know
            (out / "run.json").unlink()
    else:
        (out / SECRET).write_bytes(b"12ab\n" if change == "cut" else bytes(range(256)))
    with pytest.raises(UserError, match=words):
        train(private_config, out, resume=True)


def test_a_plan_that_is_not_whole_ends_a_run(private_config, real, tmp_path):
    data, split = real
    (tmp_path / "run.json").write_text('{"privacy": {"epsilon": 8}}')
    (tmp_path / SECRET).write_text("0" * 64 + " " + "0" * 64)
    refused(private_config, data, split, tmp_path, "does not hold the plan of a private run")


def test_no_step_beyond_the_plan(private_config, private_run, tmp_path, hqgan):
    out = shutil.copytree(private_run[0], tmp_path / "run")
    code, _, err = hqgan("train", "--out", out, "--resume", "--kimg", 0.256)
    assert code == 2
    assert "was planned for 0.128 kimg, and more would spend more" in err


def test_several_processes_are_refused(private_config, tmp_path, monkeypatch):
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match="Private training runs in one process"):
        train(private_config, tmp_path / "run")


def test_copies_are_not_dropped_and_no_real_image_is_drawn_beside(private_run, tmp_path, hqgan):
    out, _ = private_run
    code, _, err = hqgan("generate", out, "--out", tmp_path / "made", "--per-class", 1, "--drop-copies", tmp_path / "x")
    assert code == 2
    assert "--drop-copies would choose its images by looking at real ones" in err
    code, _, err = hqgan("export", out, tmp_path / "folder", "--class", "nevus=1", "--drop-copies", tmp_path / "x")
    assert code == 2
    assert "--drop-copies would choose its images by looking at real ones" in err
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.json").write_text('{"private": true}')
    code, _, err = hqgan("report", tmp_path / "audit", "-o", tmp_path / "page.html", "--real")
    assert code == 2
    assert "no picture shows real images beside its own" in err
    code, _, err = hqgan("report", out, "-o", tmp_path / "page.html", "--real")
    assert code == 2
    assert "no picture shows real images beside its own" in err


def test_generate_evaluate_and_audit_take_a_private_run(private_run, tmp_path, hqgan, monkeypatch):
    out = shutil.copytree(private_run[0], tmp_path / "run")
    assert hqgan("generate", out, "--out", tmp_path / "made", "--per-class", 2)[0] == 0
    assert "## Privacy" in (tmp_path / "made" / "MODEL_CARD.md").read_text()
    monkeypatch.setattr("hqgan.metrics.copying.PERMUTATIONS", 99)
    code, text, err = hqgan("audit", out)
    assert code == 0, err
    assert "critic" in text
    code, _, err = hqgan("evaluate", out)
    assert code == 0, err
    assert hqgan("report", out, "-o", tmp_path / "page.html")[0] == 0
    page = (tmp_path / "page.html").read_text()
    assert "computed from real images and are not covered by the run" in page


def test_other_pixels_under_the_same_names_are_not_the_runs_data(
    private_config, private_run, tmp_path, hqgan, monkeypatch
):
    """A private run keeps no fingerprint where it may be seen; its split does."""
    out, _ = private_run
    changed = replace(open_configured(private_config.data), fingerprint="0")
    monkeypatch.setattr("hqgan.evaluation.real_images.open_configured", lambda *given: changed)
    for command in ("audit", "evaluate"):
        code, _, err = hqgan(command, out)
        assert code == 2
        assert "was made for other data: images, files, classes or groups have changed" in err


def test_what_measures_private_runs_says_that_it_is_not_covered(tmp_path, hqgan):
    options = ["--set", "generator.encoder_channels=8", "--set", "training.batch=8", "--size", 32, "--kimg", 0.032]
    options += ["--data", "demo:200", "--seeds", 1, "--out", tmp_path / "c", "--set", "privacy.epsilon=8"]
    code, text, err = hqgan("compare", "--presets", "private", *options)
    assert code == 0, err
    words = "spent an epsilon of its own in every run"
    assert words in " ".join(text.split())
    assert words in (tmp_path / "c" / "compare.html").read_text()


def test_the_command_maps_its_options(hqgan, tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr("hqgan.cli.train.train_run", lambda config, out, *more: given.append(config))
    code, _, _ = hqgan("train", "--dp-epsilon", 2, "--dp-delta", 1e-6, "--out", tmp_path / "x")
    privacy = given[0].privacy.model_dump()
    assert (code, given[0].preset, privacy) == (0, "private", {"epsilon": 2.0, "delta": 1e-6, "clip": 1.0})
    code, _, err = hqgan("train", "--dp-delta", 1e-6, "--out", tmp_path / "x")
    assert code == 2
    assert "--dp-delta alone makes nothing private" in err
    code, _, err = hqgan("train", "--preset", "ddpm", "--dp-epsilon", 2, "--out", tmp_path / "x")
    assert code == 2
    assert "learns from real images without noise" in err


def colours(images):
    """Mean colour of the inner quarter of images, where the lesion is."""
    side = images.shape[1]
    return images[:, side // 4 : -(side // 4), side // 4 : -(side // 4)].reshape(-1, 3).mean(0)


@pytest.mark.slow
def test_at_epsilon_8_the_colours_of_classes_are_learnt(tmp_path, monkeypatch):
    """On `demo`, most classes' images are nearer to real ones of their class than to any other's, by mean colour."""
    monkeypatch.setattr("secrets.token_hex", lambda n: "5a" * n)  # so that the outcome is one and the same
    config = configs.preset("private", {
        "data.path": "demo:12000", "data.size": 32, "training.kimg": 76.8, "training.sample_kimg": 76.8,
        "training.checkpoint_kimg": 76.8,
    })  # fmt: skip
    run = train(config, tmp_path / "run")
    data, split = open_configured(config.data), load_split(run / "split.json", open_configured(config.data))
    loaded, classes = load(run), range(len(data.classes))
    assert loaded.values["privacy"]["spent"] <= 8
    labels = np.repeat(classes, 64)
    made = matched_images(loaded.generator, data.classes, labels, seed=0)
    real = [colours(data.images[split.test[data.labels[split.test] == c]]) for c in classes]
    own = [int(np.argmin([np.linalg.norm(colours(made[labels == c]) - r) for r in real])) == c for c in classes]
    assert sum(own) >= 4, own

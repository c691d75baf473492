import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from calls import Calls
from hqgan.circuits.backends.registry import backend_of
from hqgan.config import preset
from hqgan.errors import UserError
from hqgan.models.build import build_generator
from hqgan.sampling.generate import BACKEND, generate
from hqgan.sampling.images import counts_by_class, latent_seed, make_images, noise_of
from hqgan.sampling.load import load, on_backend
from hqgan.training import checkpoint


@pytest.fixture(scope="module")
def loaded(tiny_run):
    return load(tiny_run)


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_noise_knows_every_bit_of_its_seed():
    """Of 200,000 images two had the same bytes, when torch's generator took 32 bits of each seed."""
    seeds = [5, 5 + 2**32, 5 + 2**55, 5]
    rows = noise_of(seeds, 8)
    assert torch.equal(rows[0], rows[3])
    assert not torch.equal(rows[0], rows[1])
    assert not torch.equal(rows[0], rows[2])
    many = noise_of(range(500), 64)
    assert (many.mean().item(), many.std().item()) == pytest.approx((0, 1), abs=0.03)


def test_files_manifest_and_card(loaded, tmp_path):
    generate(loaded, {"fibroma": 3, "nevus": 10}, tmp_path / "out", seed=7)
    rows = list(csv.DictReader((tmp_path / "out" / "manifest.csv").read_text().splitlines()))
    assert [r["class"] for r in rows] == ["fibroma"] * 3 + ["nevus"] * 10
    assert rows[0]["file"] == "fibroma/fibroma-00000.png"
    assert int(rows[0]["latent_seed"]) == latent_seed(7, "fibroma", 0)
    assert rows[0]["checkpoint_sha256"] == loaded.checkpoint_hash
    for row in rows:
        with Image.open(tmp_path / "out" / row["file"]) as image:
            assert image.size == (32, 32)
            assert image.mode == "RGB"
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    for words in ("not for diagnosis", "Licence of the data: procedural", loaded.checkpoint_hash, "## Limits"):
        assert words in card
    assert (tmp_path / "out" / "contact-sheet.png").exists()
    assert len(contents(tmp_path / "out")) == 13 + 3


def test_same_seed_same_bytes_other_seed_other_bytes(loaded, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        generate(loaded, {"fibroma": 2}, tmp_path / name, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert (
        contents(tmp_path / "a")["fibroma/fibroma-00000.png"] != contents(tmp_path / "c")["fibroma/fibroma-00000.png"]
    )


def test_an_image_does_not_depend_on_its_company(loaded):
    seeds = [latent_seed(0, "nevus", i) for i in range(70)]
    many = np.stack(list(make_images(loaded.generator, [5] * 70, seeds)))
    few = np.stack(list(make_images(loaded.generator, [5] * 3, seeds[:3])))
    assert np.array_equal(many[:3], few)
    mixed = np.stack(list(make_images(loaded.generator, [0, 5], [1, seeds[1]])))
    assert np.array_equal(mixed[1], many[1])


def test_generation_leaves_the_global_random_state_alone(loaded):
    before = torch.get_rng_state()
    list(make_images(loaded.generator, [0], [1]))
    assert torch.equal(before, torch.get_rng_state())


def test_again_into_the_same_folder_is_fine_something_else_is_not(loaded, tmp_path):
    out = tmp_path / "out"
    generate(loaded, {"fibroma": 2}, out)
    before = contents(out)
    generate(loaded, {"fibroma": 2}, out)
    assert contents(out) == before
    with pytest.raises(UserError, match=r"holds .*; choose another `out`"):
        generate(loaded, {"fibroma": 3}, out)
    assert contents(out) == before


def test_an_interrupted_call_goes_on(loaded, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    generate(loaded, {"nevus": 5}, whole)

    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(loaded, {"nevus": 5}, parts, reporter=Calls(generating=stop))
    assert not (parts / "manifest.csv").exists()
    generate(loaded, {"nevus": 5}, parts)
    assert contents(whole) == contents(parts)


@pytest.mark.parametrize("name", ["pennylane:lightning.qubit", "aer"])
def test_exact_backends_make_the_same_images(loaded, tmp_path, name):
    other = on_backend(loaded, backend_of(name), name)
    generate(loaded, {"fibroma": 3}, tmp_path / "ours", seed=1)
    generate(other, {"fibroma": 3}, tmp_path / "theirs", seed=1)
    for i in range(3):
        images = [np.asarray(Image.open(tmp_path / n / f"fibroma/fibroma-0000{i}.png")) for n in ("ours", "theirs")]
        assert np.abs(images[0].astype(int) - images[1]).max() <= 1
    apart = json.loads((tmp_path / "theirs" / BACKEND).read_text())
    assert 0 <= apart["readouts"]["mean"] <= apart["readouts"]["largest"] < 1e-5
    assert apart["grey_levels"]["largest"] <= 1
    assert not (tmp_path / "ours" / BACKEND).exists()
    assert f"images: {name}" in (tmp_path / "theirs" / "MODEL_CARD.md").read_text()


def test_shots_leave_a_trace_and_the_same_bytes(loaded, tmp_path):
    for out in ("a", "b"):
        generate(on_backend(loaded, backend_of("aer", shots=64), "aer, shots 64"), {"fibroma": 2}, tmp_path / out)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    apart = json.loads((tmp_path / "a" / BACKEND).read_text())
    assert apart["readouts"]["mean"] > 0.01
    assert (tmp_path / "a" / "manifest.csv").read_text().splitlines()[1].endswith('"aer, shots 64"')
    with pytest.raises(UserError, match="holds other images"):
        generate(loaded, {"fibroma": 2}, tmp_path / "a")


def test_a_generator_without_circuits_has_no_backend(loaded):
    control = preset("dcgan")
    classical = replace(loaded, generator=build_generator(control, 7), config=control)
    with pytest.raises(UserError, match="preset dcgan has no circuits to run on aer; leave `backend` away"):
        on_backend(classical, backend_of("aer"), "aer")


def test_counts():
    classes = ("df", "nv", "vasc")
    assert counts_by_class(classes, 2, []) == {"df": 2, "nv": 2, "vasc": 2}
    assert counts_by_class(classes, None, ["df=5", "vasc=1"]) == {"df": 5, "vasc": 1}
    assert counts_by_class(classes, 2, ["nv=0"]) == {"df": 2, "vasc": 2}
    assert counts_by_class(("a=1", "b"), None, ["a=1=4"]) == {"a=1": 4}
    for wanted, sentence in (
        (["dff=3"], "no class 'dff' in this run; its classes are df, nv and vasc"),
        (["df"], "`class` takes NAME=COUNT"),
        (["df=-1"], "`class` takes NAME=COUNT"),
        (["df=99999999999999999999"], "`class` takes NAME=COUNT below a billion"),
        (["df=" + "9" * 5000], "`class` takes NAME=COUNT below a billion"),
        ([], "Nothing to generate"),
    ):
        with pytest.raises(UserError, match=sentence):
            counts_by_class(classes, None, wanted)


def test_bad_runs(tiny_run, tmp_path):
    with pytest.raises(UserError, match="There is no run at"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="holds no checkpoint"):
        load(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(UserError, match="is not a checkpoint"):
        load(tmp_path / "model.pt")
    tensors, values = checkpoint.read(checkpoint.latest(tiny_run / "checkpoints"))
    values["config"]["generator"]["latent"] = 65
    checkpoint.write(tmp_path / "run" / "checkpoints", "images-1", tensors, values)
    with pytest.raises(UserError, match="does not fit its own config"):
        load(tmp_path / "run")


def test_several_processes_take_turns_with_the_shards(loaded, tmp_path, monkeypatch):
    """Each image once, whoever makes it; what was killed is made again; the last one writes the manifest."""
    from hqgan.runtime.processes import Shard
    from hqgan.sampling import generate as module

    monkeypatch.setattr(module, "SHARD", 64)
    counts = {"fibroma": 100, "nevus": 150}
    generate(loaded, counts, tmp_path / "whole")
    out = tmp_path / "shared"
    generate(loaded, counts, out, share=Shard(1, 3))
    assert not (out / "manifest.csv").exists()
    assert sorted(path.name for path in (out / ".shards").iterdir()) == ["000001"]

    class Killed(Exception):
        pass

    def kill(done, total):
        if done == 70:
            raise Killed

    with pytest.raises(Killed):
        generate(loaded, counts, out, share=Shard(0, 3), reporter=Calls(generating=kill))
    (out / "nevus" / ".nevus-00149.png.1.part").touch()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*.png")}
    generate(loaded, counts, out, share=Shard(2, 3))
    generate(loaded, counts, out, share=Shard(0, 3))
    assert contents(out) == contents(tmp_path / "whole")
    whole = {out / "fibroma" / f"fibroma-{i:05d}.png" for i in range(100)}
    again = {path for path, time in before.items() if path.stat().st_mtime_ns != time}
    assert len(again & whole) == 0, "a shard that was whole was made again"
    for rank in range(3):  # those that come late find it done
        generate(loaded, counts, out, share=Shard(rank, 3))
    assert contents(out) == contents(tmp_path / "whole")
    with pytest.raises(UserError, match="choose another `out`"):
        generate(loaded, {"nevus": 1}, out, share=Shard(0, 3))


def test_images_that_a_power_cut_took_are_made_again(loaded, tmp_path, monkeypatch):
    """Their shard was called whole; a file is empty, another one gone, a third one cut short."""
    monkeypatch.setattr("hqgan.sampling.generate.SHARD", 4)
    counts, whole, out = {"nevus": 10}, tmp_path / "whole", tmp_path / "out"
    generate(loaded, counts, whole)

    def stop(done, total):
        if done == 9:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generate(loaded, counts, out, reporter=Calls(generating=stop))
    names = [f"nevus/nevus-0000{i}.png" for i in (1, 2, 5)]
    (out / names[0]).write_bytes(b"")
    (out / names[1]).unlink()
    (out / names[2]).write_bytes((whole / names[2]).read_bytes()[:-1])
    with pytest.raises(UserError, match="missing or cut short"):
        generate(loaded, counts, out)
    generate(loaded, counts, out)
    assert contents(out) == contents(whole)

"""Near-duplicates by perceptual hash."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pictures import write

from hqgan.data import check_leaks, open_data, split_of
from hqgan.data.near_duplicates import first_alike, perceptual_hash, shared_images
from hqgan.data.synthetic.demo import paint
from hqgan.data.synthetic.lesions import LESIONS


def lesion(number: int, size: int = 64) -> Image.Image:
    return Image.fromarray(paint(list(LESIONS)[number % len(LESIONS)], 0, number, 0, size))


def as_jpeg(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=60)
    return Image.open(buffer)


CHANGES = {
    "jpeg": as_jpeg,
    "smaller": lambda image: image.resize((40, 40), Image.Resampling.LANCZOS).resize(
        (64, 64), Image.Resampling.LANCZOS
    ),
    "lighter": lambda image: image.point(lambda value: value + 12),
    "trimmed": lambda image: image.crop((1, 1, 63, 63)).resize((64, 64), Image.Resampling.LANCZOS),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_is_alike_and_other_lesions_are_not(change: str) -> None:
    plain = [lesion(i) for i in range(40)]
    changed = [CHANGES[change](image) for image in plain]
    found = first_alike([perceptual_hash(np.asarray(image)) for image in [*plain, *changed]])
    assert (found[:40] == np.arange(40)).all()
    assert (found[40:] == np.arange(40)).mean() >= 0.95


def test_pictures_alike_through_others_are_one() -> None:
    rng = np.random.default_rng(0)
    base = np.asarray(lesion(3)).astype(int)
    other = rng.integers(0, 256, (64, 64, 3), np.uint8)
    step = rng.normal(0, 1, (8, 8, 1)).repeat(8, 0).repeat(8, 1)
    chain = [np.clip(base + 3.5 * k * step, 0, 255).astype(np.uint8) for k in range(3)]
    assert first_alike([perceptual_hash(x) for x in (other, *chain)]).tolist() == [0, 1, 1, 1]


def test_copies_by_the_thousand_are_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs: list[np.ndarray] = []

    def far(one: np.ndarray, others: np.ndarray) -> np.ndarray:
        pairs.extend(others)
        return np.full(len(others), 100.0)

    monkeypatch.setattr("hqgan.data.near_duplicates._distances", far)
    one, other = (perceptual_hash(np.asarray(lesion(i))) for i in (3, 4))
    assert first_alike([one, other] * 1000).tolist() == [0, 1] * 1000
    assert len(pairs) <= 1


def test_one_picture_in_two_sizes_stays_on_one_side(tmp_path: Path) -> None:
    for i in range(20):
        folder = tmp_path / ("mole" if i % 2 else "scar")
        folder.mkdir(exist_ok=True)
        lesion(i, 96).save(folder / f"{i}.png")
        as_jpeg(lesion(i, 96).resize((80, 80))).save(folder / f"small-{i}.jpg")
    data = open_data(tmp_path, 64)
    groups = dict(zip(data.files.tolist(), data.groups.tolist(), strict=True))
    assert groups["mole/small-3.jpg"] == groups["mole/3.png"] == "mole/3.png"
    assert len(set(groups.values())) == 20
    check_leaks(split_of(data, 0), data.groups)


def test_known_lesions_are_not_second_guessed(ham) -> None:
    root = ham()
    first, third = (root / f"HAM10000_images_part_1/ISIC_000000{i}.jpg" for i in (0, 2))
    third.write_bytes(first.read_bytes())
    data = open_data(root, 16)
    groups = dict(zip(data.files.tolist(), data.groups.tolist(), strict=True))
    assert groups["HAM10000_images_part_1/ISIC_0000000.jpg"] != groups["HAM10000_images_part_1/ISIC_0000002.jpg"]


@pytest.mark.parametrize("size", [8, 16, 100])
def test_any_size(size: int, tmp_path: Path) -> None:
    image = np.asarray(
        Image.open(
            write(
                tmp_path / "a.png",
                1,
            )
        ).resize((size, size))
    )
    number, small = perceptual_hash(image)
    assert 0 <= number < 2**63
    assert small.shape == (16, 16, 3)


def test_images_that_two_data_sets_share() -> None:
    ours = np.stack([np.asarray(lesion(i)) for i in range(12)])
    theirs = np.stack([np.asarray(as_jpeg(lesion(i)).resize((48, 48))) for i in range(9, 20)])
    assert shared_images(ours, theirs) == 3
    assert shared_images(ours, ours[:0]) == 0


def test_a_copy_of_unknown_lesion_stands_with_the_known_one(ham) -> None:
    """Whichever of the two comes first."""
    rows = {f"ISIC_00{i:05d}": f",ISIC_00{i:05d},nv,histo,,male,back" for i in (0, 3)}
    root = ham(**rows)
    folder = root / "HAM10000_images_part_1"
    other = root / "HAM10000_images_part_2"
    (folder / "ISIC_0000000.jpg").write_bytes((other / "ISIC_0000009.jpg").read_bytes())
    (other / "ISIC_0000003.jpg").write_bytes((folder / "ISIC_0000002.jpg").read_bytes())
    data = open_data(root, 16)
    group = {Path(file).stem: name for file, name in zip(data.files.tolist(), data.groups.tolist(), strict=True)}
    assert group["ISIC_0000000"] == group["ISIC_0000009"] == "HAM_0000004"
    assert group["ISIC_0000003"] == group["ISIC_0000002"] == "HAM_0000001"

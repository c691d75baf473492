"""Small data sets in the layouts that hqgan reads, made on the spot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_pictures import ISIC, write

from hqgan.data import decode as decoding
from hqgan.data.layouts.isic2019 import CLASSES, METADATA, TRUTH


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test touches the user's own cache."""
    monkeypatch.setenv("HQGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Three classes of 10, 6 and 4 images."""
    root = tmp_path / "tree"
    for number, (name, count) in enumerate({"angioma": 10, "mole": 6, "scar": 4}.items()):
        for i in range(count):
            write(root / name / f"{i}.png", 100 * number + i)
    return root


@pytest.fixture
def ham(tmp_path: Path) -> Callable[..., Path]:
    """Make HAM10000 with lesions of two images each; the part folders' names can be given."""

    def make(parts: tuple[str, str] = ("HAM10000_images_part_1", "HAM10000_images_part_2"), **replace: str) -> Path:
        root = tmp_path / "ham"
        rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
        for i in range(40):
            image, dx = f"ISIC_00{i:05d}", ("nv", "mel", "bkl", "vasc")[i // 2 % 4]
            write(root / parts[i % 2] / f"{image}.jpg", i)
            rows.append(replace.get(image, f"HAM_{i // 2:07d},{image},{dx},histo,,male,back"))
        (root / "HAM10000_metadata.csv").write_text("\n".join(rows) + "\n")
        return root

    return make


@pytest.fixture
def isic(tmp_path: Path) -> Path:
    """ISIC 2019 as its archives unpack: six images, one of no lesion, one downsampled."""
    root = tmp_path / "isic"
    truth = ["image," + ",".join(CLASSES) + ",UNK"]
    metadata = ["image,age_approx,anatom_site_general,lesion_id,sex"]
    for seed, (image, name, lesion) in enumerate(ISIC):
        write(root / "ISIC_2019_Training_Input" / f"{image}.jpg", seed)
        truth.append(f"{image}," + ",".join("1.0" if c == name else "0.0" for c in CLASSES) + ",0.0")
        metadata.append(f"{image},55.0,,{lesion},female")
    (root / TRUTH).write_text("\n".join(truth) + "\n")
    (root / METADATA).write_text("\n".join(metadata) + "\n")
    return root


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files decoded so far."""
    names: list[str] = []
    original = decoding.decode

    def spy(path: Path, size: int, fit: str) -> object:
        names.append(path.name)
        return original(path, size, fit)

    monkeypatch.setattr(decoding, "decode", spy)
    return names

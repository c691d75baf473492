"""ISIC 2019 as its archives unpack."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_pictures import ISIC, write

from hqgan.data import open_data
from hqgan.data.layouts.isic2019 import METADATA, TRUTH
from hqgan.errors import UserError


def test_classes_and_lesions(isic: Path) -> None:
    data = open_data(isic, 16)
    assert data.name == "isic2019"
    assert [Path(f).stem for f in data.files] == [image for image, _, _ in ISIC]
    assert [data.classes[label] for label in data.labels] == ["NV", "NV", "MEL", "NV", "SCC", "MEL"]
    assert data.groups[0] == data.groups[1] == data.groups[3]
    assert len(np.unique(data.groups)) == 4
    assert data.skipped == ()


def test_without_metadata_each_image_is_a_lesion_of_its_own(isic: Path) -> None:
    (isic / METADATA).unlink()
    assert len(np.unique(open_data(isic, 16).groups)) == 6


def test_an_image_of_two_classes_is_left_out(isic: Path) -> None:
    for i in range(40):  # one in a few dozen is no reason to refuse them all
        write(isic / "ISIC_2019_Training_Input" / f"ISIC_1{i:06d}.jpg", 100 + i)
    rows = [f"ISIC_1{i:06d},0.0,1.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0" for i in range(40)]
    text = (isic / TRUTH).read_text().replace("ISIC_0000004,0.0", "ISIC_0000004,1.0")
    (isic / TRUTH).write_text(text + "\n".join(rows) + "\n")
    assert open_data(isic, 16).skipped == (("ISIC_0000004", "of 2 classes"),)


def test_a_table_without_its_columns_is_refused(isic: Path) -> None:
    (isic / TRUTH).write_text("image,MEL\nISIC_0000000,1.0\n")
    with pytest.raises(UserError, match="lacks the columns AK, BCC"):
        open_data(isic, 16)

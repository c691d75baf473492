"""Image files of every kind, and those that cannot be read."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_pictures import picture, write

from hqgan.data import open_data
from hqgan.errors import UserError


def oriented(path: Path) -> None:
    """Red above blue as it should be seen, stored lying on its side."""
    pixels = np.zeros((40, 40, 3), np.uint8)
    pixels[:20, :, 0], pixels[20:, :, 2] = 255, 255
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(path, exif=exif, quality=95)


def test_exif_rotation_is_honoured(tree: Path) -> None:
    oriented(tree / "scar" / "z.jpg")
    picture(1, 60, 30).save(tree / "scar" / "zz.jpg", exif=b"Exif\x00\x00damaged")
    data = open_data(tree, 16)
    image = data.images[data.files.tolist().index("scar/z.jpg")]
    assert image[2, 8, 0] > 200 > 50 > image[2, 8, 2]
    assert image[13, 8, 2] > 200 > 50 > image[13, 8, 0]
    assert data.skipped == ()


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16", "YCbCr"])
def test_any_mode_becomes_rgb(tree: Path, mode: str) -> None:
    grey = np.full((20, 20), 128, np.uint8)
    if mode == "I;16":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(grey).convert("RGB").convert("L" if mode in ("L", "LA", "1") else "RGB").convert(mode)
    name = {"CMYK": "m.jpg", "YCbCr": "m.jpg"}.get(mode, "m.png")
    image.save(tree / "scar" / name)
    data = open_data(tree, 16)
    assert data.skipped == ()
    mean = data.images[data.files.tolist().index(f"scar/{name}")].mean((0, 1))
    assert np.ptp(mean) <= 3
    assert abs(mean[0] - 128) < 6 or mode == "1"


def test_transparency_becomes_white(tree: Path) -> None:
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tree / "scar" / "a.png")
    palette = Image.new("P", (20, 20), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tree / "scar" / "b.png", transparency=0)
    data = open_data(tree, 16)
    rows = [data.files.tolist().index(f"scar/{name}.png") for name in "ab"]
    assert (data.images[rows] == 255).all()


def huge_png(path: Path, side: int) -> None:
    """A PNG of a few bytes that claims side x side pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def damage(kind: str, path: Path) -> None:
    if kind == "text":
        path.write_text("this is no image")
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "truncated":
        whole = write(path.with_name("whole.jpg"), 3, quality=95)
        path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
        whole.unlink()
    elif kind == "tga":
        picture(1).save(path, format="TGA")
    elif kind in ("8000", "12000", "20000"):
        huge_png(path, int(kind))
    elif kind == "sparse":
        with path.open("wb") as stream:
            stream.truncate(5 * 2**30)
    elif kind == "float":
        Image.fromarray(np.zeros((9, 9), np.float32)).save(path, format="TIFF")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("text", "not a PNG, JPEG, BMP, TIFF, GIF, WEBP"),
        ("empty", "empty file"),
        ("truncated", "truncated"),
        ("tga", "not a PNG"),
        ("8000", "8000 x 8000 pixels, more than 50 million"),
        ("12000", "12000 x 12000 pixels, more than 50 million"),
        ("20000", "more than 50 million"),
        ("sparse", "5 GiB, more than 1"),
        ("float", "floating-point"),
    ],
)
def test_an_unreadable_image_is_named_and_left_out(tree: Path, kind: str, reason: str) -> None:
    damage(kind, tree / "mole" / "bad.jpg")
    for data in (open_data(tree, 16), open_data(tree, 16)):
        ((file, why),) = data.skipped
        assert file == "mole/bad.jpg"
        assert reason in why
        assert str(tree) not in why
        assert len(data) == len(data.files) == len(data.groups) == len(data.images) == 20
        assert "mole/bad.jpg" not in data.files


def test_more_than_a_twentieth_unreadable_is_an_error(tree: Path, cache: Path) -> None:
    damage("text", tree / "mole" / "bad1.jpg")
    open_data(tree, 16)
    damage("empty", tree / "mole" / "bad2.jpg")
    for _ in range(2):
        with pytest.raises(UserError) as caught:
            open_data(tree, 16)
        assert "2 of the 22 images" in str(caught.value)
        assert "mole/bad1.jpg (not a PNG" in str(caught.value)
        assert "mole/bad2.jpg (empty file)" in str(caught.value)
    assert len(list((cache / "images").iterdir())) == 1


def test_squeezing_keeps_what_cropping_cuts_away(tmp_path):
    """A picture white on its left quarter: cropped, none of it is left; squeezed, a quarter."""
    pixels = np.zeros((100, 200, 3), np.uint8)
    pixels[:, :50] = 255
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(pixels).save(tmp_path / name / "1.png")
    cropped = open_data(tmp_path, 32, cache=tmp_path / ".cache").images[0]
    squeezed = open_data(tmp_path, 32, cache=tmp_path / ".cache", fit="squeeze").images[0]
    assert cropped.max() == 0
    assert (squeezed[:, :7] == 255).all()
    assert (squeezed[:, 9:] == 0).all()

"""MedMNIST's archives: images, labels and a published split as arrays in one ``.npz``."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from hqgan.data.decode import Decoded, from_array
from hqgan.data.listing import Listing
from hqgan.types import UserError

SIDES = {"train": "train", "val": "validation", "test": "test"}
"""The archive's names of the sides, and ours."""
NAMES = {
    "dermamnist": (
        "actinic keratoses and intraepithelial carcinoma",
        "basal cell carcinoma",
        "benign keratosis-like lesions",
        "dermatofibroma",
        "melanoma",
        "melanocytic nevi",
        "vascular lesions",
    ),
    "retinamnist": ("0", "1", "2", "3", "4"),
}
"""What the publisher calls the labels 0, 1, ... of an archive; others keep their numbers."""
LEAKS = {
    "dermamnist": "DermaMNIST's published split is known to have images of one lesion on two sides (arXiv 2401.14497); "
    "results on it are too good. HAM10000 has the same images with their lesions.",
}
LICENCES = {
    "dermamnist": "CC BY-NC 4.0 (Tschandl et al. 2018; Yang et al. 2023)",
    "retinamnist": "CC BY 4.0 (DeepDRiD 2020; Yang et al. 2023)",
}
MOST_BYTES = 32 * 2**30
"""Of an archive's images, as its headers claim them; a larger claim is refused unread."""


def recognise(path: Path) -> Listing | None:
    """List an archive of MedMNIST, or None where there is none.

    Args:
        path: an ``.npz`` file, or a folder with one and only one in it.

    Raises:
        UserError: arrays are missing, of odd shapes, larger than `MOST_BYTES`, or with several labels an image.
    """
    if path.is_dir():
        archives = sorted(p for p in path.glob("*.npz") if p.is_file())
        if len(archives) != 1:
            return None
        path = archives[0]
    elif path.suffix != ".npz":
        return None
    kind = path.stem.split("_")[0].lower()
    files: list[str] = []
    labels: list[int] = []
    sides: list[str] = []
    try:
        with zipfile.ZipFile(path) as archive:
            for theirs, ours in SIDES.items():
                shape = _header(archive, f"{theirs}_images", path)
                with archive.open(f"{theirs}_labels.npy") as stream:
                    found = npy.read_array(stream, allow_pickle=False)
                if len(shape) not in (3, 4) or (len(shape) == 4 and shape[3] != 3) or found.size != shape[0]:
                    raise UserError(
                        f"{path}: {theirs}_images of shape {shape} with labels of shape {found.shape} are not images (N, H, W, 3)"
                        " or (N, H, W) with a label each; hqgan reads MedMNIST's two-dimensional sets of one label."
                    )
                files += [f"{ours}/{i:06d}" for i in range(shape[0])]
                labels += found.ravel().astype(np.int64).tolist()
                sides += [ours] * shape[0]
    except KeyError as error:
        raise UserError(f"{path} is no archive of MedMNIST: it lacks {error.args[0]}.") from error
    except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
        raise UserError(f"{path} cannot be read ({error}); download it again.") from error
    names = NAMES.get(kind, tuple(str(i) for i in range(max(labels, default=-1) + 1)))
    if labels and not 0 <= min(labels) <= max(labels) < len(names):
        raise UserError(
            f"{path} has the label {max(labels)}, and {kind} knows {len(names)} classes; download it again."
        )
    return Listing(
        name=kind,
        classes=names,
        files=files,
        labels=[names[label] for label in labels],
        groups=[""] * len(files),
        licence=LICENCES.get(kind, "see medmnist.com (Yang et al. 2023)"),
        total=len(files),
        sides=sides,
        archive=path.name,
        warning=LEAKS.get(kind, ""),
    )


def images(path: Path, size: int) -> Iterator[tuple[str, Decoded]]:
    """The images of an archive in the listing's order, one in memory at a time."""
    with zipfile.ZipFile(path) as archive:
        for theirs, ours in SIDES.items():
            shape = _header(archive, f"{theirs}_images", path)
            with archive.open(f"{theirs}_images.npy") as stream:
                _shape_of(stream)
                for i in range(shape[0]):
                    pixels = np.frombuffer(stream.read(int(np.prod(shape[1:]))), np.uint8).reshape(shape[1:])
                    yield f"{ours}/{i:06d}", from_array(pixels, size)


def _header(archive: zipfile.ZipFile, name: str, path: Path) -> tuple[int, ...]:
    """The shape of an array of images, if what it claims can be believed."""
    with archive.open(f"{name}.npy") as stream:
        shape, fortran, dtype = _shape_of(stream)
    claimed = int(np.prod([int(side) for side in shape], dtype=object))
    if dtype != np.uint8 or fortran:
        raise UserError(f"{path}: {name} holds {dtype}, not rows of uint8; download it again.")
    if claimed > MOST_BYTES or claimed > archive.getinfo(f"{name}.npy").file_size:
        raise UserError(
            f"{path}: {name} claims {claimed:,} bytes, more than it holds or more than can be; download it again."
        )
    return shape


def _shape_of(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return read(stream)

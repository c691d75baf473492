"""MedMNIST's archives: images, labels and a published split as arrays in one ``.npz``."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from hqgan.data.decode import Decoded, Fit, from_array
from hqgan.data.index import DatasetIndex
from hqgan.errors import UserError

SIDES = {"train": "train", "val": "validation", "test": "test"}
"""The names of the three parts in an archive, and ours."""
_LESIONS = (
    "actinic keratoses and intraepithelial carcinoma",
    "basal cell carcinoma",
    "benign keratosis-like lesions",
    "dermatofibroma",
    "melanoma",
    "melanocytic nevi",
    "vascular lesions",
)
NAMES = {
    "dermamnist": _LESIONS,
    # Split again without the leak, and with the images of ISIC 2018 (arXiv 2401.14497).
    "dermamnist_corrected": _LESIONS,
    "dermamnist_extended": _LESIONS,
    "retinamnist": ("0", "1", "2", "3", "4"),
}
"""The publisher's names of the labels 0, 1, ... of an archive; labels of other archives keep their numbers."""
LEAKS = {
    "dermamnist": "DermaMNIST's published split is known to have images of one lesion on two sides (arXiv 2401.14497), so that "
    "results on it are too good. HAM10000 has the same images with their lesions.",
}
LICENCES = {
    "dermamnist": "CC BY-NC 4.0 (Tschandl et al. 2018; Yang et al. 2023)",
    "dermamnist_corrected": "CC BY-NC 4.0 (Tschandl et al. 2018; Yang et al. 2023; Abhishek et al. 2025)",
    "dermamnist_extended": "CC BY-NC 4.0 (Tschandl et al. 2018; Yang et al. 2023; Abhishek et al. 2025)",
    "retinamnist": "CC BY 4.0 (DeepDRiD 2020; Yang et al. 2023)",
}
MOST_BYTES = 32 * 2**30
"""Most bytes of an archive's images according to its headers; an archive that claims more is refused unread."""
MOST_RATIO = 100
"""An array may be at most so many times as large as its compressed form; pictures, even black ones, stay below a tenth of it."""
MOST_HEADER = 16_384
"""Bytes before an array's elements; numpy itself refuses headers over 10,000."""
MOST_CLASSES = 1000
LEAST_SIDE = 8
"""Smallest side of an image in pixels. The publisher's smallest have 28; an archive could hold too many of smaller ones."""


def recognise(path: Path) -> DatasetIndex | None:
    """List an archive of MedMNIST, or None where there is none.

    Args:
        path: an ``.npz`` file, or a folder with one and only one in it.

    Raises:
        UserError: the archive is damaged, arrays are missing, of odd shapes, larger than `MOST_BYTES`, unpack
            more than `MOST_RATIO` times, or have several labels an image.
    """
    if path.is_dir():
        archives = sorted(p for p in path.glob("*.npz") if p.is_file())
        if len(archives) != 1:
            return None
        path = archives[0]
    elif path.suffix != ".npz":
        return None
    # Without the images' size, and without the number that browsers add to a second download: dermamnist_64 (1).
    kind = re.sub(r"(_\d+)?( ?\(\d+\))?$", "", path.stem.lower())
    files: list[str] = []
    labels: list[int] = []
    sides: list[str] = []
    with _archive(path) as archive:
        for theirs, ours in SIDES.items():
            shape = _header(archive, f"{theirs}_images", path)
            found = _labels(archive, f"{theirs}_labels", shape, path)
            files += [f"{ours}/{i:06d}" for i in range(shape[0])]
            labels += found.astype(np.int64).tolist()
            sides += [ours] * shape[0]
    known = len(NAMES[kind]) if kind in NAMES else MOST_CLASSES
    if labels and not 0 <= min(labels) <= max(labels) < known:
        odd = min(labels) if min(labels) < 0 else max(labels)
        raise UserError(f"{path} has the label {odd}, and {kind} knows {known} classes at most; download it again.")
    names = NAMES.get(kind) or tuple(str(i) for i in range(max(labels, default=-1) + 1))
    return DatasetIndex(
        name=kind,
        classes=names,
        files=files,
        labels=[names[label] for label in labels],
        groups=[""] * len(files),
        licence=LICENCES.get(kind, "see medmnist.com (Yang et al. 2023)"),
        total=len(files),
        sides=sides,
        archive=path.name,
        read=lambda files, size, fit: images(path, files, size, fit),
        warning=LEAKS.get(kind, ""),
    )


def images(path: Path, files: Sequence[str], size: int, fit: Fit) -> Iterator[Decoded]:
    """Those images of an archive that are among `files`, in the order of the index, one in memory at a time.

    Raises:
        UserError: the archive is damaged.
    """
    wanted = frozenset(files)
    with _archive(path) as archive:
        for theirs, ours in SIDES.items():
            shape = _header(archive, f"{theirs}_images", path)
            with archive.open(f"{theirs}_images.npy") as stream:
                _claim(stream)
                for i in range(shape[0]):
                    pixels = np.frombuffer(stream.read(int(np.prod(shape[1:]))), np.uint8).reshape(shape[1:])
                    if f"{ours}/{i:06d}" in wanted:
                        yield from_array(pixels, size, fit)


@contextmanager
def _archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """An open archive; any damage found while it is read becomes one sentence."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (UserError, MemoryError):
        raise
    except KeyError as error:
        raise UserError(f"{path} is no archive of MedMNIST: it lacks {error.args[0]}.") from error
    except Exception as error:
        # Archives come from strangers, and zipfile, its decompressors and numpy's parser raise a dozen kinds.
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise UserError(f"{path} cannot be read ({reason}); download it again.") from error


def _header(archive: zipfile.ZipFile, name: str, path: Path) -> tuple[int, ...]:
    """The shape of an array of images, if the claims of its header are credible."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > MOST_RATIO * member.compress_size:
        raise UserError(
            f"{path}: {name} would unpack to {member.file_size:,} bytes from {member.compress_size:,}, more than "
            f"{MOST_RATIO} times as many, which pictures never do; download it again."
        )
    with archive.open(member) as stream:
        shape, fortran, dtype = _claim(stream)
    claimed = int(np.prod(shape, dtype=object))
    if dtype != np.uint8 or fortran:
        raise UserError(f"{path}: {name} holds {dtype}, not rows of uint8; download it again.")
    if len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or min(shape[1:3]) < LEAST_SIDE:
        raise UserError(
            f"{path}: {name} of shape {shape} are not images (N, H, W, 3) or (N, H, W); hqgan reads MedMNIST's "
            "two-dimensional sets of one label."
        )
    if claimed > MOST_BYTES or claimed > member.file_size:
        raise UserError(
            f"{path}: {name} claims {claimed:,} bytes, more than it holds or more than can be; download it again."
        )
    return shape


def _labels(archive: zipfile.ZipFile, name: str, images: tuple[int, ...], path: Path) -> np.ndarray:
    """(N,) integer labels; read only if there is one for each image."""
    member = archive.getinfo(f"{name}.npy")
    if member.file_size > 8 * images[0] + MOST_HEADER:
        raise UserError(
            f"{path}: {name} has {member.file_size:,} bytes, too many for {images[0]:,} labels; download it again."
        )
    with archive.open(member) as stream:
        shape, _, dtype = _claim(stream)
        if dtype.kind not in "iu" or shape not in ((images[0],), (images[0], 1)):
            raise UserError(
                f"{path}: {name} of shape {shape} and {dtype} are not one label for each of {images[0]:,} images; "
                "hqgan reads MedMNIST's two-dimensional sets of one label."
            )
        read = stream.read(images[0] * dtype.itemsize)
    return np.frombuffer(read, dtype).reshape(images[0])


def _claim(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, order and type in the header of an array; the stream is then at its first element."""
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    return tuple(int(side) for side in shape), fortran, dtype

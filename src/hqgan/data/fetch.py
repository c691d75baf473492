"""Download a data set of MedMNIST; for the other data sets, say where they are published."""

from __future__ import annotations

import difflib
import hashlib
import http.client
import importlib.util
import urllib.error
import urllib.request
from pathlib import Path

from hqgan.errors import UserError
from hqgan.io.files import replacing
from hqgan.reporter import SILENT, Reporter
from hqgan.wording import listed

SIZES = (28, 64, 128, 224)
"""Sides in pixels of MedMNIST's archives."""

COLOUR = ("bloodmnist", "dermamnist", "pathmnist", "retinamnist")
GREY = ("breastmnist", "octmnist", "organamnist", "organcmnist", "organsmnist", "pneumoniamnist", "tissuemnist")
"""MedMNIST's two-dimensional sets of one label; its package has their addresses and checksums."""

ELSEWHERE = {
    "ham10000": "https://doi.org/10.7910/DVN/DBW86T (CC BY-NC 4.0): both parts of the images, and HAM10000_metadata",
    "isic2018": "https://challenge.isic-archive.com/data/#2018 (CC BY-NC 4.0): Task 3, input, ground truth and lesion groupings",
    "isic2019": "https://challenge.isic-archive.com/data/#2019 (CC BY-NC 4.0): training input, ground truth and metadata",
    "fitzpatrick17k": "https://github.com/mattgroh/fitzpatrick17k (CC BY-NC-SA 3.0): fitzpatrick17k.csv lists the images",
    "pad-ufes-20": "https://data.mendeley.com/datasets/zr7vgbcyr2/1 (CC BY 4.0): images.zip and metadata.csv",
    "isic-archive": "https://www.isic-archive.com (by image): isic image download, of the package isic-cli",
    "dermamnist_corrected": "https://arxiv.org/abs/2401.14497 (CC BY-NC 4.0) says where: dermamnist_corrected_28.npz, or larger",
    "odir-5k": "https://odir2019.grand-challenge.org (for research, by registration): full_df.csv and preprocessed_images",
}
"""Data sets that have to be downloaded by hand, and the pages of their publishers."""


def fetch(name: str, size: int, folder: Path, *, reporter: Reporter = SILENT) -> Path:
    """Download an archive of MedMNIST and check its hash; an archive that is there already is only checked.

    Args:
        name: ``dermamnist``, ``retinamnist`` ...
        size: side of its images in pixels, one of `SIZES`.
        folder: where to put the archive; it is created if missing.
        reporter: receives address, size, licence and checksum before a byte is kept, then kilobytes as task ``fetching``.

    Returns:
        The path of the archive.

    Raises:
        UserError: the data set is unknown or has to be downloaded by hand, there is no network, the hash differs, or the
            package medmnist is not installed.
    """
    if name.lower() in ELSEWHERE:
        raise UserError(
            f"{name} has to be downloaded by hand: {ELSEWHERE[name.lower()]}; then give its folder as `data`."
        )
    if name not in (*COLOUR, *GREY):
        near = difflib.get_close_matches(name.lower(), [*COLOUR, *GREY, *ELSEWHERE], 1)
        raise UserError(
            f"There is no data set {name!r}{f' (do you mean {near[0]}?)' if near else ''}. MedMNIST's in colour are "
            f"{listed(COLOUR)}, in grey {listed(GREY)}; to download by hand: {listed(list(ELSEWHERE))}."
        )
    if importlib.util.find_spec("medmnist") is None:
        raise UserError(
            "MedMNIST's list of archives comes with its package: pip install 'hqgan[medmnist]', and try again."
        )
    known = importlib.import_module("medmnist").INFO
    if name not in known:
        raise UserError(f"The installed package medmnist does not know {name}: install a newer one.")
    info = known[name]
    suffix = "" if size == 28 else f"_{size}"
    if size not in SIZES or f"url{suffix}" not in info:
        sizes = [str(s) for s in SIZES if ("url" if s == 28 else f"url_{s}") in info]
        raise UserError(f"{name} has images {listed(sizes)} pixels wide, not {size}.")
    url, md5 = info[f"url{suffix}"], info[f"MD5{suffix}"]
    path = folder / f"{name}{suffix}.npz"
    if path.exists():
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        if found != md5:
            raise UserError(
                f"{path} is not the publisher's file (its MD5 is not {md5}): move it away to fetch it again."
            )
        reporter.message(f"{path} is there already, and whole")
        return path
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5(usedforsecurity=False)
    try:
        with replacing(path) as part, urllib.request.urlopen(url, timeout=60) as source:
            total = int(source.headers.get("Content-Length") or 0)
            amount = f"{total / 1e6:,.1f} MB" if total else "of unknown size"
            reporter.message(
                f"{name} at {size} pixels: {amount}, licence {info['license']}, MD5 {md5}, from {url} to {path}"
            )
            done = 0
            with part.open("wb") as sink:
                while block := source.read(1 << 18):
                    sink.write(block)
                    digest.update(block)
                    done += len(block)
                    reporter.progress("fetching", done // 1000, max(total, done) // 1000, "kB")
            if digest.hexdigest() != md5:
                raise UserError(f"What came from {url} has another MD5 than {md5}; it was thrown away: try again.")
    except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        raise UserError(
            f"{url} could not be fetched ({reason}): fetch it elsewhere, MD5 {md5}, and give the file as `data`."
        ) from error
    return path

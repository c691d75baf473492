"""Tiny data sets in the layouts that the documentation names as path/to/..., each as its page shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HAM = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
ISIC = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")


def make(root: Path) -> dict[str, Path]:
    """Write them all below `root`; the word after path/to/ to the folder or file."""
    made = {
        name: root / name for name in ("ham10000", "isic2019", "fitzpatrick17k", "pad-ufes-20", "odir-5k", "folder")
    }
    _ham10000(made["ham10000"])
    _isic2019(made["isic2019"])
    _fitzpatrick17k(made["fitzpatrick17k"])
    _pad_ufes(made["pad-ufes-20"])
    _odir(made["odir-5k"])
    _folder(made["folder"])
    made["dermamnist_64.npz"] = root / "dermamnist_64.npz"
    _dermamnist(made["dermamnist_64.npz"])
    return made


def _picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (32, 40, 3), np.uint8)).save(path)


def _table(path: Path, rows: list[str]) -> None:
    path.write_text("\n".join(rows) + "\n")


def _ham10000(root: Path) -> None:
    """Two images a lesion, five lesions a class, one in each part."""
    rows = ["lesion_id,image_id,dx,dx_type,age,sex,localization"]
    for i in range(35):
        for part, first in ((1, 24306), (2, 29306)):
            image = f"ISIC_{first + i:07d}"
            _picture(root / f"HAM10000_images_part_{part}" / f"{image}.jpg", 2 * i + part)
            rows.append(f"HAM_{i:07d},{image},{HAM[i % 7]},histo,50.0,male,back")
    _table(root / "HAM10000_metadata.csv", rows)


def _isic2019(root: Path) -> None:
    """Eight classes, enough of each for a fifth to be left."""
    truth = ["image," + ",".join(ISIC) + ",UNK"]
    metadata = ["image,age_approx,anatom_site_general,lesion_id,sex"]
    for i in range(8 * 26):
        image = f"ISIC_{i:07d}" + "_downsampled" * (i % 26 == 1)
        _picture(root / "ISIC_2019_Training_Input" / f"{image}.jpg", i)
        truth.append(f"{image}," + ",".join(f"{float(c == i // 26)}" for c in range(8)) + ",0.0")
        metadata.append(f"{image},55.0,back,L{i // 2},female")
    _table(root / "ISIC_2019_Training_GroundTruth.csv", truth)
    _table(root / "ISIC_2019_Training_Metadata.csv", metadata)


def _fitzpatrick17k(root: Path) -> None:
    rows = [
        "md5hash,fitzpatrick_scale,fitzpatrick_centaur,label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
    ]
    names = ("inflammatory", "malignant epidermal", "benign dermal")
    coarse = ("non-neoplastic", "malignant", "benign")
    for i in range(30):
        image = "5e82a45bc5d78bd24ae9202d194423f8" if i == 0 else f"{i:032x}"
        _picture(root / "images" / f"{image}.jpg", i)
        rows.append(f"{image},{i % 6 + 1},3,psoriasis,{names[i % 3]},{coarse[i % 3]},,http://x/{i},x{i}")
    _table(root / "fitzpatrick17k.csv", rows)


def _pad_ufes(root: Path) -> None:
    rows = ["patient_id,lesion_id,smoke,age,fitspatrick,region,diagnostic,img_id,biopsed"]
    for i in range(36):
        image = "PAT_8_15_820.png" if i == 0 else f"PAT_{i // 2 + 100}_{i}_{i}.png"
        _picture(root / "images" / f"imgs_part_{i % 3 + 1}" / image, i)
        rows.append(f"PAT_{i // 2 + 100},{i},,55,3.0,FACE,{('NEV', 'BCC', 'MEL')[i // 2 % 3]},{image},True")
    _table(root / "metadata.csv", rows)


def _odir(root: Path) -> None:
    rows = ["ID,Patient Age,labels,target,filename"]
    for i in range(24):
        for eye in ("left", "right"):
            _picture(root / "preprocessed_images" / f"{i}_{eye}.jpg", 2 * i + (eye == "left"))
            rows.append(f"{i},60,['{('N', 'D', 'G')[i % 3]}'],\"[0, 1]\",{i}_{eye}.jpg")
    _table(root / "full_df.csv", rows)


def _folder(root: Path) -> None:
    for i in range(12):
        _picture(root / "dermatofibroma" / f"{i + 1:04d}.png", i)
        _picture(root / "nevus" / "visit-1" / f"{i + 1:04d}.jpg", 100 + i)


def _dermamnist(path: Path) -> None:
    rng = np.random.default_rng(0)
    arrays = {}
    for side, count in (("train", 28), ("val", 14), ("test", 14)):
        arrays[f"{side}_images"] = rng.integers(0, 256, (count, 64, 64, 3), np.uint8)
        arrays[f"{side}_labels"] = np.arange(count).reshape(-1, 1).astype(np.uint8) % 7
    np.savez_compressed(path, **arrays)

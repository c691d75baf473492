"""Checkpoints: tensors in safetensors, everything else in JSON beside it. Written atomically; never pickled.

A checkpoint is two files, `NAME.safetensors` and `NAME.json`. The JSON is renamed into place last and holds the size
and SHA-256 of the other, so a checkpoint exists when its JSON does, and a cut or changed one is refused.
"""

from __future__ import annotations

import errno
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hqgan.errors import UserError
from hqgan.io.files import read_json, write_atomically
from hqgan.io.tensor_file import read_table

if TYPE_CHECKING:
    import torch

PATTERN = "images-*.json"
"""Of a run's own checkpoints; what people copy beside them under other names is theirs."""
KEEP = 2
"""Checkpoints that stay on disk; older ones are removed after a newer one is complete."""


def write(folder: Path, name: str, tensors: Mapping[str, torch.Tensor], values: dict[str, Any]) -> Path:
    """Write a checkpoint and remove those older than the last `KEEP`.

    Args:
        folder: made if missing.
        name: ``images-`` and a number that sorts by age: ``images-000020000``.
        tensors: flat name to tensor.
        values: anything JSON holds.

    Returns:
        The JSON's path.

    Raises:
        UserError: the disk is full or the folder cannot be written; what was there before is untouched.
    """
    from safetensors.torch import save

    data = save({k: v.detach().cpu().contiguous() for k, v in tensors.items()})
    spec = {k: [str(v.dtype).removeprefix("torch."), list(v.shape)] for k, v in sorted(tensors.items())}
    header = {**values, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "tensors": spec}
    header["json_sha256"] = _digest(header)
    target = folder / f"{name}.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / f"{name}.safetensors", data)
        write_atomically(target, (json.dumps(header, indent=1) + "\n").encode())
    except OSError as error:
        last = latest(folder)
        kept = f"the last good checkpoint is {last}" if last else "there is no earlier checkpoint"
        reason = "the disk is full" if error.errno == errno.ENOSPC else (error.strerror or str(error))
        raise UserError(
            f"The checkpoint {target} could not be written ({reason}); {kept}. Make room and run again with `resume`."
        ) from error
    newest = {path.stem for path in sorted(folder.glob(PATTERN))[-KEEP:]}
    # Tensors without their JSON, too: a process may have been killed between removing the two.
    for old in (*folder.glob(PATTERN), *folder.glob("images-*.safetensors")):
        if old.stem not in newest:
            old.unlink(missing_ok=True)
    return target


def latest(folder: Path) -> Path | None:
    """The newest complete checkpoint's JSON, or None."""
    found = sorted(folder.glob(PATTERN))
    return found[-1] if found else None


def read_values(path: Path) -> dict[str, Any]:
    """The JSON half of a checkpoint.

    Raises:
        UserError: it is missing, cut short, or not a checkpoint's.
    """
    try:
        values = read_json(path)
        if not isinstance(values, dict) or not {"bytes", "sha256", "tensors", "json_sha256"} <= values.keys():
            raise ValueError("fields are missing")
        if values.pop("json_sha256") != _digest(values):
            raise ValueError("its own SHA-256 is another")
        kinds = (type(values["bytes"]), type(values["sha256"]), type(values["tensors"]))
        if kinds != (int, str, dict):
            raise ValueError("its size, hash or tensors are of another kind")
        if not 0 <= values["bytes"] < 2**63:
            raise ValueError("its size is none")
    except FileNotFoundError:
        raise UserError(f"There is no checkpoint at {path}.") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"The checkpoint {path} is damaged ({error}); {_instead(path)}") from error
    return values


def read(path: Path, prefix: str = "") -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a checkpoint written by `write`; sizes, the file's table and its hash are checked before a tensor is made.

    Args:
        path: the JSON.
        prefix: only tensors whose names start with it, the prefix cut off.

    Raises:
        UserError: missing, cut short or changed; the sentence names an older checkpoint where there is one.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    values = read_values(path)
    file = path.with_suffix(".safetensors")
    if not file.exists():
        raise UserError(f"The checkpoint {path} lacks its {file.name}; {_instead(path)}")
    size = file.stat().st_size
    if size != values["bytes"]:
        raise UserError(f"The checkpoint {file} is damaged ({size} of {values['bytes']} bytes); {_instead(path)}")
    try:
        spec = read_table(file)
    except ValueError as error:
        raise UserError(f"The checkpoint {file} is damaged ({error}); {_instead(path)}") from error
    if spec != values["tensors"]:
        raise UserError(f"The checkpoint {file} holds other tensors than its JSON lists; {_instead(path)}")
    data = file.read_bytes()
    if hashlib.sha256(data).hexdigest() != values["sha256"]:
        raise UserError(f"The checkpoint {file} is damaged (its SHA-256 is not the one in its JSON); {_instead(path)}")
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise UserError(f"The checkpoint {file} is damaged ({error}); {_instead(path)}") from error
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}, values


def tensors_hash(tensors: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names and bytes, in the order of the names: equal weights, equal hash."""
    total = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        total.update(name.encode())
        total.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _digest(values: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _instead(path: Path) -> str:
    older = [p for p in sorted(path.parent.glob(PATTERN)) if p.name < path.name]
    if older:
        return f"move {path.stem}.* away to go on from {older[-1].stem}."
    return "there is no older one; start the run again in another folder."

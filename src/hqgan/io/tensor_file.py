"""The table at the head of a safetensors file, read and checked before anything is allocated for what it claims."""

from __future__ import annotations

import json
import math
from pathlib import Path

Spec = dict[str, list]
"""Name to [dtype, shape] as torch names them."""

LARGEST_TABLE = 16 * 2**20
"""In bytes; a checkpoint of a thousand tensors needs a hundredth of that."""

_DTYPES = {
    "BOOL": ("bool", 1), "U8": ("uint8", 1), "I8": ("int8", 1), "I16": ("int16", 2), "I32": ("int32", 4), "I64": ("int64", 8),
    "F16": ("float16", 2), "BF16": ("bfloat16", 2), "F32": ("float32", 4), "F64": ("float64", 8),
}  # fmt: skip


def read_table(path: Path) -> Spec:
    """Names, dtypes and shapes of the tensors in a file, as its head lists them.

    The format: 8 bytes, little-endian, the table's length; the table in JSON; the tensors' bytes one after the other without
    gaps (github.com/huggingface/safetensors, "Format").

    Args:
        path: the file; at most `LARGEST_TABLE` bytes are read.

    Raises:
        ValueError: the reason, in a few words: no safetensors file, or one whose table does not fit its size.
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > min(size - 8, LARGEST_TABLE):
            raise ValueError(f"its table claims {length:,} bytes")
        try:
            table = json.loads(stream.read(length).decode("utf-8"))
        except (ValueError, RecursionError) as error:
            raise ValueError("its table is no JSON") from error
    if not isinstance(table, dict):
        raise ValueError("its table is no JSON object")
    notes = table.pop("__metadata__", {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise ValueError("its notes are no texts")
    found: Spec = {}
    places: list[tuple[int, int]] = []
    for name, entry in table.items():
        dtype, shape, begin, end = _entry(name, entry)
        found[name] = [dtype, shape]
        places.append((begin, end))
    at = 0
    for begin, end in sorted(places):
        if begin != at:
            raise ValueError("its tensors overlap or leave gaps")
        at = end
    if at != size - 8 - length:
        raise ValueError(f"its tensors claim {at:,} bytes, there are {size - 8 - length:,}")
    return found


def _entry(name: str, entry: object) -> tuple[str, list[int], int, int]:
    match entry:
        case {"dtype": str(dtype), "shape": list(shape), "data_offsets": [int(begin), int(end)]} if (
            dtype in _DTYPES and all(type(side) is int and side >= 0 for side in shape)
        ):
            kind, width = _DTYPES[dtype]
            if type(begin) is type(end) is int and 0 <= begin <= end and end - begin == width * math.prod(shape):
                return kind, shape, begin, end
    raise ValueError(f"the entry of tensor {name[:80]!r} is wrong")

"""The files of a run that grow: metrics.jsonl, timing.jsonl, run.json, TensorBoard."""

from __future__ import annotations

import json
import os
import platform
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import hqgan
from hqgan.errors import UserError
from hqgan.io.files import LARGEST_TABLE, read_json, read_limited, write_atomically
from hqgan.metrics.record import rows_from_json
from hqgan.training import checkpoint
from hqgan.training.state import State


class RunLog:
    """Writes metrics.jsonl (reproducible), timing.jsonl (rates and clock times), run.json (starts) and TensorBoard.

    A resumed run first cuts both back to its checkpoint, so that it ends as if never stopped.
    """

    def __init__(self, out: Path, state: State) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self.out, self.known = out, read_run(out)
        self.metrics = out / "metrics.jsonl"
        kept = [line for line in read_lines(self.metrics) if line.get("step", 0) <= state.step]
        write_atomically(self.metrics, "".join(json.dumps(line) + "\n" for line in kept).encode())
        timing = [line for line in read_lines(out / "timing.jsonl") if line["images"] <= state.images]
        write_atomically(out / "timing.jsonl", "".join(json.dumps(line) + "\n" for line in timing).encode())
        self.seconds = timing[-1]["seconds"] if timing else 0.0
        self.board = SummaryWriter(str(out / "tensorboard"), purge_step=state.images)
        self.mark, self.mark_images = time.perf_counter(), state.images
        self.files = {name: (out / name).open("a") for name in ("metrics.jsonl", "timing.jsonl")}

    def start(
        self,
        describe: dict[str, Any],
        device: torch.device,
        processes: int = 1,
        changed: dict[str, list[Any]] | None = None,
    ) -> None:
        """Note this start in run.json, with old and new value of the fields that it `changed`."""
        images = self.mark_images
        start: dict[str, Any] = {
            "resumed_at_images": images,
            "time": _now(),
            "device": str(device),
            "processes": processes,
        }
        if changed:
            start["changed"] = {name: {"old": old, "new": new} for name, (old, new) in changed.items()}
        starts = [*self.known.get("starts", []), start]
        machine: dict[str, Any] = {
            "processor": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "threads": torch.get_num_threads(),
        }
        versions = {"hqgan": hqgan.__version__, "torch": torch.__version__, "python": platform.python_version()}
        if device.type == "cuda":
            machine["accelerator"] = torch.cuda.get_device_name(device)
        self._write({**describe, "starts": starts, "machine": machine, "versions": versions, "finished": False})

    def record(self, kind: str, state: State, values: dict[str, Any]) -> None:
        """Write one line of metrics, and for training lines the rate."""
        line = {"kind": kind, "step": state.step, "images": state.images, **values}
        self.files["metrics.jsonl"].write(json.dumps(line) + "\n")
        self.files["metrics.jsonl"].flush()
        for name, value in _scalars(values):
            self.board.add_scalar(f"{kind}/{name}", value, state.images)
        if kind == "train":
            self.time(state)

    def time(self, state: State) -> None:
        """Add the seconds since the last mark to the training time and write them down."""
        seconds = time.perf_counter() - self.mark
        self.seconds += seconds
        images = state.images - self.mark_images
        rate = images / seconds if images else None
        line = {"time": _now(), "images": state.images, "seconds": round(self.seconds, 3), "images_per_second": rate}
        self.files["timing.jsonl"].write(json.dumps(line) + "\n")
        self.files["timing.jsonl"].flush()
        self.mark, self.mark_images = time.perf_counter(), state.images

    def flush(self) -> None:
        """Metrics reach the disk before the checkpoint that claims them."""
        os.fsync(self.files["metrics.jsonl"].fileno())

    def skip(self, seconds: float) -> None:
        """Take `seconds` of evaluation out of the training time."""
        self.mark += seconds

    def close(self) -> None:
        """Close the files."""
        for file in self.files.values():
            file.close()
        self.board.close()

    def finish(self, state: State) -> None:
        """Mark the run as complete."""
        last = checkpoint.latest(self.out / "checkpoints")
        ema = checkpoint.read_values(last)["ema_sha256"] if last else None
        known = read_run(self.out)
        self._write({**known, "finished": True, "images": state.images, "steps": state.step, "ema_sha256": ema})

    def _write(self, values: dict[str, Any]) -> None:
        write_atomically(self.out / "run.json", (json.dumps(values, indent=1) + "\n").encode())


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of metrics.jsonl or timing.jsonl that hold what such a line holds; others are left out."""
    return [line for line in _lines(path) if line is not None]


def unreadable_lines(path: Path) -> list[int]:
    """Numbers, from 1 on, of the whole lines that `read_lines` leaves out."""
    return [number for number, line in enumerate(_lines(path), 1) if line is None]


def _lines(path: Path) -> list[dict[str, Any] | None]:
    """Every whole line; None for one that is damaged."""
    try:
        whole = read_limited(path, LARGEST_TABLE) if path.exists() else b""
    except ValueError as error:
        raise UserError(f"{path} cannot be read ({error}); restore it from a copy of the run.") from error
    return [_line(text, path.name) for text in whole.split(b"\n")[:-1]]


def _line(text: bytes, name: str) -> dict[str, Any] | None:
    """A line of a file of this name, or None if it is damaged or of something else."""
    try:
        line = json.loads(text)
        if not isinstance(line, dict) or "images" not in line:
            return None
        if any(type(line.get(key, 0)) is not int or line.get(key, 0) < 0 for key in ("images", "step")):
            return None
        if name == "timing.jsonl":
            numbers = [line["seconds"], line.get("images_per_second") or 0]
        elif name != "metrics.jsonl":
            numbers = []
        elif line["kind"] == "evaluate":
            numbers = [0 for _ in rows_from_json(line["rows"])]
        else:
            numbers = [value for key, value in line.items() if key != "kind"] if isinstance(line["kind"], str) else [""]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return line if all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers) else None


def read_run(out: Path) -> dict[str, Any]:
    """A run's run.json; empty where there is none."""
    path = out / "run.json"
    try:
        values = read_json(path) if path.exists() else {}
        if not isinstance(values, dict):
            raise ValueError("it holds no fields")
        return values
    except ValueError as error:
        raise UserError(f"{path} is damaged ({error}); remove it and run again with `resume`.") from error


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _scalars(values: dict[str, Any]) -> list[tuple[str, float]]:
    found = [(k, v) for k, v in values.items() if isinstance(v, float)]
    for row in rows_from_json(values.get("rows", [])):
        if row.value is not None:
            found.append((row.key if row.class_name is None else f"{row.key}/{row.class_name}", row.value))
    return found

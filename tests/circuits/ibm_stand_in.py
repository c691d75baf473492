"""A stand-in for IBM's service: jobs lie in a folder, and are answered by the exact simulator.

As a program it runs one circuit and may kill itself on the way: python ibm_stand_in.py FOLDER WHEN, WHEN one of never, waiting,
sending.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from circuit_cases import inputs

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends import ibm
from hqgan.circuits.backends.qiskit_machines import Placed, fake_machine
from hqgan.circuits.engines.dispatch import simulate

ANSATZ = Ansatz(3, 2, readout=("X0", "Z0", "Z1Z2"))


def arguments() -> list[torch.Tensor]:
    return [x.detach() for x in inputs(ANSATZ, 2, 2)]


@dataclass
class Job:
    path: Path

    def job_id(self) -> str:
        return self.path.stem

    def result(self) -> Any:
        values = np.array(json.loads(self.path.read_text())["values"])
        x, w = torch.from_numpy(values[:, None, : ANSATZ.qubits]), torch.from_numpy(values[:, ANSATZ.qubits :])
        rows = [simulate(ANSATZ, x[i : i + 1], w[i].view(1, *ANSATZ.weight_shape))[0, 0] for i in range(len(values))]
        return [SimpleNamespace(data=SimpleNamespace(evs=torch.stack(rows, 1).numpy()))]


@dataclass
class Service:
    folder: Path

    def backend(self, name: str) -> Any:
        return fake_machine(name.removeprefix("ibm_"))

    def least_busy(self, **filters: Any) -> Any:
        assert filters["operational"]
        assert not filters["simulator"]
        return fake_machine("brisbane")

    def job(self, job_id: str) -> Job:
        return Job(self.folder / f"{job_id}.json")

    def jobs(self, job_tags: list[str], limit: int) -> list[Job]:
        found = (p for p in sorted(self.folder.glob("job-*.json")) if json.loads(p.read_text())["tags"] == job_tags)
        return [Job(p) for p in found][:limit]

    def submit(self, ansatz: Ansatz, placed: Placed, *arguments: Any, tags: list[str], seed: None) -> Job:
        values, shots, mitigation = arguments
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"job-{len(list(self.folder.glob('job-*.json')))}.json"
        sent = {
            "machine": placed.machine.name,
            "values": values.tolist(),
            "shots": shots,
            "mitigation": mitigation,
            "tags": tags,
        }
        path.write_text(json.dumps(sent))
        return Job(path)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, when: str) -> None:
    service = Service(folder / "service")
    ibm._service = lambda: service  # type: ignore[assignment]
    ibm.submit = service.submit  # type: ignore[assignment]
    if when == "waiting":
        Job.result = lambda job: kill()  # type: ignore[method-assign]
    write = ibm._write
    if when == "sending":
        ibm._write = lambda folder, tag, entry: kill() if entry["job"] else write(folder, tag, entry)
    found = ibm.ibm_backend("least-busy", folder=folder, confirm=lambda plan: True)(ANSATZ, *arguments())
    assert torch.equal(found, simulate(ANSATZ, *arguments()))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

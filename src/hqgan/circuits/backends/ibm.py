"""IBM's quantum machines: a plan is shown and confirmed, and a job is written down before its result is waited for.

IBM's library finds the token itself, in its saved account or in the environment; it is not stored here. The book of jobs holds
the machine, the job's id and when it was sent.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.qiskit import in_order, read, submit, values_of
from hqgan.circuits.backends.qiskit_machines import Placed, require_qiskit, transpiled
from hqgan.circuits.engines.plan import sorted_words
from hqgan.errors import UserError
from hqgan.io.files import write_atomically
from hqgan.types import Backend
from hqgan.wording import plural

BOOK = "jobs.json"
LEAST_BUSY = "least-busy"
DELAY = 250e-6
"""Seconds between two shots, where a machine does not say."""
OVERHEAD = 2.0
"""Seconds of a job beside its shots, as IBM's documentation estimates them."""


@dataclass(frozen=True)
class JobPlan:
    """What a job would cost.

    Attributes:
        machine: its name.
        circuits: number of circuits that are run, each basis counted.
        shots: measurements of each circuit.
        depth: gates of one circuit in sequence, after transpilation.
        two_qubit_gates: of one circuit, after transpilation.
        seconds: of machine time, estimated without mitigation; with it, a job may take several times as long.
    """

    machine: str
    circuits: int
    shots: int
    depth: int
    two_qubit_gates: int
    seconds: float

    def __str__(self) -> str:
        """One sentence."""
        return (
            f"{plural(self.circuits, 'circuit')} of {self.shots:,} shots on {self.machine}, each of depth {self.depth:,} with "
            f"{plural(self.two_qubit_gates, 'two-qubit gate')}: about {self.seconds:,.0f} s of machine time"
        )


def ibm_backend(
    name: str,
    *,
    folder: Path,
    confirm: Callable[[JobPlan], bool],
    shots: int = 1024,
    mitigation: int = 0,
    seed: int = 0,
) -> Backend:
    """A backend on one of IBM's machines; each call is one job of many circuits, paid for once.

    Where `folder`'s book of jobs has an equal job, a call collects its result and sends nothing.

    Args:
        name: the machine, e.g. ``brisbane``, or ``least-busy``.
        folder: where the book of jobs, `jobs.json`, is kept.
        confirm: shown the plan before anything is sent.
        shots: measurements of each circuit in each basis.
        mitigation: resilience level of IBM's Estimator, see `fake_backend`.
        seed: of transpilation.

    Raises:
        UserError: Qiskit is not installed. When run: There is no account, no such machine or no connection, the plan was not
            confirmed, or the job failed.
    """
    require_qiskit()

    def run(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Tensor:
        values = values_of(ansatz, angles, weights)
        what = json.dumps([asdict(ansatz), name, shots, mitigation, seed]).encode() + values.tobytes()
        tag = f"hqgan-{hashlib.sha256(what).hexdigest()[:32]}"
        service = _service()
        job = _guarded(lambda: _sent_before(service, folder, tag) or send(service, tag, ansatz, values))
        result = _guarded(job.result, f"The job {job.job_id()} gave no result")
        return in_order(ansatz, read(ansatz, result), angles)

    def send(service: Any, tag: str, ansatz: Ansatz, values: np.ndarray) -> Any:
        if name == LEAST_BUSY:
            machine = service.least_busy(min_num_qubits=ansatz.qubits, operational=True, simulator=False)
        else:
            machine = service.backend(name if name.startswith("ibm_") else f"ibm_{name}")
        circuit = transpiled(machine, ansatz, seed)
        placed = Placed(machine, circuit, circuit.layout.final_index_layout()[: ansatz.qubits])
        planned = job_plan(machine, circuit, ansatz, len(values), shots)
        if not confirm(planned):
            raise UserError(f"Nothing was sent: {planned}. Confirm it, or give `yes`.")
        entry = {"machine": machine.name, "job": None, "sent": datetime.datetime.now(datetime.UTC).isoformat()}
        _write(folder, tag, entry)
        job = submit(ansatz, placed, values, shots, mitigation, tags=[tag], seed=None)
        _write(folder, tag, entry | {"job": job.job_id()})
        return job

    return run


def job_plan(machine: Any, circuit: Any, ansatz: Ansatz, rows: int, shots: int) -> JobPlan:
    """What a job of `rows` sets of angles would cost on a machine, its circuit already transpiled."""
    circuits = rows * len(sorted_words(ansatz))
    delay = getattr(machine, "default_rep_delay", None) or DELAY
    seconds = OVERHEAD + circuits * shots * delay
    return JobPlan(machine.name, circuits, shots, circuit.depth(), circuit.num_nonlocal_gates(), seconds)


def _service() -> Any:
    from qiskit_ibm_runtime import QiskitRuntimeService

    return _guarded(QiskitRuntimeService)


def _sent_before(service: Any, folder: Path, tag: str) -> Any | None:
    entry = _book(folder).get(tag)
    if entry is None:
        return None
    if entry["job"]:
        return service.job(entry["job"])
    # Killed between sending the job and writing its id: the service knows it by its tag.
    found = service.jobs(job_tags=[tag], limit=1)
    if found:
        _write(folder, tag, entry | {"job": found[0].job_id()})
    return found[0] if found else None


def _book(folder: Path) -> dict[str, dict[str, Any]]:
    path = folder / BOOK
    try:
        return json.loads(path.read_text()) if path.exists() else {}
    except json.JSONDecodeError as error:
        raise UserError(
            f"The book of jobs {path} is not readable as JSON ({error}); restore it from a copy."
        ) from error


def _write(folder: Path, tag: str, entry: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(folder / BOOK, json.dumps(_book(folder) | {tag: entry}, indent=1).encode())


def _guarded(call: Callable[[], Any], what: str = "IBM's service cannot do this") -> Any:
    """The call's result; an error of IBM's library or the network becomes a UserError of one sentence, without tokens."""
    from qiskit.exceptions import QiskitError
    from qiskit_ibm_runtime.accounts.exceptions import AccountNotFoundError
    from requests import RequestException

    try:
        return call()
    except AccountNotFoundError:
        raise UserError(
            "There is no IBM account on this computer: make one at https://quantum.cloud.ibm.com, and save its token once in "
            "Python with qiskit_ibm_runtime.QiskitRuntimeService.save_account(token=...)."
        ) from None
    except (QiskitError, RequestException) as error:
        text = " ".join(str(getattr(error, "message", error)).split())  # Qiskit's own text is a repr
        for token in _tokens():
            text = text.replace(token, "***")
        raise UserError(f"{what}: {text.rstrip('.')}.") from None


def _tokens() -> list[str]:
    from qiskit_ibm_runtime import QiskitRuntimeService

    saved = [account.get("token") for account in QiskitRuntimeService.saved_accounts().values()]
    return [token for token in (*saved, os.environ.get("QISKIT_IBM_TOKEN")) if token]

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from circuit_cases import inputs

pytest.importorskip("qiskit_ibm_runtime")

import ibm_stand_in
from ibm_stand_in import ANSATZ, Service, arguments

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends import ibm
from hqgan.circuits.backends.ibm import JobPlan, ibm_backend
from hqgan.circuits.backends.registry import backend_of
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError

SECRET = "tok-0123456789-never-to-be-seen"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Service:
    found = Service(tmp_path / "service")
    monkeypatch.setattr(ibm, "_service", lambda: found)
    monkeypatch.setattr(ibm, "submit", found.submit)
    return found


def sent(service: Service) -> list[dict]:
    return [json.loads(path.read_text()) for path in sorted(service.folder.glob("job-*.json"))]


def test_one_job_of_many_circuits_after_a_plan_was_confirmed(service: Service, tmp_path: Path) -> None:
    plans: list[JobPlan] = []

    def confirm(plan: JobPlan) -> bool:
        assert not sent(service)
        plans.append(plan)
        return True

    backend = ibm_backend("brisbane", folder=tmp_path, confirm=confirm, shots=500, mitigation=1)
    assert torch.equal(backend(ANSATZ, *arguments()), simulate(ANSATZ, *arguments()))
    (plan,) = plans
    assert plan.circuits == 2 * 2 * 2  # samples, sub-generators, bases
    assert plan.two_qubit_gates >= 4
    assert plan.seconds == pytest.approx(2 + 8 * 500 * 250e-6)
    assert "8 circuits of 500 shots on fake_brisbane" in str(plan)
    (job,) = sent(service)
    assert (job["shots"], job["mitigation"], len(job["values"])) == (500, 1, 4)
    (entry,) = json.loads((tmp_path / "jobs.json").read_text()).values()
    assert entry["job"] == "job-0"
    assert entry["machine"] == "fake_brisbane"


def test_what_was_paid_for_is_collected_and_other_angles_are_another_job(service: Service, tmp_path: Path) -> None:
    for _ in range(2):
        ibm_backend("least-busy", folder=tmp_path, confirm=lambda plan: True)(ANSATZ, *arguments())
    assert len(sent(service)) == 1
    angles, weights = arguments()
    ibm_backend("least-busy", folder=tmp_path, confirm=lambda plan: True)(ANSATZ, angles + 1, weights)
    ibm_backend("least-busy", folder=tmp_path, confirm=lambda plan: True, shots=7)(ANSATZ, angles, weights)
    assert len(sent(service)) == 3


def test_what_is_not_confirmed_is_not_sent(service: Service, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Nothing was sent: 8 circuits of 1,024 shots .* Confirm it, or give `yes`"):
        backend_of("ibm:brisbane", folder=tmp_path)(ANSATZ, *arguments())
    assert not sent(service)
    assert not (tmp_path / "jobs.json").exists()


@pytest.mark.parametrize("when", ["waiting", "sending"])
def test_a_killed_process_collects_its_job_and_sends_nothing_twice(tmp_path: Path, when: str) -> None:
    command = [sys.executable, ibm_stand_in.__file__, str(tmp_path)]
    assert subprocess.run([*command, when], check=False, capture_output=True).returncode == -9
    entry = next(iter(json.loads((tmp_path / "jobs.json").read_text()).values()))
    assert (entry["job"] is None) == (when == "sending")
    done = subprocess.run([*command, "never"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "service").glob("job-*.json"))) == 1


def test_without_an_account_it_says_how_to_make_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("QISKIT_IBM_TOKEN", raising=False)
    monkeypatch.setattr(
        "qiskit_ibm_runtime.accounts.management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE", tmp_path / "no.json"
    )
    with pytest.raises(UserError, match=r"no IBM account .* make one at https://quantum\.cloud\.ibm\.com") as caught:
        backend_of("ibm:least-busy", folder=tmp_path, confirm=lambda plan: True)(ANSATZ, *arguments())
    assert "\n" not in str(caught.value)


def test_tokens_are_kept_out_of_messages_and_of_the_book(
    monkeypatch: pytest.MonkeyPatch, service: Service, tmp_path: Path
) -> None:
    from qiskit_ibm_runtime.exceptions import IBMApiError

    def refuse(*arguments: object, **options: object) -> None:
        raise IBMApiError(f"401 Unauthorized\nfor {SECRET}")

    monkeypatch.setenv("QISKIT_IBM_TOKEN", SECRET)
    monkeypatch.setattr(ibm, "submit", refuse)
    with pytest.raises(UserError, match=r"IBM's service cannot do this: .*401 Unauthorized for \*\*\*") as caught:
        ibm_backend("brisbane", folder=tmp_path, confirm=lambda plan: True)(ANSATZ, *arguments())
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert SECRET not in (tmp_path / "jobs.json").read_text()


def test_bad_input_is_one_sentence(service: Service, tmp_path: Path) -> None:
    backend = ibm_backend("lagos", folder=tmp_path, confirm=lambda plan: True)
    ansatz = Ansatz(9, 1)
    with pytest.raises(UserError, match="of 9 qubits does not fit fake_lagos, which has 7 qubits"):
        backend(ansatz, *(x.detach() for x in inputs(ansatz, 1, 1)))
    with pytest.raises(UserError, match="have no gradients"):
        backend(ANSATZ, *inputs(ANSATZ, 1, 1))
    (tmp_path / "jobs.json").write_text("{")
    with pytest.raises(UserError, match=r"jobs\.json is not readable as JSON"):
        backend(ANSATZ, *arguments())

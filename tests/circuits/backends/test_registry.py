from __future__ import annotations

import builtins

import pytest
import torch
from circuit_cases import inputs

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.registry import Watched, backend_of
from hqgan.circuits.engines.dispatch import simulate
from hqgan.errors import UserError
from hqgan.types import Backend


@pytest.mark.parametrize("name", ["statevector", "pennylane", "pennylane:lightning.qubit", "aer"])
def test_exact_backends_agree(name: str) -> None:
    ansatz = Ansatz(5, 2, readout=("X0", "Z4", "Y1Z2"))
    angles, weights = (x.detach() for x in inputs(ansatz, 2, 2))
    found = backend_of(name)(ansatz, angles, weights)
    torch.testing.assert_close(found, simulate(ansatz, angles, weights), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("qulacs", {}, "no backend 'qulacs'"),
        ("fake", {}, "no backend 'fake'"),
        ("statevector:x", {}, "no backend 'statevector:x'"),
        ("pennylane:nothing", {}, "PennyLane cannot make the device 'nothing'"),
        ("statevector", {"shots": 100}, "statevector takes no `shots`"),
        ("pennylane:default.qubit", {"noise": 0.1}, "takes no `noise`"),
        ("aer", {"shots": 10, "mitigation": 1}, "aer takes no `mitigation`"),
        ("fake:brisbane", {"noise": 0.1}, "fake:brisbane takes no `noise`"),
    ],
)
def test_bad_names_and_options_are_one_sentence(name: str, options: dict, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        backend_of(name, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["pennylane", "aer", "fake:brisbane"])
def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def missing(module: str, *arguments: object) -> object:
        if module.startswith(("pennylane", "qiskit")):
            raise ImportError(module)
        return builtins_import(module, *arguments)

    builtins_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", missing)
    monkeypatch.setattr("hqgan.circuits.backends.qiskit_machines.import_module", missing)
    with pytest.raises(UserError, match=r'pip install "hqgan\[quantum\]"'):
        backend_of(name)


def test_watched_knows_how_far_a_backend_is_off() -> None:
    def off(ansatz: Ansatz, angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        found = simulate(ansatz, angles, weights)
        found[0, 0, 0] += 0.5
        return found

    backend: Backend = off
    watched, ansatz = Watched(backend), Ansatz(2, 1)
    watched(ansatz, *(x.detach() for x in inputs(ansatz, 2, 1)))
    watched(ansatz, *(x.detach() for x in inputs(ansatz, 3, 1)))
    assert watched.largest == pytest.approx(0.5)
    assert watched.mean == pytest.approx(1 / 10)

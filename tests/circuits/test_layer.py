from __future__ import annotations

import sys

import pytest
import torch

from hqgan.circuits.ansatz import Ansatz, paper_ansatz
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.layer import QuantumLayer
from hqgan.errors import UserError


def test_weights_start_uniform_in_the_unit_interval_by_seed() -> None:
    layers = [QuantumLayer(paper_ansatz(), 5, generator=torch.Generator().manual_seed(3)) for _ in range(2)]
    weights = layers[0].weights
    assert weights.shape == (5, 8, 16, 1)
    assert torch.equal(weights, layers[1].weights)
    assert weights.min() >= 0
    assert weights.max() < 1
    assert abs(weights.mean().item() - 0.5) < 0.05


def test_forward_and_learning() -> None:
    layer = QuantumLayer(Ansatz(4, 2), 3, generator=torch.Generator().manual_seed(0))
    angles = torch.rand(5, 3, 4, generator=torch.Generator().manual_seed(1))
    readout = layer(angles)
    assert readout.shape == (5, 3, 4)
    readout.sum().backward()
    with torch.no_grad():
        layer.weights -= 0.1 * layer.weights.grad
    assert layer(angles).sum() < readout.sum()


def test_another_backend_may_take_over() -> None:
    calls = []

    def backend(ansatz: Ansatz, angles: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        calls.append(ansatz)
        return simulate(ansatz, angles, weights)

    layer = QuantumLayer(Ansatz(2, 1))
    layer.backend = backend
    layer(torch.zeros(1, 1, 2))
    assert calls == [Ansatz(2, 1)]


def test_pennylane_gives_the_same_images_of_angles() -> None:
    pytest.importorskip("pennylane")
    from hqgan.circuits.backends.pennylane import pennylane_backend

    layer = QuantumLayer(Ansatz(4, 2), 2)
    angles = torch.rand(3, 2, 4)
    ours = layer(angles)
    for device in ("default.qubit", "lightning.qubit"):
        layer.backend = pennylane_backend(device)
        torch.testing.assert_close(layer(angles), ours, rtol=0, atol=1e-5)


@pytest.mark.parametrize("readout", [("X0", "Z1", "Y0Z2"), ("probabilities",)])
def test_shots_in_training_scatter_as_on_aer(readout: tuple[str, ...]) -> None:
    pytest.importorskip("qiskit_aer")
    from hqgan.circuits.backends.qiskit import aer_backend

    torch.manual_seed(0)
    ansatz, shots, draws = Ansatz(3, 2, readout=readout), 50, 400
    layer = QuantumLayer(ansatz, 1, shots=shots)
    angles = (torch.rand(1, 1, 3) * 3).repeat(draws, 1, 1)
    ours = layer(angles)
    assert torch.equal(layer.eval()(angles), simulate(ansatz, angles, layer.weights))
    with torch.no_grad():
        # Aer's scatter is a function of the angles: a hair's breadth makes another draw.
        aer = aer_backend(shots=shots)(
            ansatz, angles.double() + 1e-9 * torch.arange(draws)[:, None, None], layer.weights
        )
    for found in (ours, aer):
        assert (found.mean(0) - layer(angles[:1])[0]).abs().max() < 5 / (shots * draws) ** 0.5
    ratio = ours.detach().double().var(0) / aer.var(0).clamp_min(1e-5)
    assert ((ratio > 0.6) & (ratio < 1.6)).all()


def test_scatter_passes_the_exact_gradient() -> None:
    torch.manual_seed(0)
    ansatz = Ansatz(3, 2)
    noisy, exact = QuantumLayer(ansatz, 2, shots=10), QuantumLayer(ansatz, 2)
    exact.load_state_dict(noisy.state_dict())
    angles = torch.rand(4, 2, 3)
    found = [torch.autograd.grad(layer(angles).sum(), layer.weights)[0] for layer in (noisy, exact)]
    torch.testing.assert_close(found[0], found[1])
    assert not torch.equal(noisy(angles), exact(angles))


def test_errors_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="at least 1 sub-generator, not 0"):
        QuantumLayer(Ansatz(2, 1), 0)
    with pytest.raises(UserError, match=r"Angles are \(B, 1, 2\)"):
        QuantumLayer(Ansatz(2, 1))(torch.zeros(4, 2))
    from hqgan.circuits.backends.pennylane import pennylane_backend

    monkeypatch.setitem(sys.modules, "pennylane", None)
    with pytest.raises(UserError, match=r'pip install "hqgan\[quantum\]"'):
        pennylane_backend()


def test_an_unknown_device_is_one_sentence() -> None:
    pytest.importorskip("pennylane")
    from hqgan.circuits.backends.pennylane import pennylane_backend

    with pytest.raises(UserError, match=r"PennyLane cannot make the device 'no\.such'"):
        pennylane_backend("no.such")

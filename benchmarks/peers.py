"""The circuit of an ansatz on other people's simulators, each called as its own documentation would have it be fast.

Each maker takes (ansatz, angles (B, k, n), weights (k, L, n, R)), float64, and gives an `Engine` for some of these circuits, or
raises ImportError where the library is missing, MemoryError where its gradient would not fit. They read expectations only.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.backends.pennylane import apply_gates, observable, pennylane_backend


@dataclass(frozen=True)
class Engine:
    """A simulator ready to run `circuits` circuits a call.

    `forward` gives their readouts (B, k, M), or (B, k, 1) where only the sum of all is measured; `gradient` finds the readouts'
    sum and gives its gradient by the weights (k, L, n, R).
    """

    circuits: int
    forward: Callable[[], np.ndarray]
    gradient: Callable[[], np.ndarray]


def lightning_paper(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Engine:
    """As HybridQ's code calls it: one circuit a call, a list of expectations, complex128, adjoint method, torch interface."""
    return of_backend(pennylane_backend("lightning.qubit", diff_method="adjoint"), ansatz, angles[:1, :1], weights[:1])


def lightning_c64_one_observable(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Engine:
    """One circuit a call, complex64, and the sum of all readouts as one observable, for which the adjoint method is made."""
    import pennylane as qml

    device = qml.device("lightning.qubit", wires=ansatz.qubits, c_dtype=np.complex64)
    total = qml.sum(*(observable(word) for word in ansatz.words))

    @qml.qnode(device, interface="torch", diff_method="adjoint")
    def circuit(x: Tensor, w: Tensor) -> object:
        apply_gates(ansatz, x, w)
        return qml.expval(total)

    x, w = angles[0, 0].clone().requires_grad_(), weights[:1].clone().requires_grad_()

    def forward() -> np.ndarray:
        with torch.no_grad():
            return circuit(x, w[0]).reshape(1, 1, 1).numpy()

    return Engine(1, forward, lambda: torch.autograd.grad(circuit(x, w[0]), (w, x))[0].numpy())


def default_qubit(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Engine:
    """PennyLane's own simulator, the samples of a sub-generator broadcast in one call, backpropagation, complex128."""
    keeps(ansatz, len(angles) * 16, gates_of(ansatz))
    return of_backend(pennylane_backend("default.qubit"), ansatz, angles[:, :1], weights[:1])


def qulacs(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Engine:
    """One circuit a call, complex128, its own reverse-mode gradient of the readouts' sum; angles are parameters too."""
    from qulacs import Observable, ParametricQuantumCircuit, QuantumState

    n = ansatz.qubits
    circuit, order = ParametricQuantumCircuit(n), []
    add = {gate: getattr(circuit, f"add_parametric_{gate.upper()}_gate") for gate in ("rx", "ry", "rz")}
    for gate in ansatz.encoding:
        for qubit in range(n):
            add[gate](qubit, -angles[0, 0, qubit].item())  # its rotations turn the other way
            order.append(-1)
    for layer in range(ansatz.layers):
        for r, gate in enumerate(ansatz.rotations):
            for qubit in range(n):
                order.append(np.ravel_multi_index((layer, qubit, r), ansatz.weight_shape))
                add[gate](qubit, -weights[0, layer, qubit, r].item())
        for pair in ansatz.pairs:
            (circuit.add_CZ_gate if ansatz.entangler == "cz" else circuit.add_CNOT_gate)(*pair)
    texts = [" ".join(f"{letter} {qubit}" for qubit, letter in word) for word in ansatz.words]
    total, single = Observable(n), []
    for text in texts:
        total.add_operator(1.0, text)
        single.append(Observable(n))
        single[-1].add_operator(1.0, text)
    state = QuantumState(n)

    def forward() -> np.ndarray:
        state.set_zero_state()
        circuit.update_quantum_state(state)
        return np.array([[[o.get_expectation_value(state) for o in single]]])

    def gradient() -> np.ndarray:
        found = -np.array(circuit.backprop(total))
        places = np.array(order)
        by_weights = np.zeros(ansatz.parameters)
        by_weights[places[places >= 0]] = found[places >= 0]
        return by_weights.reshape(1, *ansatz.weight_shape)

    return Engine(1, forward, gradient)


def tensorcircuit_jax(ansatz: Ansatz, angles: Tensor, weights: Tensor) -> Engine:
    """All circuits in one call, complex64, compiled by jit over vmap; compiling is not timed."""
    keeps(ansatz, angles[..., 0].numel() * 8, gates_of(ansatz) // 3)  # XLA keeps fewer than one state a gate
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import jax
        import tensorcircuit as tc

        tc.set_backend("jax")
        tc.set_dtype("complex64")
    b, k, n = angles.shape

    def readouts(x: object, w: object) -> object:
        circuit = tc.Circuit(n)
        for gate in ansatz.encoding:
            for qubit in range(n):
                getattr(circuit, gate)(qubit, theta=x[qubit])
        for layer in range(ansatz.layers):
            for r, gate in enumerate(ansatz.rotations):
                for qubit in range(n):
                    getattr(circuit, gate)(qubit, theta=w[layer, qubit, r])
            for pair in ansatz.pairs:
                (circuit.cz if ansatz.entangler == "cz" else circuit.cnot)(*pair)
        words = [{letter.lower(): [q for q, a in word if a == letter] for letter in "XYZ"} for word in ansatz.words]
        return jax.numpy.stack([jax.numpy.real(circuit.expectation_ps(**word)) for word in words])

    def total(x: object, w: object) -> object:
        return jax.numpy.sum(readouts(x, w))

    over_both = {"in_axes": (0, None)}, {"in_axes": (1, 0), "out_axes": 1}
    all_readouts = jax.jit(jax.vmap(jax.vmap(readouts, **over_both[0]), **over_both[1]))
    all_slopes = jax.jit(jax.vmap(jax.vmap(jax.grad(total, (1, 0)), **over_both[0]), **over_both[1]))
    x, w = (jax.numpy.asarray(v.numpy(), dtype="float32") for v in (angles, weights))
    return Engine(
        b * k,
        lambda: np.asarray(all_readouts(x, w)),
        lambda: np.asarray(jax.block_until_ready(all_slopes(x, w))[0]).sum(0),
    )


def gates_of(ansatz: Ansatz) -> int:
    """Gates of one circuit."""
    each = len(ansatz.encoding) * ansatz.qubits, len(ansatz.rotations) * ansatz.qubits + len(ansatz.pairs)
    return each[0] + ansatz.layers * each[1]


def keeps(ansatz: Ansatz, size: int, states: int) -> None:
    """Raise MemoryError if so many states, of `size` bytes for each basis state, would take more than half of the memory."""
    gib = size * states * 2.0**ansatz.qubits / 2**30
    if gib > os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**31:
        raise MemoryError(f"backpropagation would keep about {gib:.0f} GiB of states")


def of_backend(
    backend: Callable[[Ansatz, Tensor, Tensor], Tensor],
    ansatz: Ansatz,
    angles: Tensor,
    weights: Tensor,
    dtype: torch.dtype = torch.float64,
) -> Engine:
    """One of this package's backends, ours among them."""
    x, w = (v.to(dtype).clone().requires_grad_() for v in (angles, weights))

    def forward() -> np.ndarray:
        with torch.no_grad():
            return backend(ansatz, x, w).cpu().numpy()

    return Engine(
        x.shape[0] * x.shape[1],
        forward,
        lambda: torch.autograd.grad(backend(ansatz, x, w).sum(), (w, x))[0].cpu().numpy(),
    )


PEERS = {
    maker.__name__: maker
    for maker in (lightning_paper, lightning_c64_one_observable, default_qubit, qulacs, tensorcircuit_jax)
}

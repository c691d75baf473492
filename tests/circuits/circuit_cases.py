"""Random circuits for hypothesis, and how two engines are compared."""

from __future__ import annotations

import torch
from hypothesis import strategies as st

from hqgan.circuits.ansatz import ROTATIONS, Ansatz
from hqgan.circuits.entanglers import ENTANGLERS, NO_ENTANGLER
from hqgan.types import Backend


@st.composite
def ansatzes(draw: st.DrawFn, max_qubits: int = 8, max_layers: int = 4, known_to: str = "paulis") -> Ansatz:
    """A random circuit, with any entangler whose row has the field `known_to`; every row has to have its Paulis."""
    n = draw(st.integers(1, max_qubits))
    gates = st.lists(st.sampled_from(ROTATIONS), min_size=1, max_size=3)
    pair = st.permutations(range(n)).map(lambda order: tuple(order[:2]))
    known = [name for name, row in ENTANGLERS.items() if getattr(row, known_to) is not None]
    entangler = draw(st.sampled_from((*known, NO_ENTANGLER)))
    pairs = draw(st.lists(pair, max_size=2 * n)) if n > 1 and entangler != NO_ENTANGLER else []
    letters = st.lists(st.sampled_from("XYZ"), min_size=min(n, 2), max_size=min(n, 2))
    qubits = st.permutations(range(n)).flatmap(lambda order: st.integers(1, min(n, 2)).map(lambda m: sorted(order[:m])))
    word = st.builds(lambda ls, qs: "".join(f"{a}{q}" for a, q in zip(ls, qs, strict=False)), letters, qubits)
    readout = draw(
        st.one_of(st.just(["probabilities"]), st.just([]), st.lists(word, min_size=1, max_size=6, unique=True))
    )
    return Ansatz(
        n,
        draw(st.integers(0, max_layers)),
        encoding=tuple(draw(st.one_of(st.just(["ry", "rx"]), gates))),
        rotations=tuple(draw(st.one_of(st.just(["ry"]), gates))),
        entangler=entangler,
        pairs=tuple(pairs),
        readout=tuple(readout),
    )


def inputs(
    ansatz: Ansatz, b: int, k: int, dtype: torch.dtype = torch.float64, seed: int = 0
) -> tuple[torch.Tensor, ...]:
    """Angles (B, k, n) and weights (k, L, n, R) over a full turn, which want gradients."""
    random = torch.Generator().manual_seed(seed)
    shapes = (b, k, ansatz.qubits), (k, *ansatz.weight_shape)
    return tuple(
        ((torch.rand(s, generator=random, dtype=torch.float64) * 2 - 1) * torch.pi).to(dtype).requires_grad_()
        for s in shapes
    )


def outputs_and_gradients(
    engine: Backend, ansatz: Ansatz, angles: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Readouts, and the gradients by angles and weights of their sum with fixed random factors."""
    readout = engine(ansatz, angles, weights)
    factors = torch.randn(readout.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    loss = (readout * factors.to(readout.dtype)).sum()
    found = torch.autograd.grad(loss, (angles, weights), allow_unused=True)
    by_angles, by_weights = (
        torch.zeros_like(x) if g is None else g for x, g in zip((angles, weights), found, strict=True)
    )
    return readout.detach(), by_angles, by_weights


def assert_agree(engine: Backend, oracle: Backend, ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    """Engine against oracle: float64 to rounding; float32 to 1e-5 of outputs and 1e-4 of the largest gradient."""
    angles, weights = inputs(ansatz, b, k, seed=seed)
    truth = outputs_and_gradients(oracle, ansatz, angles, weights)
    for dtype, tolerances in ((torch.float64, (1e-11, 1e-10)), (torch.float32, (1e-5, 1e-4))):
        ours = outputs_and_gradients(engine, ansatz, *inputs(ansatz, b, k, dtype, seed))
        with torch.no_grad():  # another way through an engine: nothing is kept for a gradient
            alone = engine(ansatz, *inputs(ansatz, b, k, dtype, seed))
        for i, (value, wanted) in enumerate(zip((*ours, alone), (*truth, truth[0]), strict=True)):
            assert value.dtype == dtype
            assert value.shape == wanted.shape
            if value.numel():
                of_gradient = i in (1, 2)
                scale = max(1.0, wanted.abs().max().item()) if of_gradient else 1
                assert (value - wanted).abs().max().item() <= tolerances[of_gradient] * scale

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from circuit_cases import ansatzes, assert_agree, inputs, outputs_and_gradients
from hypothesis import given, settings
from hypothesis import strategies as st

from hqgan.circuits.ansatz import Ansatz, paper_ansatz, ring
from hqgan.circuits.engines import dispatch as statevector
from hqgan.circuits.engines import plan
from hqgan.circuits.engines.dispatch import simulate
from hqgan.circuits.engines.gates import postselected
from hqgan.circuits.reference import reference
from hqgan.errors import UserError


@pytest.fixture(params=["small", "compiled", "torch"], scope="module", autouse=True)
def _engine(request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test of this file holds for all engines."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statevector, "engine_for", lambda ansatz, device: request.param)
        yield


@settings(deadline=None, max_examples=50)
@given(ansatzes(known_to="pennylane"), st.integers(1, 3), st.integers(1, 3), st.integers(0, 1000))
def test_agrees_with_pennylane(ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    pytest.importorskip("pennylane")
    from hqgan.circuits.backends.pennylane import pennylane_backend

    assert_agree(simulate, pennylane_backend(), ansatz, b, k, seed)


@settings(deadline=None, max_examples=50)
@given(ansatzes(max_qubits=6, max_layers=3), st.integers(1, 2), st.integers(1, 2), st.integers(0, 1000))
def test_agrees_with_the_reference(ansatz: Ansatz, b: int, k: int, seed: int) -> None:
    assert_agree(simulate, reference, ansatz, b, k, seed)


@settings(deadline=None, max_examples=25)
@given(ansatzes(max_qubits=5, max_layers=3, known_to="pennylane"), st.integers(1, 4), st.integers(0, 1000))
def test_ancillas_keep_the_runs_that_find_them_in_zero(ansatz: Ansatz, ancillas: int, seed: int) -> None:
    pytest.importorskip("pennylane")
    from hqgan.circuits.backends.pennylane import pennylane_backend

    whole = replace(ansatz, qubits=5, readout=("probabilities",))
    kept = replace(whole, ancillas=ancillas)
    arguments = inputs(kept, 2, 2, seed=seed)
    found = outputs_and_gradients(simulate, kept, *arguments)
    assert found[0].shape == (2, 2, 2 ** (5 - ancillas))
    # Small chances of keeping a run enlarge rounding.
    chance = reference(whole, *arguments)[..., : kept.readouts].sum(-1).min().item()
    for oracle in (reference, pennylane_backend()):
        for value, wanted in zip(found, outputs_and_gradients(oracle, kept, *arguments), strict=True):
            torch.testing.assert_close(value, wanted, rtol=0, atol=1e-11 / chance**2)


def test_ancillas_never_found_in_zero_leave_zeros() -> None:
    ansatz = Ansatz(2, 0, readout=("probabilities",), ancillas=1)
    assert torch.equal(postselected(ansatz, torch.tensor([0.0, 0.0, 0.25, 0.75])), torch.zeros(2))


@pytest.mark.parametrize("qubits", [9, 10, 11])
@pytest.mark.parametrize(("rotations", "entangler"), [(("ry",), "cz"), (("rz", "ry"), "cnot")])
def test_qubits_that_are_no_multiple_of_four(qubits: int, rotations: tuple[str, ...], entangler: str) -> None:
    ansatz = Ansatz(qubits, 3, rotations=rotations, entangler=entangler, pairs=ring(qubits))
    assert_agree(simulate, reference, ansatz, 2, 1, seed=qubits)


def test_the_papers_circuit() -> None:
    assert_agree(simulate, reference, paper_ansatz(), 1, 1, seed=0)


@pytest.mark.parametrize("qubits", [4, 5, 8, 9, 13])
def test_readouts_in_several_bases(qubits: int) -> None:
    # Each basis starts from the final state, which the one before must have left as it was.
    assert_agree(simulate, reference, Ansatz(qubits, 2, readout=("X0", "Z0", f"Y{qubits - 1}", "X1Z2")), 2, 2, seed=1)


@pytest.mark.parametrize(
    "ansatz",
    [
        Ansatz(5, 3),
        Ansatz(4, 3, ("rx", "rz"), ("rz", "ry", "rx"), "cnot", readout=("X0", "Y1", "Z2", "Y0Z3")),
        Ansatz(4, 2, rotations=("rx", "ry"), readout=("probabilities",)),
    ],
)
def test_angles_of_many_turns(ansatz: Ansatz) -> None:
    angles, weights = inputs(ansatz, 2, 2)
    weights = (weights.detach() * 9).requires_grad_()
    ours, truth = (outputs_and_gradients(engine, ansatz, angles, weights) for engine in (simulate, reference))
    for value, wanted in zip(ours, truth, strict=True):
        torch.testing.assert_close(value, wanted, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "ansatz",
    [
        Ansatz(3, 2),
        Ansatz(3, 2, encoding=("ry",), readout=("X0", "Z0", "X1Z2")),
        Ansatz(3, 2, ("rx", "rz"), ("rz", "ry", "rz"), "cnot", readout=("Y0", "Z0Z2", "X1")),
        Ansatz(2, 2, entangler="none", readout=("probabilities",)),
    ],
)
def test_gradient_against_finite_differences(ansatz: Ansatz) -> None:
    assert torch.autograd.gradcheck(lambda x, w: simulate(ansatz, x, w), inputs(ansatz, 2, 2))


def test_small_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    ansatz = Ansatz(5, 3, readout=("X0", "Z1", "X4"))
    whole = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 5, 3))
    for chunk in (1, 3 * 2 * 2**5 * 8, 11 * 2 * 2**5 * 8):  # one state, three (ragged), two sub-generators at a time
        monkeypatch.setattr(plan, "_CHUNK_CPU", chunk)
        plan.make_plan.cache_clear()
        parts = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 5, 3))
        for one, other in zip(whole, parts, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-13)
    plan.make_plan.cache_clear()


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_share_the_chunks_and_leave_torch_as_it_was(monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    ansatz = Ansatz(5, 3, readout=("X0", "Z1", "X4"))
    alone = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 5, 3))
    monkeypatch.setattr(plan, "_CHUNK_CPU", 3 * 2 * 2**5 * 8)
    plan.make_plan.cache_clear()
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        together = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 5, 3))
        again = outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 5, 3))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
        monkeypatch.undo()
        plan.make_plan.cache_clear()
    for a, b, c in zip(alone, together, again, strict=True):
        torch.testing.assert_close(a, b)
        assert torch.equal(b, c)


def test_a_batch_is_its_samples() -> None:
    ansatz = Ansatz(6, 3)
    angles, weights = inputs(ansatz, 4, 3)
    whole = simulate(ansatz, angles, weights)
    for b in range(4):
        for k in range(3):
            one = simulate(ansatz, angles[b : b + 1, k : k + 1], weights[k : k + 1])
            torch.testing.assert_close(whole[b : b + 1, k : k + 1], one, rtol=0, atol=1e-13)


def test_two_forwards_before_a_backward() -> None:
    ansatz = Ansatz(5, 3)
    first, second = inputs(ansatz, 2, 2, seed=1), inputs(ansatz, 2, 2, seed=2)
    apart = [torch.autograd.grad(simulate(ansatz, *x).sum(), x) for x in (first, second)]
    one, other = simulate(ansatz, *first), simulate(ansatz, *second)
    together = [torch.autograd.grad(one.sum(), first), torch.autograd.grad(other.sum(), second)]
    for a, b in zip(sum(apart, ()), sum(together, ()), strict=True):
        assert torch.equal(a, b)


def test_a_retained_graph_gives_the_same_gradient_again() -> None:
    ansatz = Ansatz(5, 3)
    arguments = inputs(ansatz, 2, 2)
    loss = simulate(ansatz, *arguments).sum()
    once = torch.autograd.grad(loss, arguments, retain_graph=True)
    for a, b in zip(once, torch.autograd.grad(loss, arguments), strict=True):
        assert torch.equal(a, b)


def test_same_call_same_bits() -> None:
    ansatz = Ansatz(10, 4)
    runs = [outputs_and_gradients(simulate, ansatz, *inputs(ansatz, 6, 2, torch.float32)) for _ in range(3)]
    for run in runs[1:]:
        assert all(torch.equal(a, b) for a, b in zip(runs[0], run, strict=True))


def test_gradient_memory_does_not_grow_with_depth() -> None:
    saved: dict[int, int] = {}
    for layers in (8, 64):
        storages: dict[int, int] = {}

        def pack(x: torch.Tensor, found: dict[int, int] = storages) -> torch.Tensor:
            found[x.untyped_storage().data_ptr()] = x.untyped_storage().nbytes()
            return x

        ansatz = paper_ansatz(16, layers)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
            readout = simulate(ansatz, *inputs(ansatz, 4, 1, torch.float32))
        saved[layers] = sum(storages.values())
        assert saved[layers] >= 4 * 2 * 2**16 * 4  # the final states are among them
        del readout
    assert saved[64] < 1.2 * saved[8]


def test_without_gradient_nothing_is_kept() -> None:
    ansatz = Ansatz(4, 2)
    angles, weights = inputs(ansatz, 2, 2)
    wanted = simulate(ansatz, angles, weights).detach()
    with torch.no_grad():
        assert torch.equal(simulate(ansatz, angles, weights), wanted)
    plan.make_plan.cache_clear()
    with torch.inference_mode():  # the plan made here must serve training too
        simulate(ansatz, angles, weights)
    simulate(ansatz, angles, weights).sum().backward()
    assert angles.grad is not None


@pytest.mark.parametrize("linear", [True, False])
@pytest.mark.parametrize(("layers", "which"), [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)])
def test_a_second_derivative_is_refused(layers: int, which: int, linear: bool) -> None:
    ansatz = Ansatz(2, layers)
    arguments = inputs(ansatz, 1, 1)
    readout = simulate(ansatz, *arguments)
    loss = readout.sum() if linear else readout.square().sum()
    (gradient,) = torch.autograd.grad(loss, arguments[which], create_graph=True)
    with pytest.raises(RuntimeError, match="differentiated once, not twice"):
        gradient.square().sum().backward()


def test_a_graph_of_the_gradient_may_be_made_for_others() -> None:
    ansatz = Ansatz(2, 1)
    angles, weights = inputs(ansatz, 1, 1)
    scale = torch.tensor(2.0, requires_grad=True, dtype=torch.float64)
    (plain,) = torch.autograd.grad(simulate(ansatz, angles, weights).sum(), angles)
    (gradient,) = torch.autograd.grad(simulate(ansatz, angles, weights).sum(), angles, create_graph=True)
    assert torch.equal(gradient, plain)
    (by_scale,) = torch.autograd.grad((gradient * scale).sum(), scale)
    torch.testing.assert_close(by_scale, plain.sum())


def test_mixed_precision_leaves_the_circuit_alone() -> None:
    ansatz = Ansatz(6, 3)
    angles, weights = (x.detach() for x in inputs(ansatz, 2, 2, torch.float32))
    angles = angles.bfloat16()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        readout = simulate(ansatz, angles, weights)
    assert readout.dtype == torch.float32
    assert torch.equal(readout, simulate(ansatz, angles.float(), weights))


def test_no_samples() -> None:
    ansatz = Ansatz(3, 1)
    angles, weights = inputs(ansatz, 0, 2)
    assert simulate(ansatz, angles, weights).shape == (0, 2, 3)


def test_wrong_shapes_are_one_sentence() -> None:
    ansatz = Ansatz(3, 2)
    with pytest.raises(UserError, match=r"Angles are \(B, 2, 3\) for a batch of B, 2 sub-generators, not \(4, 2, 5\)"):
        simulate(ansatz, torch.zeros(4, 2, 5), torch.zeros(2, 2, 3, 1))
    with pytest.raises(
        UserError, match=r"Weights of this ansatz are \(k, 2, 3, 1\) for k sub-generators, not \(2, 3, 1\)"
    ):
        simulate(ansatz, torch.zeros(4, 2, 3), torch.zeros(2, 3, 1))


def test_numbers_that_are_not_finite_are_one_sentence() -> None:
    ansatz = Ansatz(3, 1)
    angles, weights = torch.zeros(2, 1, 3), torch.zeros(1, 1, 3, 1)
    angles[0, 0, 1], angles[1, 0, 2] = torch.nan, torch.inf
    with pytest.raises(UserError, match="2 of a circuit's 6 angles are not finite"):
        simulate(ansatz, angles, weights)
    with pytest.raises(UserError, match="3 of a circuit's 3 weights are not finite"):
        simulate(ansatz, torch.zeros(2, 1, 3), weights + torch.nan)


def test_more_qubits_than_memory_is_one_sentence() -> None:
    ansatz = Ansatz(48, 48, readout=("X0",))
    with pytest.raises(UserError, match=r"48 qubits need 8,388,608 GiB, and cpu has \d+"):
        simulate(ansatz, torch.zeros(1, 1, 48), torch.zeros(1, 48, 48, 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("ansatz", [paper_ansatz(10, 4), Ansatz(7, 3, rotations=("rz", "ry"), entangler="cnot")])
def test_cuda_agrees_with_cpu(ansatz: Ansatz) -> None:
    angles, weights = inputs(ansatz, 3, 2)
    here = outputs_and_gradients(simulate, ansatz, angles, weights)
    moved = (x.detach().cuda().requires_grad_() for x in (angles, weights))
    readout = simulate(ansatz, *moved)
    torch.testing.assert_close(readout.detach().cpu(), here[0], rtol=0, atol=1e-11)

"""What the engines work out once for an ansatz: groups of qubits, entanglers and readouts as constant tensors."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from hqgan.circuits.ansatz import Ansatz
from hqgan.circuits.engines.gates import kron
from hqgan.circuits.entanglers import is_diagonal, required
from hqgan.errors import UserError
from hqgan.wording import plural

# Bytes of state that one pass works on. Larger batches are cut, since a state that does not fit into the cache halves the speed.
# An accelerator is faster on whole batches, as far as they fit.
_CHUNK_CPU = 1 << 20
_CHUNK_ACCELERATOR = 1 << 30
SIMULATOR = "The statevector simulator"


@dataclass(frozen=True)
class Family:
    """Pauli words that one change of basis makes diagonal together.

    A diagonal word's sign at a basis state is the product of a sign for each half of the qubits; words can have a half in common.
    """

    basis: list[Tensor] | None  # for each group (d, d), to the words' basis; None for Z words and probabilities
    signs: tuple[Tensor, Tensor] | None  # (l, P) and (Q, r) distinct signs of the halves; None for probabilities
    halves: tuple[Tensor, Tensor]  # (m,) and (m,): which of the l and of the r a word has
    places: Tensor  # (m,): where in the readout the words stand


@dataclass(frozen=True, eq=False)
class Plan:
    """The constants of an ansatz on a device."""

    ansatz: Ansatz
    dtype: torch.dtype  # of a state; complex if the ansatz is
    parts: int  # 2 if a state's real and imaginary part are held as two real vectors
    absorbed: int  # layers whose rotations are part of the product state
    groups: tuple[int, ...]  # qubits in each group, the first group holding qubit 0
    signs: Tensor | None  # (N,) of a layer's entanglers, if they are diagonal
    moves: (
        tuple[Tensor, Tensor] | None
    )  # (N,) and (N,): what a layer's entanglers, if they permute, and their inverse take
    families: tuple[Family, ...]
    chunk: int  # bytes


@lru_cache(maxsize=32)
def make_plan(ansatz: Ansatz, dtype: torch.dtype, device: torch.device) -> Plan:
    """Make the plan of an ansatz, or return the one made before.

    Args:
        ansatz: the circuit.
        dtype: float32 or float64, of angles and readouts.
        device: where the circuit runs.
    """
    n = ansatz.qubits
    complex_dtype = torch.complex128 if dtype == torch.float64 else torch.complex64
    groups = even_groups(n)
    # Constants made in inference mode could not be used in training.
    with torch.inference_mode(False), torch.no_grad():
        signs, moves = None, None
        if ansatz.layers and ansatz.pairs and is_diagonal(ansatz.entangler, SIMULATOR):
            signs = pair_signs(ansatz, ansatz.pairs, n, device).to(dtype)
        elif ansatz.layers and ansatz.pairs:
            source = sources(ansatz, device)
            moves = source, torch.argsort(source)
        return Plan(
            ansatz=ansatz,
            dtype=dtype if ansatz.real else complex_dtype,
            parts=2 if ansatz.real and set(ansatz.encoding) != {"ry"} else 1,
            absorbed=min(1, ansatz.layers) if ansatz.pairs else ansatz.layers,
            groups=groups,
            signs=signs,
            moves=moves,
            families=_families(ansatz, groups, dtype, complex_dtype, device),
            chunk=_CHUNK_CPU if device.type == "cpu" else _CHUNK_ACCELERATOR,
        )


def check_memory(ansatz: Ansatz, dtype: torch.dtype, device: torch.device) -> None:
    """Raise UserError if a state of so many qubits does not fit into the device's memory."""
    size = 8 * 2**ansatz.qubits * dtype.itemsize  # a state, its adjoint, a copy of both; real and imaginary part
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if device.type == "cuda":
        memory = torch.cuda.get_device_properties(device).total_memory
    if size > memory:
        qubits = plural(ansatz.qubits, "qubit")
        raise UserError(f"{qubits} need {size / 2**30:,.0f} GiB, and {device} has {memory / 2**30:,.0f}.")


def no_autocast(device: torch.device) -> torch.autocast:
    """Turns autocast off, which would run matrix products in 8 or 11 bits and lose the state's norm."""
    return torch.autocast(device.type, enabled=False)


def even_groups(n: int, most: int = 4) -> tuple[int, ...]:
    """Sizes of the fewest groups of at most `most` into which n qubits can be divided evenly, the larger ones first."""
    count = -(-n // most)
    return tuple(n // count + (i < n % count) for i in range(count))


def pair_signs(ansatz: Ansatz, pairs: Iterable[tuple[int, int]], n: int, device: torch.device) -> Tensor:
    """(2^n,) int64: the sign of each basis state of n qubits after the ansatz's diagonal entangler on each pair."""
    negative = torch.tensor(required(ansatz.entangler, "signs", SIMULATOR), device=device) < 0
    index = torch.arange(2**n, device=device)
    odd = torch.zeros_like(index)
    for a, b in pairs:
        odd ^= negative[2 * bit_of(index, a, n) + bit_of(index, b, n)]
    return 1 - 2 * odd


def sources(ansatz: Ansatz, device: torch.device) -> Tensor:
    """(2^n,) int64: from which basis state a layer's permuting entanglers take the amplitude of each one."""
    n = ansatz.qubits
    inverse = torch.tensor(required(ansatz.entangler, "permutation", SIMULATOR), device=device).argsort()
    source = torch.arange(2**n, device=device)
    for a, b in reversed(ansatz.pairs):
        now = 2 * bit_of(source, a, n) + bit_of(source, b, n)
        change = now ^ inverse[now]
        source = source ^ (change >> 1 << (n - 1 - a)) ^ ((change & 1) << (n - 1 - b))
    return source


def bit_of(index: Tensor, qubit: int, n: int) -> Tensor:
    """The bit of a qubit, the first being the highest of n, in each basis index."""
    return (index >> (n - 1 - qubit)) & 1


def sorted_words(ansatz: Ansatz) -> list[tuple[tuple[str, ...], list[int]]]:
    """The readout's Pauli words, sorted into families that are measured together; a greedy search keeps the families few.

    Returns:
        For each family the Pauli to which each qubit is turned, Z where none is, and the places of its words in the readout;
        one family without words for probabilities.
    """
    if ansatz.probabilities:
        return [(("Z",) * ansatz.qubits, [])]
    found: list[tuple[dict[int, str], list[int]]] = []
    for place, word in enumerate(ansatz.words):
        for letters, places in found:
            if all(letters.get(qubit, letter) == letter for qubit, letter in word):
                letters.update(word)
                places.append(place)
                break
        else:
            found.append((dict(word), [place]))
    return [(tuple(letters.get(q, "Z") for q in range(ansatz.qubits)), places) for letters, places in found]


def halved(masks: list[int], lower: int) -> tuple[list[int], list[int], list[tuple[int, int]]]:
    """Masks cut in two: the distinct upper parts, the distinct lower parts (`lower` bits), and which two each mask has."""
    halves = [divmod(mask, 1 << lower) for mask in masks]
    uppers, lowers = (list(dict.fromkeys(half[side] for half in halves)) for side in (0, 1))
    return uppers, lowers, [(uppers.index(upper), lowers.index(low)) for upper, low in halves]


def _families(
    ansatz: Ansatz, groups: tuple[int, ...], dtype: torch.dtype, complex_dtype: torch.dtype, device: torch.device
) -> tuple[Family, ...]:
    """The readout's families, with their bases and signs."""
    n, low = ansatz.qubits, ansatz.qubits - ansatz.qubits // 2
    state_dtype = dtype if ansatz.real else complex_dtype
    h = 0.5**0.5
    to_z = {"Z": [[1, 0], [0, 1]], "X": [[h, h], [h, -h]], "Y": [[h, -1j * h], [h, 1j * h]]}
    families = []
    for letters, places in sorted_words(ansatz):
        basis = None
        if set(letters) != {"Z"}:
            single = [torch.tensor(to_z[letter], dtype=state_dtype, device=device) for letter in letters]
            basis = [kron(block) for block in torch.stack(single).split(groups)]
        masks = [sum(1 << n - 1 - q for q, _ in ansatz.words[place]) for place in places]
        uppers, lowers, which = halved(masks, low)
        left, right = parity_signs(uppers, n - low), parity_signs(lowers, low).T.contiguous()
        signs = None if ansatz.probabilities else (left.to(device, dtype), right.to(device, dtype))
        halves = torch.tensor(which, dtype=torch.long, device=device).reshape(-1, 2).T
        where = torch.tensor(places, dtype=torch.long, device=device)
        families.append(Family(basis, signs, (halves[0], halves[1]), where))
    return tuple(families)


def parity_signs(masks: list[int], bits: int) -> Tensor:
    """(masks, 2^bits) int64: -1 where a basis state has an odd number of a mask's bits, else 1."""
    index = torch.arange(2**bits)
    odd = torch.zeros(len(masks), 2**bits, dtype=torch.long)
    for row, mask in zip(odd, masks, strict=True):
        for b in range(bits):
            if mask >> b & 1:
                row ^= index >> b & 1
    return 1 - 2 * odd

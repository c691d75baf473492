"""Circuits cut down to what a readout depends on: its light cone. Imports no torch.

Going back from a readout, a gate on none of the qubits met so far cancels against its own inverse. A circuit of few layers of
neighbouring gates depends on few qubits, however wide it is, whereas a chain of CNOTs depends on most. So the cone is found from
the gates themselves (Bravyi, Gosset and Movassagh, arXiv 1909.11485).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from hqgan.circuits.ansatz import Ansatz, Word
from hqgan.circuits.entanglers import NO_ENTANGLER, is_diagonal


@dataclass(frozen=True)
class Cone:
    """A circuit on some of an ansatz's qubits that gives some of its readouts.

    Attributes:
        ansatz: the smaller circuit; its qubit i stands for `qubits[i]`.
        qubits: of the larger circuit, in rising order.
        places: positions of the smaller circuit's readouts among the larger one's.
    """

    ansatz: Ansatz
    qubits: tuple[int, ...]
    places: tuple[int, ...]


@lru_cache(maxsize=32)
def light_cones(ansatz: Ansatz) -> tuple[Cone, ...]:
    """The cones of all readouts; those on the same qubits are one cone, and probabilities have the ansatz itself as theirs."""
    everything = tuple(range(ansatz.qubits))
    if ansatz.probabilities:
        return (Cone(ansatz, everything, tuple(range(ansatz.readouts))),)
    places: dict[tuple[int, ...], list[int]] = {}
    for place, word in enumerate(ansatz.words):
        places.setdefault(cone_of(ansatz, word), []).append(place)
    return tuple(Cone(_part(ansatz, qubits, here), qubits, tuple(here)) for qubits, here in places.items())


def cone_of(ansatz: Ansatz, word: Word) -> tuple[int, ...]:
    """The qubits on which the expectation of a Pauli word depends, in rising order."""
    cone = {qubit for qubit, _ in word}
    if not ansatz.pairs:
        return tuple(sorted(cone))
    if is_diagonal(ansatz.entangler, "The search for light cones"):
        # Diagonal gates commute with each other and with Z, so only those on an X or a Y stay, in whatever order they come.
        touched = {qubit for qubit, letter in word if letter != "Z"}
        for _ in range(ansatz.layers):
            cone = cone | {qubit for pair in ansatz.pairs if touched & set(pair) for qubit in pair}
            touched = cone
    else:
        for _ in range(ansatz.layers):
            for pair in reversed(ansatz.pairs):
                if cone & set(pair):
                    cone |= set(pair)
    return tuple(sorted(cone))


def _part(ansatz: Ansatz, qubits: tuple[int, ...], places: list[int]) -> Ansatz:
    """The gates within some qubits, and the readouts that depend on no others."""
    new = {qubit: i for i, qubit in enumerate(qubits)}
    pairs = tuple((new[a], new[b]) for a, b in ansatz.pairs if a in new and b in new)
    words = (ansatz.words[place] for place in places)
    return replace(
        ansatz,
        qubits=len(qubits),
        entangler=ansatz.entangler if pairs else NO_ENTANGLER,
        pairs=pairs,
        readout=tuple("".join(f"{letter}{new[qubit]}" for qubit, letter in word) for word in words),
    )

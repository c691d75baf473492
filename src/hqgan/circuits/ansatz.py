"""Circuits as data: encoding, layers of rotations and entanglers, readout. Imports no torch.

The gates are R_P(t) = exp(-i t P / 2) for P in X, Y, Z. Qubit 0 is the most significant bit of a basis index.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hqgan.circuits.entanglers import ENTANGLERS, NO_ENTANGLER
from hqgan.errors import UserError
from hqgan.wording import listed, plural

ROTATIONS = ("rx", "ry", "rz")
PROBABILITIES = "probabilities"

Pairs = tuple[tuple[int, int], ...]
Word = tuple[tuple[int, str], ...]


def chain(qubits: int) -> Pairs:
    """Neighbours in order: (0, 1), (1, 2), ... The paper's."""
    return tuple((i, i + 1) for i in range(qubits - 1))


def ring(qubits: int) -> Pairs:
    """The chain closed by (n - 1, 0); two qubits have one pair only."""
    return chain(qubits) + (((qubits - 1, 0),) if qubits > 2 else ())


def brickwork(qubits: int) -> Pairs:
    """The even neighbours, then the odd ones: (0, 1), (2, 3), ..., (1, 2), (3, 4), ..."""
    return chain(qubits)[::2] + chain(qubits)[1::2]


@dataclass(frozen=True)
class Ansatz:
    """A parametrised circuit, started in |0...0>.

    Each encoding gate is applied to every qubit i with its encoding angle x_i; then, `layers` times, each rotation to
    every qubit with a weight of its own, and the entangler to the pairs in order; then the readout is taken.
    Hashable, so that what is worked out for a circuit can be kept; its fields are plain JSON: ``Ansatz(**fields)``.

    Attributes:
        qubits: n, at least 1.
        layers: L; 0 leaves the encoding alone.
        encoding: gates of the encoding in order, each one of ``rx``, ``ry``, ``rz``.
        rotations: R gates of a layer in order, from the same three.
        entangler: ``cz``, ``cnot`` (control first) or another name in `entanglers.ENTANGLERS`; or ``none``.
        pairs: qubits that the entangler joins; empty for the chain. Without entangler there are none.
        readout: Pauli words such as ``X0`` or ``Z0Z1``, whose expectations are measured, or ``probabilities`` alone for
            those of all 2^n basis states; empty for X on each qubit.
        ancillas: a, fewer than n; only with probabilities. The first a qubits are measured and runs that do not find them
            all in |0> are thrown away, so that 2^(n-a) probabilities of the other qubits are left (PQWGAN, arXiv 2212.11614).

    Raises:
        UserError: A value makes no circuit.
    """

    qubits: int
    layers: int
    encoding: tuple[str, ...] = ("ry", "rx")
    rotations: tuple[str, ...] = ("ry",)
    entangler: str = "cz"
    pairs: Pairs = ()
    readout: tuple[str, ...] = ()
    ancillas: int = 0

    def __post_init__(self) -> None:
        for name, least in (("qubits", 1), ("layers", 0), ("ancillas", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise UserError(f"An ansatz needs a whole number of {name}, at least {least}, not {value!r}.")
        entanglers = (*ENTANGLERS, NO_ENTANGLER)
        if self.entangler not in entanglers:
            raise UserError(f"Unknown entangler {self.entangler!r}: it is one of {listed(entanglers)}.")
        # Lists, as JSON has them, become tuples; a single name becomes a tuple of one; empty means the default.
        self._set("encoding", _gates(self.encoding, "encoding"))
        self._set("rotations", _gates(self.rotations, "rotations"))
        pairs = tuple(tuple(pair) for pair in self.pairs)
        if self.entangler == NO_ENTANGLER and pairs:
            raise UserError(f"An ansatz without entangler has no pairs, but {len(pairs)} were given.")
        self._set("pairs", () if self.entangler == NO_ENTANGLER else pairs or chain(self.qubits))
        readout = (self.readout,) if isinstance(self.readout, str) else tuple(self.readout)
        self._set("readout", readout or tuple(f"X{i}" for i in range(self.qubits)))
        for pair in self.pairs:
            if len(pair) != 2 or pair[0] == pair[1] or not all(q in range(self.qubits) for q in pair):
                raise UserError(f"The pair {pair} does not join two of the {plural(self.qubits, 'qubit')}, 0 to n - 1.")
        for word in self.words:
            _check(word, self)
        if len({frozenset(word) for word in self.words}) < len(self.words):
            raise UserError(f"A readout is listed twice among {', '.join(self.readout)}.")
        if self.ancillas >= self.qubits:
            raise UserError(
                f"An ansatz of {plural(self.qubits, 'qubit')} cannot have {plural(self.ancillas, 'ancilla')}."
            )
        if self.ancillas and not self.probabilities:
            raise UserError(f"Ancillas are for the readout {PROBABILITIES}, not for {', '.join(self.readout)}.")

    def _set(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)

    @property
    def probabilities(self) -> bool:
        """Whether basis states' probabilities are measured, not expectations."""
        return self.readout == (PROBABILITIES,)

    @property
    def words(self) -> tuple[Word, ...]:
        """The readout's Pauli words, each as (qubit, ``X`` | ``Y`` | ``Z``); empty if probabilities are measured."""
        return () if self.probabilities else tuple(_word(text) for text in self.readout)

    @property
    def readouts(self) -> int:
        """M, the count of numbers measured."""
        return 2 ** (self.qubits - self.ancillas) if self.probabilities else len(self.readout)

    @property
    def weight_shape(self) -> tuple[int, int, int]:
        """(L, n, R): the shape of one circuit's weights."""
        return self.layers, self.qubits, len(self.rotations)

    @property
    def parameters(self) -> int:
        """Count of one circuit's weights."""
        return self.layers * self.qubits * len(self.rotations)

    @property
    def real(self) -> bool:
        """Whether what follows the encoding is real, so that real and imaginary parts of a state never mix."""
        letters = {letter for word in self.words for _, letter in word}
        return set(self.rotations) == {"ry"} and "Y" not in letters


def paper_ansatz(qubits: int = 16, layers: int = 8) -> Ansatz:
    """The circuit of HybridQ (arXiv 2506.21015v1): RY and RX encoding, layers of RY and a CZ chain, X of each qubit."""
    return Ansatz(qubits, layers)


def _gates(names: Sequence[str], field: str) -> tuple[str, ...]:
    names = (names,) if isinstance(names, str) else tuple(names)
    if not names:
        raise UserError(f"An ansatz needs at least one gate in its {field}.")
    for name in names:
        if name not in ROTATIONS:
            raise UserError(f"Unknown gate {name!r} in the {field} of an ansatz: it is one of {listed(ROTATIONS)}.")
    return names


def _word(text: str) -> Word:
    if not isinstance(text, str) or not re.fullmatch(r"([XYZ]\d+)+", text, re.ASCII):
        raise UserError(f"{text!r} is no readout: one is a Pauli word such as X0 or Z0Z1, or {PROBABILITIES} alone.")
    return tuple((int(qubit), letter) for letter, qubit in re.findall(r"([XYZ])(\d+)", text))


def _check(word: Word, ansatz: Ansatz) -> None:
    qubits = [qubit for qubit, _ in word]
    text = "".join(f"{letter}{qubit}" for qubit, letter in word)
    if max(qubits) >= ansatz.qubits:
        raise UserError(f"The readout {text} is out of range: the ansatz has {plural(ansatz.qubits, 'qubit')}.")
    if len(set(qubits)) < len(qubits):
        raise UserError(f"The readout {text} names a qubit twice.")

"""The two-qubit gates that a layer may end with: a table with one row for each. Imports no torch.

A simulator or backend looks up the field that it needs with `required`, and refuses an entangler whose row leaves the field out.
The one exception is `hqgan.circuits.reference`, which writes the gates down for itself: a shared mistake would go unnoticed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hqgan.errors import UserError


@dataclass(frozen=True)
class Entangler:
    """What simulators, backends and drawings know of a gate on a pair of qubits (a, b).

    A gate has either signs or a permutation. Every field may be None; what needs the field then raises UserError.

    Attributes:
        signs: of a diagonal gate: its factors 1 or -1 of |00>, |01>, |10>, |11>, the first of them 1. For the statevector
            engines, light cones (diagonal gates commute with each other and with Z) and drawings.
        permutation: of a gate that permutes basis states: which of the four, 0 to 3, becomes of |00>, |01>, |10>, |11>.
        paulis: what becomes of the Paulis XI, ZI, IX, IZ when the gate passes them, signs left out. For the compiled engine.
        pennylane: the name of PennyLane's operator, e.g. ``CZ``.
        qiskit: the name of Qiskit's gate, which is also a method of its circuits, e.g. ``cz``.
        symbols: what a drawing shows on a and on b.
    """

    signs: tuple[int, int, int, int] | None = None
    permutation: tuple[int, int, int, int] | None = None
    paulis: tuple[str, str, str, str] | None = None
    pennylane: str | None = None
    qiskit: str | None = None
    symbols: tuple[str, str] | None = None


ENTANGLERS = {
    "cz": Entangler(
        signs=(1, 1, 1, -1),
        paulis=("XZ", "ZI", "ZX", "IZ"),
        pennylane="CZ",
        qiskit="cz",
        symbols=("●", "●"),
    ),
    "cnot": Entangler(  # the first qubit of a pair controls
        permutation=(0, 1, 3, 2),
        paulis=("XX", "ZI", "IX", "ZZ"),
        pennylane="CNOT",
        qiskit="cx",
        symbols=("●", "⊕"),
    ),
}

NO_ENTANGLER = "none"
"""The name that stands for layers without entanglers; such a circuit has no pairs, so nothing is looked up for it."""


def required(entangler: str, field: str, user: str) -> Any:
    """A field of an entangler's row.

    Args:
        entangler: its name.
        field: of `Entangler`.
        user: what needs it, as the subject of a sentence, e.g. ``The PennyLane backend``.

    Raises:
        UserError: There is no such row, or the row leaves the field out.
    """
    value = getattr(ENTANGLERS.get(entangler), field, None)
    if value is None:
        raise UserError(
            f"{user} does not know the entangler {entangler!r}: the table of entanglers has no {field} of it."
        )
    return value


def is_diagonal(entangler: str, user: str) -> bool:
    """Whether an entangler only changes signs of basis states, and does not permute them; errors as for `required`."""
    row = ENTANGLERS.get(entangler)
    if row is not None and row.signs is not None:
        return True
    required(entangler, "permutation", user)
    return False

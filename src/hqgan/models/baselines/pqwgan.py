"""PQWGAN (Tsang et al., arXiv 2212.11614): patches of an image as probabilities of circuits.

Their images are grey and of one class. Here each colour channel and class has circuits of its own, and all of an image's
circuits get the same latent, as theirs do.
"""

from __future__ import annotations

import torch
from torch import nn

from hqgan.circuits.ansatz import PROBABILITIES, Ansatz
from hqgan.config.generators import PqwganConfig
from hqgan.models.base import Generator
from hqgan.models.baselines.class_circuits import ClassCircuits


def pqwgan_ansatz(pixels: int, layers: int) -> Ansatz:
    """RY encoding, layers of Rot (RZ RY RZ) and a CNOT chain, probabilities given qubit 0, the ancilla, in |0>."""
    return Ansatz(
        qubits=(pixels - 1).bit_length() + 1,
        layers=layers,
        encoding=("ry",),
        rotations=("rz", "ry", "rz"),
        entangler="cnot",
        readout=(PROBABILITIES,),
        ancillas=1,
    )


class PqwganGenerator(Generator):
    """A patch is a circuit's probabilities, divided by their largest and mapped to [-1, 1].

    Args:
        config: patches of a channel and layers of a circuit.
        classes: number of classes.
        size: of the images, in pixels.

    Attributes:
        noise_size: one angle a qubit, in [0, 1) by the normal distribution's function.
    """

    def __init__(self, config: PqwganConfig, classes: int, size: int) -> None:
        super().__init__()
        self.patches, self.size = config.patches, size
        ansatz = pqwgan_ansatz(size * size // config.patches, config.layers)
        self.noise_size = ansatz.qubits
        self.circuit = ClassCircuits(ansatz, 3 * config.patches, classes)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (B, 3, size, size) in [-1, 1] from standard normal noise (B, noise_size) and labels (B,)."""
        angles = torch.special.ndtr(noise)[:, None].expand(-1, 3 * self.patches, -1)
        shares = self.circuit(angles.contiguous(), labels)
        shares = shares / shares.amax(2, keepdim=True)
        return (2 * shares - 1).reshape(-1, 3, self.size, self.size)

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters are those of circuits."""
        return {"circuit": list(self.circuit.parameters())}

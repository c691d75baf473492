"""What a generator may be, as validated sections of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hqgan.config.sections import Count, Depth, Section


class CircuitConfig(Section):
    """One sub-generator's ansatz (see `hqgan.circuits.ansatz.Ansatz`)."""

    qubits: int = Field(16, ge=1, le=256)
    layers: int = Field(8, ge=0, le=256)
    encoding: tuple[Literal["rx", "ry", "rz"], ...] = Field(("ry", "rx"), max_length=16)
    rotations: tuple[Literal["rx", "ry", "rz"], ...] = Field(("ry",), max_length=16)
    entangler: Literal["cz", "cnot", "none"] = "cz"
    readout: tuple[Literal["X", "Y", "Z"], ...] = Field(("X",), max_length=3)
    """Paulis measured on every qubit."""
    start: float = Field(1.0, ge=0, le=6.3)
    """Weights start uniform in [0, start) radians; 1 in the paper."""
    shots: int = Field(0, ge=0)
    """Measurements whose scatter is added to the readouts in training; 0 for exact readouts (paper)."""


class HybridConfig(Section):
    """The fused generator: encoder, then a classical and a quantum branch, fusion, decoder.

    The defaults are the paper's (arXiv 2506.21015) for 64x64 images.
    """

    kind: Literal["hybrid"] = "hybrid"
    latent: Count = 128
    class_embedding: Count = 32
    """Of the encoder "constant"; "spatial" tells the classes apart in its norm."""
    latent_source: Literal["prototypes", "bounded", "normal"] = "prototypes"
    """prototypes: around a learnt mean of each class (paper). bounded: MosaiQ's adaptive bound. normal: as it is."""
    encoder: Literal["constant", "spatial"] = "constant"
    """constant: the condition repeated over 8x8, then convolutions (paper). spatial: a linear map to the 4x4 sites."""
    encoder_channels: Count = 128
    feature_channels: int = Field(32, ge=2)
    start: Literal["default", "reference"] = "default"
    """First weights. default: torch's own. reference: the paper's code, which draws the whole generator anew."""
    quantum_share: float = Field(0.5, gt=0, lt=1)
    """Share of the feature channels that goes to the quantum branch."""
    circuit: CircuitConfig = CircuitConfig()
    sub_generators: int = Field(5, ge=1, le=16)
    branch: Literal["circuit", "frozen", "mlp", "fourier", "noise", "none"] = "circuit"
    """What stands where the circuits stand, for ablations. frozen: circuits whose weights stay as drawn. mlp: one hidden layer,
    shared by the sites. fourier: random Fourier features. noise: noise with the moments of a frozen circuit's readouts. none: the
    classical branch alone, with all channels."""
    branch_hidden: int = Field(0, ge=0, le=65536)
    """Hidden units of the branch "mlp"; 0 for about as many weights as the circuits have."""
    readout: Literal["mean", "full"] = "mean"
    """mean: a sub-generator passes on the average of its readouts (paper). full: every readout is a channel of its site."""
    decoder: Literal["vanilla", "style2", "transposed"] = "vanilla"
    decoder_channels: tuple[Count, ...] = Field((128, 96, 64), max_length=16)
    """style2: channels at 16, 32 and 64 pixels (three). transposed: at 16 and 32 (two). vanilla: the paper's, fixed."""

    @model_validator(mode="after")
    def _fits(self) -> HybridConfig:
        wanted = {"style2": 3, "transposed": 2}.get(self.decoder)
        if wanted and len(self.decoder_channels) != wanted:
            raise ValueError(
                f"the decoder {self.decoder} takes {wanted} decoder_channels, not {len(self.decoder_channels)}"
            )
        return self


class DcganConfig(Section):
    """The classical control: transposed convolutions with batch norm (arXiv 1511.06434), class embedding in the input."""

    kind: Literal["dcgan"] = "dcgan"
    latent: Count = 64
    class_embedding: Count = 32
    channels: tuple[Count, Count, Count, Count] = (192, 128, 64, 32)
    """Channels at 4, 8, 16 and 32 pixels."""


class PqwganConfig(Section):
    """Patches of probabilities (PQWGAN, arXiv 2212.11614), for each colour channel and class a set of circuits."""

    kind: Literal["pqwgan"] = "pqwgan"
    patches: Literal[4, 8, 16, 32, 64] = 16
    """Of a channel, rows of the image one under the other; a circuit has log2(pixels of a patch) qubits and an ancilla."""
    layers: Depth = 6


class MosaiqConfig(Section):
    """Principal components by circuits (MosaiQ, arXiv 2308.11096), for each colour channel and class a set of circuits.

    Sub-generator i of m, with q qubits each, makes component i and the q - 1 from m q - 1 - (q - 1) i downwards.
    """

    kind: Literal["mosaiq"] = "mosaiq"
    sub_generators: Depth = 8
    """Of a channel."""
    qubits: int = Field(5, ge=2, le=16)
    layers: Depth = 6


class LatentqganConfig(Section):
    """Probabilities in the latent of an autoencoder (LatentQGAN, arXiv 2409.14622), for each class a set of circuits."""

    kind: Literal["latentqgan"] = "latentqgan"
    sub_generators: Depth = 15
    """Rows of the latent; five in the paper, for grey digits."""
    data_qubits: int = Field(3, ge=1, le=10)
    """Of a circuit, beside one ancilla; a row of the latent has 2^data_qubits shares that add up to 1."""
    layers: Depth = 7
    autoencoder_channels: tuple[Count, Count, Count] = (16, 32, 64)
    """At 32, 16 and 8 pixels of a 64-pixel image."""
    autoencoder_steps: Count = 500
    """Of batches of 32, before the circuits learn."""


class LightweightConfig(Section):
    """Lightweight GAN (arXiv 2101.04775): gated up-sampling, skip-layer excitation from small maps to large ones."""

    kind: Literal["lightweight"] = "lightweight"
    latent: Count = 128
    class_embedding: Count = 32
    channels: tuple[Count, Count, Count, Count, Count] = (128, 128, 96, 48, 24)
    """At 4, 8, 16, 32 and 64 pixels."""


class StyleConfig(Section):
    """Style-based generator (StyleGAN2, arXiv 1912.04958), sized for 64x64."""

    kind: Literal["style"] = "style"
    latent: Count = 64
    style: Count = 128
    """Length of w."""
    mapping_layers: Depth = 4
    class_embedding: Count = 64
    channels: tuple[Count, Count, Count, Count, Count] = (128, 128, 64, 32, 16)
    """At 4, 8, 16, 32 and 64 pixels."""


class DdpmConfig(Section):
    """Denoising diffusion (arXiv 2006.11239) by a class-conditional U-Net; images by DDIM (2010.02502)."""

    kind: Literal["ddpm"] = "ddpm"
    channels: tuple[Count, ...] = Field((32, 64, 96, 128), min_length=1, max_length=16)
    """Of the U-Net from full size down, each at half the size before."""
    embedding: Count = 128
    """Of time and class."""
    timesteps: int = Field(1000, ge=10, le=10000)
    sampling_steps: int = Field(20, ge=1, le=1000)
    """Of DDIM, evenly among the timesteps."""


GeneratorConfig = Annotated[
    HybridConfig
    | DcganConfig
    | PqwganConfig
    | MosaiqConfig
    | LatentqganConfig
    | LightweightConfig
    | StyleConfig
    | DdpmConfig,
    Field(discriminator="kind"),
]
KINDS = ("hybrid", "dcgan", "pqwgan", "mosaiq", "latentqgan", "lightweight", "style", "ddpm")

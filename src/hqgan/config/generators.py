"""Settings of the generators, as validated sections of a config."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from hqgan.config.sections import Count, Depth, Section


class CircuitConfig(Section):
    """One sub-generator's ansatz (see `hqgan.circuits.ansatz.Ansatz`)."""

    qubits: int = Field(16, ge=1, le=256)
    """Qubits of one circuit."""
    layers: int = Field(8, ge=0, le=256)
    """Layers of rotations and entanglers."""
    encoding: tuple[Literal["rx", "ry", "rz"], ...] = Field(("ry", "rx"), max_length=16)
    """Rotations that encode an angle on each qubit, in order."""
    rotations: tuple[Literal["rx", "ry", "rz"], ...] = Field(("ry",), max_length=16)
    """Rotations by trainable weights in each layer, in order."""
    entangler: Literal["cz", "cnot", "none"] = "cz"
    """Two-qubit gate between neighbouring qubits in each layer."""
    readout: tuple[Literal["X", "Y", "Z"], ...] = Field(("X",), max_length=3)
    """Paulis measured on every qubit."""
    start: float = Field(1.0, ge=0, le=6.3)
    """Weights start uniform in [0, start) radians; 1 in the paper."""
    shots: int = Field(0, ge=0)
    """Measurements per circuit, whose statistical noise is added to the readouts in training; 0 for exact readouts
    (paper)."""


class HybridConfig(Section):
    """The fused generator: encoder, then a classical and a quantum branch, fusion, decoder.

    The defaults are the paper's (arXiv 2506.21015) for 64x64 images.
    """

    kind: Literal["hybrid"] = "hybrid"
    """Kind of generator: encoder, a classical and a quantum branch, fusion, decoder."""
    latent: Count = 128
    """Length of the latent noise vector."""
    class_embedding: Count = 32
    """Length of the class embedding, for the encoder constant; the encoder spatial conditions its normalisation on the
    class."""
    latent_source: Literal["prototypes", "bounded", "normal"] = "prototypes"
    """Distribution of the latent. prototypes: normal around a learnt mean of each class (paper). bounded: normal noise
    times MosaiQ's adaptive bound. normal: standard normal noise."""
    encoder: Literal["constant", "spatial"] = "constant"
    """First layers. constant: the condition repeated over 8x8, then convolutions (paper). spatial: a linear map to the 4x4
    sites."""
    encoder_channels: Count = 128
    """Channels of the encoder's convolutions."""
    feature_channels: int = Field(32, ge=2)
    """Channels of the latent feature map, shared between the two branches."""
    start: Literal["default", "reference"] = "default"
    """Initial weights. default: torch's own. reference: those of the paper's code, which initialises the whole generator
    again."""
    quantum_share: float = Field(0.5, gt=0, lt=1)
    """Share of the feature channels that goes to the quantum branch."""
    circuit: CircuitConfig = CircuitConfig()
    sub_generators: int = Field(5, ge=1, le=16)
    """Number of circuits in the quantum branch."""
    branch: Literal["circuit", "frozen", "mlp", "fourier", "noise", "none"] = "circuit"
    """What takes the place of the circuits, for ablations. circuit: the circuits. frozen: circuits whose weights are not
    trained. mlp: one hidden layer, shared by the sites. fourier: random Fourier features. noise: noise with the moments of
    a frozen circuit's readouts. none: the classical branch alone, with all channels."""
    branch_hidden: int = Field(0, ge=0, le=65536)
    """Hidden units of the branch mlp; 0 for about as many weights as the circuits have."""
    readout: Literal["mean", "full"] = "mean"
    """What a circuit passes on. mean: the average of its readouts (paper). full: every readout, as a channel of its
    site."""
    decoder: Literal["vanilla", "style2", "transposed"] = "vanilla"
    """Layers from the feature map to the image."""
    decoder_channels: tuple[Count, ...] = Field((128, 96, 64), max_length=16)
    """Channels of the decoder. style2: at 16, 32 and 64 pixels (three). transposed: at 16 and 32 pixels (two). vanilla:
    fixed as in the paper."""

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
    """Kind of generator: transposed convolutions with batch norm."""
    latent: Count = 64
    """Length of the latent noise vector."""
    class_embedding: Count = 32
    """Length of the class embedding."""
    channels: tuple[Count, Count, Count, Count] = (192, 128, 64, 32)
    """Channels at 4, 8, 16 and 32 pixels."""


class PqwganConfig(Section):
    """Patches of probabilities (PQWGAN, arXiv 2212.11614), for each colour channel and class a set of circuits."""

    kind: Literal["pqwgan"] = "pqwgan"
    """Kind of generator: PQWGAN's patches of probabilities."""
    patches: Literal[4, 8, 16, 32, 64] = 16
    """Patches of a colour channel, each some rows of the image; a circuit has log2(pixels of a patch) qubits and an
    ancilla."""
    layers: Depth = 6
    """Layers of rotations and entanglers."""


class MosaiqConfig(Section):
    """Principal components by circuits (MosaiQ, arXiv 2308.11096), for each colour channel and class a set of circuits.

    Sub-generator i of m, with q qubits each, makes component i and the q - 1 from m q - 1 - (q - 1) i downwards.
    """

    kind: Literal["mosaiq"] = "mosaiq"
    """Kind of generator: MosaiQ's principal components."""
    sub_generators: Depth = 8
    """Circuits per colour channel and class."""
    qubits: int = Field(5, ge=2, le=16)
    """Qubits of one circuit."""
    layers: Depth = 6
    """Layers of rotations and entanglers."""


class LatentqganConfig(Section):
    """Probabilities in the latent of an autoencoder (LatentQGAN, arXiv 2409.14622), for each class a set of circuits."""

    kind: Literal["latentqgan"] = "latentqgan"
    """Kind of generator: LatentQGAN's probabilities in the latent of an autoencoder."""
    sub_generators: Depth = 15
    """Circuits per class, each of which makes a row of the latent; five in the paper, for grey digits."""
    data_qubits: int = Field(3, ge=1, le=10)
    """Qubits of a circuit beside its one ancilla; a row of the latent has 2^data_qubits probabilities."""
    layers: Depth = 7
    """Layers of rotations and entanglers."""
    autoencoder_channels: tuple[Count, Count, Count] = (16, 32, 64)
    """Channels of the autoencoder at 32, 16 and 8 pixels of a 64-pixel image."""
    autoencoder_steps: Count = 500
    """Steps for which the autoencoder is trained, on batches of 32, before the circuits."""


class LightweightConfig(Section):
    """Lightweight GAN (arXiv 2101.04775): gated up-sampling, skip-layer excitation from small maps to large ones."""

    kind: Literal["lightweight"] = "lightweight"
    """Kind of generator: Lightweight GAN."""
    latent: Count = 128
    """Length of the latent noise vector."""
    class_embedding: Count = 32
    """Length of the class embedding."""
    channels: tuple[Count, Count, Count, Count, Count] = (128, 128, 96, 48, 24)
    """Channels at 4, 8, 16, 32 and 64 pixels."""


class StyleConfig(Section):
    """Style-based generator (StyleGAN2, arXiv 1912.04958), sized for 64x64."""

    kind: Literal["style"] = "style"
    """Kind of generator: style-based."""
    latent: Count = 64
    """Length of the latent noise vector."""
    style: Count = 128
    """Length of the style vector w."""
    mapping_layers: Depth = 4
    """Layers of the mapping from the latent to w."""
    class_embedding: Count = 64
    """Length of the class embedding."""
    channels: tuple[Count, Count, Count, Count, Count] = (128, 128, 64, 32, 16)
    """Channels at 4, 8, 16, 32 and 64 pixels."""


class DdpmConfig(Section):
    """Denoising diffusion (arXiv 2006.11239) by a class-conditional U-Net; images by DDIM (2010.02502)."""

    kind: Literal["ddpm"] = "ddpm"
    """Kind of generator: denoising diffusion."""
    channels: tuple[Count, ...] = Field((32, 64, 96, 128), min_length=1, max_length=16)
    """Channels of the U-Net from full size down, each at half the size before."""
    embedding: Count = 128
    """Length of the embedding of time and class."""
    timesteps: int = Field(1000, ge=10, le=10000)
    """Noise levels of training."""
    sampling_steps: int = Field(20, ge=1, le=1000)
    """Steps in which DDIM makes an image, spread evenly over the timesteps."""


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

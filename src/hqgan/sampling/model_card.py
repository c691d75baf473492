"""The model card that goes with generated images: what made them, what they are for, what they cannot show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hqgan.config import Config, HybridConfig
from hqgan.io.templates import render
from hqgan.metrics.record import MetricRow
from hqgan.wording import at_most

if TYPE_CHECKING:
    from hqgan.sampling.load import Loaded


def model_card(loaded: Loaded, metrics: Sequence[MetricRow] = ()) -> str:
    """Markdown after Mitchell et al. (arXiv 1810.03993), from a run's own facts.

    Args:
        loaded: the generator; `backend` is what ran its circuits for the images.
        metrics: rows of the last evaluation on the validation part, may be empty.
    """
    counts, privacy = loaded.values["data"]["training_images"], loaded.values.get("privacy")
    return render(
        Path(__file__).with_suffix(".md"),
        loaded=loaded,
        model=_describe(loaded.config),
        has_circuits=_has_circuits(loaded.config),
        counts=", ".join(f"{name} {n}" for name, n in zip(loaded.classes, counts, strict=not privacy)),
        spent=at_most(privacy["spent"]) if privacy else None,
        metrics=[row for row in metrics if row.value is not None and row.class_name is None],
    )


_KINDS = {
    "dcgan": "Classical generator: transposed convolutions (DCGAN, arXiv 1511.06434)",
    "pqwgan": "Quantum generator: patches of probabilities (PQWGAN, arXiv 2212.11614)",
    "mosaiq": "Quantum generator: principal components by circuits (MosaiQ, arXiv 2308.11096)",
    "latentqgan": "Hybrid generator: circuits in the latent of an autoencoder (LatentQGAN, arXiv 2409.14622)",
    "lightweight": "Classical generator: Lightweight GAN (arXiv 2101.04775)",
    "style": "Classical generator: style-based (StyleGAN2, arXiv 1912.04958)",
    "ddpm": "Classical generator: denoising diffusion (arXiv 2006.11239)",
}
_BRANCHES = {
    "frozen": "circuits that stay as they were drawn",
    "mlp": "a small network",
    "fourier": "random Fourier features",
    "noise": "noise",
    "none": "nothing",
}
"""What replaces the circuits in an ablation."""


def _has_circuits(config: Config) -> bool:
    g = config.generator
    if isinstance(g, HybridConfig):
        return g.branch in {"circuit", "frozen"}
    return g.kind in {"pqwgan", "mosaiq", "latentqgan"}


def _describe(config: Config) -> str:
    g = config.generator
    if not isinstance(g, HybridConfig):
        return f"{_KINDS[g.kind]}."
    c = g.circuit
    circuits = f"{g.sub_generators} simulated circuits of {c.qubits} qubits and {c.layers} layers"
    branch = circuits if g.branch == "circuit" else f"{_BRANCHES[g.branch]} in place of {circuits}"
    return f"Hybrid generator: {branch} beside a convolutional branch, {g.decoder} decoder, conditional critic."

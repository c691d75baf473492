"""The model card that goes with generated images: what made them, what they are for, what they cannot show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hqgan.config import Config, HybridConfig
from hqgan.metrics.record import MetricRow
from hqgan.wording import at_most


def model_card(
    config: Config,
    classes: Sequence[str],
    values: Mapping[str, Any],
    checkpoint_hash: str,
    metrics: Sequence[MetricRow] = (),
    backend: str = "statevector",
) -> str:
    """Markdown after Mitchell et al. (arXiv 1810.03993), from a run's own facts.

    Args:
        config: of the run.
        classes: names.
        values: a checkpoint's JSON: `images`, `step`, `data` (name, licence, fingerprint, images by class).
        checkpoint_hash: SHA-256 of the weights.
        metrics: rows of the last evaluation on the validation part, may be empty.
        backend: what ran the circuits for the images, in words.
    """
    data = values["data"]
    fingerprint = f", fingerprint `{data['fingerprint'][:16]}`" if data["fingerprint"] else ""
    counts = data["training_images"]
    return "\n".join(
        [
            f"# Model card: HQ-GAN `{config.preset}` on {data['name']}",
            "",
            "These images are synthetic. They are not for diagnosis, and no picture shows a patient by intent.",
            "",
            "## Model",
            f"- {_describe(config)}",
            f"- Trained for {values['step']:,} generator steps, {values['images']:,} real images shown (repeats counted), "
            f"batch {config.training.batch}, loss {config.training.loss}, seed {config.training.seed}.",
            f"- Weights: moving average, SHA-256 of the checkpoint `{checkpoint_hash}`.",
            *([f"- Backend of its circuits for these images: {backend}."] if _has_circuits(config) else []),
            f"- Size of the images: {config.data.size}x{config.data.size} pixels.",
            "",
            "## Training data",
            f"- {data['name']}{fingerprint}; training part of the split with seed {config.data.seed}, no lesion on two sides.",
            f"- Training images by class: {_counted(classes, counts) if counts else 'withheld, for the training was private'}.",
            f"- Licence of the data: {data['licence']}. Generated images inherit its conditions; ask its publisher where unsure.",
            "",
            *_privacy(values.get("privacy")),
            "## Intended use",
            "- Research on generative models and on augmenting rare classes, with a test on held-out real images.",
            "- Not for diagnosis, treatment, or any decision about a person; not as evidence of what a disease looks like.",
            "",
            "## Metrics",
            *_table(metrics),
            "",
            "## Limits",
            "- The model knows what its training part shows: its cameras, its clinics, its skin tones, its labels' errors.",
            "- Rare classes are learnt from few lesions; their images vary less than the disease does.",
            "- A generated image can lie close to a training image. No copying audit is part of this card.",
            *([f"- The circuits were trained on a simulator{_where(backend)}."] if _has_circuits(config) else []),
            "",
        ]
    )


def _counted(classes: Sequence[str], counts: Sequence[int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in zip(classes, counts, strict=True))


def _privacy(facts: Mapping[str, Any] | None) -> list[str]:
    """The privacy guarantee of a private run: for whom it holds, and on what it rests."""
    if facts is None:
        return []
    return [
        "## Privacy",
        f"- Trained with differential privacy: epsilon {at_most(facts['spent'])} at delta {facts['delta']:g}, for adding or "
        f"removing any one of {facts['lesions']:,} lesions with all its images.",
        f"- DP-SGD on the critic (arXiv 1607.00133): clip {facts['clip']:g}, noise multiplier {facts['noise_multiplier']:.4g}, "
        f"Poisson sampling at rate {facts['sampling_rate']:.4g}, {facts['done']:,} critic steps, accounted for by Rényi "
        "differential privacy.",
        "- It holds for these weights and for everything made from them without the real images, while the run's seed file is "
        "secret. Measurements against real images are not covered, and other runs on the same lesions spend their own.",
        "",
    ]


def _where(backend: str) -> str:
    if backend.startswith("ibm:"):
        return ", and ran on a quantum machine for these images"
    return "; quantum-inspired is the honest word for what they did"


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


def _table(metrics: Sequence[MetricRow]) -> list[str]:
    rows = [m for m in metrics if m.value is not None and m.class_name is None]
    if not rows:
        return ["- None were taken in this run; see `hqgan evaluate`."]
    head = [
        "On the validation part, at the last evaluation; lower distances are better. The real reference is real images against "
        "real images, the baseline a PCA-Gaussian.",
        "",
    ]
    lines = ["| metric | value | real reference | baseline | N |", "| --- | --- | --- | --- | --- |"]
    for m in rows:
        cells = ["" if value is None else f"{value:.4g}" for value in (m.value, m.real_reference, m.baseline)]
        lines.append(f"| {m.label} | {' | '.join(cells)} | {m.n} |")
    return head + lines

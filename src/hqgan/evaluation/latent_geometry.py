"""The latent geometry of a run: the Jacobian's spectrum, whole and through each branch, and paths between latents.

With an image ``G(c(z), q(z))`` of what the classical and the quantum branch give, its derivative is the sum of one through
each. The size and rank of the quantum one show how much of the image's variety passes through the circuits.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch

from hqgan.metrics import latent
from hqgan.models.hybrid import HybridGenerator
from hqgan.sampling.images import latent_seed, noise_of
from hqgan.sampling.load import Loaded

MOST_DIMENSIONS = 1024
"""Most dimensions of a latent whose Jacobian is computed: each costs two images."""
LATENTS, PATHS = 8, 16
"""Latents at which the Jacobian is computed, or one for each class where there are more classes; and paths."""

Result = dict[str, Any]


@torch.no_grad()
def geometry(loaded: Loaded, seed: int = 0) -> Result:
    """Measure a run's latent.

    Args:
        loaded: the run.
        seed: of the latents.

    Returns:
        ``jacobian``: rows for ``image`` and, of a hybrid, for its derivative through each branch: the mean
        ``effective_rank`` over latents with ``low`` and ``high`` (95 %, of the mean), the ``norm`` (Frobenius), its
        ``share`` of both branches' squared norms, and the mean ``spectrum``. ``interpolation``: ``evenness`` and
        ``detour`` of `latent.smoothness`.
    """
    generator = copy.deepcopy(loaded.generator).double()
    device = next(generator.parameters()).device
    classes = len(loaded.classes)
    labels = [i % classes for i in range(max(LATENTS, classes))]
    seeds = [latent_seed(seed, f"geometry {loaded.classes[c]}", i) for i, c in enumerate(labels)]
    noise = noise_of(seeds, generator.noise_size).double().to(device)
    found: dict[str, list[np.ndarray]] = {}
    for z, c in zip(noise, labels, strict=True):
        for name, f in _maps(generator, z, c).items():
            found.setdefault(name, []).append(latent.spectrum(latent.jacobian(f, z)))
    rows = [_row(name, np.stack(spectra)) for name, spectra in found.items()]
    squares = {row["of"]: row["norm"] ** 2 for row in rows if row["of"] != "image"}
    for row in rows:
        row["share"] = squares[row["of"]] / max(sum(squares.values()), 1e-300) if row["of"] in squares else None
    return {"jacobian": rows, "interpolation": _paths(generator, loaded, seed, device)}


def _maps(generator: Any, z: torch.Tensor, c: int) -> dict[str, latent.Map]:
    """Functions of the latent: the image, and the image with one branch fixed at its value for `z`."""

    def labels(n: int) -> torch.Tensor:
        return torch.full((n,), c, device=z.device)

    maps: dict[str, latent.Map] = {"image": lambda zs: generator(zs, labels(len(zs)))}
    if isinstance(generator, HybridGenerator):
        classical, quantum = generator.branches(z[None], labels(1))

        def through_classical(zs: torch.Tensor) -> torch.Tensor:
            moved, _ = generator.branches(zs, labels(len(zs)))
            return generator.fuse(moved, quantum.expand(len(zs), -1, -1, -1), z.expand(len(zs), -1), labels(len(zs)))

        def through_quantum(zs: torch.Tensor) -> torch.Tensor:
            _, moved = generator.branches(zs, labels(len(zs)))
            return generator.fuse(classical.expand(len(zs), -1, -1, -1), moved, z.expand(len(zs), -1), labels(len(zs)))

        maps |= {"through the classical branch": through_classical, "through the quantum branch": through_quantum}
    return maps


def _row(name: str, spectra: np.ndarray) -> Result:
    ranks = np.array([latent.effective_rank(values) for values in spectra])
    error = 1.96 * ranks.std(ddof=1) / np.sqrt(len(ranks))
    return {
        "of": name,
        "effective_rank": float(ranks.mean()),
        "low": float(ranks.mean() - error),
        "high": float(ranks.mean() + error),
        "dimensions": spectra.shape[1],
        "norm": float(np.sqrt(np.square(spectra).sum(1).mean())),
        "n": len(ranks),
        "spectrum": spectra.mean(0).tolist(),
    }


def _paths(generator: Any, loaded: Loaded, seed: int, device: torch.device) -> Result:
    values = []
    for i in range(PATHS):
        c = i % len(loaded.classes)
        ends = [latent_seed(seed, f"path {loaded.classes[c]}", 2 * i + end) for end in (0, 1)]
        points = latent.path(*noise_of(ends, generator.noise_size).double().to(device))
        images = generator(points, torch.full((len(points),), c, device=device))
        values.append(latent.smoothness(images.cpu().numpy()))
    evenness, detour = np.array(values).T
    return {"evenness": float(evenness.mean()), "detour": float(detour.mean()), "n": PATHS}


def table(found: Result) -> list[Any]:
    """A rich table, and a sentence on the paths."""
    from rich.table import Table

    out = Table(
        title="Latent geometry: Jacobian of the image by the latent", caption="share: of both branches' squared norms"
    )
    for name in ("derivative", "effective rank", "95 %", "of", "norm", "share"):
        out.add_column(name, justify="left" if name == "derivative" else "right")
    for row in found["jacobian"]:
        share = "" if row["share"] is None else f"{row['share']:.1%}"
        out.add_row(row["of"], f"{row['effective_rank']:.1f}", rf"\[{row['low']:.1f}, {row['high']:.1f}]",
                    str(row["dimensions"]), f"{row['norm']:.3g}", share)  # fmt: skip
    paths = found["interpolation"]
    return [
        out,
        f"Between two latents of a class the image's mean step is {paths['evenness']:.0%} of its largest (100 %: even), "
        f"and its path {paths['detour']:.2f} times as long as the distance of its ends.",
    ]

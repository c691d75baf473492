"""The tables of the paper (arXiv 2506.21015) as comparisons, for ISIC 2019 and a GPU, and at a small size for two cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hqgan.errors import UserError
from hqgan.experiments.compare.contestants import Settings
from hqgan.wording import listed

_SAMPLE = {"data.choice.protocol": "hybridq"}
"""The fifth of ISIC 2019 that the paper uses."""

_EVERYONE = (
    "paper", "hqgan", "wgan-gp", "dcgan", "pqwgan", "mosaiq", "latentqgan", "lightweight", "stylegan2-ada", "ddpm",
)  # fmt: skip
_NOISY = ("@aer,1024", "@fake:brisbane,1024")

SUITES: dict[str, tuple[Settings, dict[str, Any]]] = {
    "paper-quality": (
        Settings(contestants=_EVERYONE, kimg=700, seeds=3, changes=_SAMPLE),
        {"kimg": 16, "seeds": 1, "changes": {}},
    ),
    "paper-study": (
        Settings(
            contestants=("paper", "hqgan", "dcgan", "lightweight", "stylegan2-ada", "ddpm"),
            kimg=700,
            seeds=3,
            changes=_SAMPLE,
            study={"classifiers": ("resnet18", "vit-small"), "uses": ("mixed", "balanced-mix"), "ratios": (1.0,)},
        ),
        {
            "contestants": ("paper", "hqgan", "dcgan"),
            "kimg": 16,
            "seeds": 1,
            "changes": {},
            "study": {"uses": ("mixed", "balanced-mix"), "ratios": (1.0,), "steps": 400},
        },
    ),
    "paper-hardware": (
        Settings(
            contestants=tuple(name + place for name in ("paper", "hqgan") for place in ("", *_NOISY)),
            kimg=700,
            seeds=1,
            changes=_SAMPLE,
            images=256,
        ),
        {
            # Sixteen qubits with the noise of a machine are simulated at full size only.
            "contestants": ("paper", "paper@aer,1024", "hqgan", *("hqgan" + place for place in _NOISY)),
            "kimg": 16,
            "changes": {},
            "images": 64,
        },
    ),
}
"""By name: the settings at full size, and the fields that differ at the small size."""


def suite(name: str, small: bool) -> Settings:
    """The settings of one of the paper's tables.

    Raises:
        UserError: there is no such suite.
    """
    if name not in SUITES:
        raise UserError(f"There is no suite {name!r}; suites are {listed(sorted(SUITES))}.")
    full, less = SUITES[name]
    return replace(full, **less) if small else full

"""The tables of the paper (arXiv 2506.21015) as comparisons, for ISIC 2019 and a GPU, and at a small size for two cores."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hqgan.errors import UserError
from hqgan.experiments.compare.contestants import Settings
from hqgan.wording import listed

_FULL = Settings(kimg=700, seeds=3, changes={"data.choice.protocol": "hybridq"})
"""At full size: on the fifth of ISIC 2019 that the paper uses."""

_SMALL: dict[str, Any] = {"kimg": 16, "seeds": 1, "changes": {}}
"""The fields that are smaller in all suites at the small size."""

_EVERYONE = (
    "paper", "hqgan", "wgan-gp", "dcgan", "pqwgan", "mosaiq", "latentqgan", "lightweight", "stylegan2-ada", "ddpm",
)  # fmt: skip
_NOISY = ("@aer,1024", "@fake:brisbane,1024")
_STUDY = {"uses": ("mixed", "balanced-mix"), "ratios": (1.0,)}

SUITES: dict[str, tuple[Settings, dict[str, Any]]] = {
    "paper-quality": (replace(_FULL, contestants=_EVERYONE), _SMALL),
    "paper-study": (
        replace(
            _FULL,
            contestants=("paper", "hqgan", "dcgan", "lightweight", "stylegan2-ada", "ddpm"),
            study={"classifiers": ("resnet18", "vit-small"), **_STUDY},
        ),
        _SMALL | {"contestants": ("paper", "hqgan", "dcgan"), "study": {**_STUDY, "steps": 400}},
    ),
    "paper-hardware": (
        replace(
            _FULL,
            contestants=tuple(name + place for name in ("paper", "hqgan") for place in ("", *_NOISY)),
            seeds=1,
            images=256,
        ),
        # Sixteen qubits with the noise of a machine are simulated at full size only.
        _SMALL | {"contestants": ("paper", "paper@aer,1024", "hqgan", *("hqgan" + p for p in _NOISY)), "images": 64},
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

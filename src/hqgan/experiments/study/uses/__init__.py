"""The uses of generated images that a study compares, one file each. To add one, write its file and add its row to `USES`."""

from __future__ import annotations

from hqgan.errors import UserError
from hqgan.experiments.study.batches import Use
from hqgan.experiments.study.uses import (
    balanced_mix,
    classifier_filtered,
    density_filtered,
    mixed,
    only,
    pretrain,
)
from hqgan.wording import listed

USES: dict[str, Use] = {
    "mixed": mixed.USE,
    "balanced-mix": balanced_mix.USE,
    "classifier-filtered": classifier_filtered.USE,
    "density-filtered": density_filtered.USE,
    "pretrain": pretrain.USE,
    "only": only.USE,
}
"""By name, in the order of tables."""

OLD_NAMES = {"capped": "balanced-mix", "agreed": "classifier-filtered", "dense": "density-filtered"}
"""Former names, which stand in older studies and commands, and the names today."""


def current_name(name: str) -> str:
    """The name of a use today; old commands and stored studies may have an old one."""
    return OLD_NAMES.get(name, name)


def use_named(name: str) -> Use:
    """A use by its name today.

    Raises:
        UserError: there is no such use.
    """
    if name not in USES:
        raise UserError(f"There is no use {name!r} of generated images; there are {listed(list(USES))}.")
    return USES[name]

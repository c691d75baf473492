"""timm and torchvision, loaded where they are needed. Imports nothing of the package but types."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from hqgan.errors import UserError

if TYPE_CHECKING:
    import torch


Tensors = dict[str, "torch.Tensor"]

_DECLARED: list[torch.library.Library] = []
"""Kept, since what a library declares goes when it does."""


@cache
def library(name: str) -> ModuleType:
    """``timm``, ``torchvision.models``, ``torch_fidelity...``: a library that imports torchvision.

    PyPI's torchvision is built for PyPI's torch. Beside a CPU-only torch its compiled operators do not load, and it then fails
    at import, since it describes two of them to torch without looking. Nothing here calls them: they are declared without
    a body first.
    """
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except RuntimeError as error:
            if "operator torchvision::" not in str(error):
                raise
        _DECLARED.append(torch.library.Library("torchvision", "FRAGMENT"))
        for operator in ("nms", "qnms"):
            _DECLARED[0].define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module(name)


def load_weights(
    network: torch.nn.Module,
    path: Path,
    *,
    but: tuple[str, ...] = (),
    under: str = "",
    fit: Callable[[Tensors], Tensors] | None = None,
) -> None:
    """Load safetensors into a network.

    Args:
        network: changed in place.
        path: a ``.safetensors`` file, such as ``model.safetensors`` of a timm model on the Hugging Face hub.
        but: first parts of names that stay as they are, whatever the file holds: a head for other classes.
        fit: changes what the file holds before it is compared; a ViT's patches, say.
        under: what the names in the file begin with, where the network is a part of the one that was saved.

    Raises:
        UserError: no such file, not safetensors, or weights of another network.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if path.suffix != ".safetensors":
        raise UserError(
            f"The weights {path} are not a .safetensors file; nothing else is read, for it may hold a program."
        )
    try:
        given = load_file(path)
    except FileNotFoundError:
        raise UserError(f"There are no weights at {path}.") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"The weights {path} cannot be read ({error}).") from error
    given = {k.removeprefix(under): v for k, v in given.items() if k.startswith(under)}
    own = network.state_dict()
    if fit is not None:
        try:
            given = fit(given)
        except (RuntimeError, KeyError, ValueError, AttributeError) as error:
            raise UserError(f"The weights {path} are of another network ({error}).") from error
    fitting = {
        k: v for k, v in given.items() if k in own and own[k].shape == v.shape and not k.startswith(but or ("\0",))
    }
    missing = [k for k in own if k not in fitting and not k.startswith(but) and not k.endswith("num_batches_tracked")]
    if missing:
        raise UserError(
            f"The weights {path} are of another network: {len(missing)} of {len(own)} tensors are missing or of another shape, "
            f"{missing[0]!r} the first."
        )
    network.load_state_dict(fitting, strict=False)

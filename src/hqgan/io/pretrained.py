"""Published weights, loaded into networks of timm and torchvision. Imports nothing of the package but types."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hqgan.errors import UserError

if TYPE_CHECKING:
    import torch


Tensors = dict[str, "torch.Tensor"]


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

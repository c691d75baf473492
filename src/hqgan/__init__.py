"""Hybrid classical-quantum GANs for colour medical images.

`open_data`, `train` and `load` of `hqgan.api` are here by name; importing this package loads no heavy library until one is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Model", "PrintReporter", "Reporter", "UserError", "load", "open_data", "train"]

if TYPE_CHECKING:
    from hqgan.api import Model, PrintReporter, Reporter, UserError, load, open_data, train


def __getattr__(name: str) -> Any:
    if name in __all__:
        from hqgan import api

        return getattr(api, name)
    raise AttributeError(f"module 'hqgan' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

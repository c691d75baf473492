"""Which class names can be names of folders."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(10))}


def unfit_class(names: Sequence[str]) -> str | None:
    """The first class name that cannot be a folder's on some system, or is another's in other letters; None where all can.

    Images are written into folders by class.
    """
    seen = set()
    for name in names:
        plain = unicodedata.normalize("NFC", name).casefold()
        if (
            not name.isprintable()
            or set(name) & set('<>:"/\\|?*')
            or name != name.strip()
            or name.strip(".") == ""
            or name.endswith(".")
            or plain.split(".")[0] in _RESERVED
            or len(name.encode(errors="surrogatepass")) > 200
            or plain in seen
        ):
            return name
        seen.add(plain)
    return None

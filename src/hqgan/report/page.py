"""Pages: of one study, and of any runs, studies and audits together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hqgan.report.blocks import write_page
from hqgan.report.of_study import study_sections
from hqgan.types import UserError


def write_study(study: Path, out: Path) -> None:
    """The page of one study from its ``study.json`` and the pictures beside it."""
    result = read(study)
    sections = study_sections(result, study.parent)
    lead = (
        f"Does a classifier that sees generated images of {', '.join(result['rare'])} do better on real images of "
        f"{result['data']['name']} that it has never seen?"
    )
    write_page(out, "Augmentation study", lead, sections)


def read(path: Path) -> dict[str, Any]:
    """A JSON file that a command wrote.

    Raises:
        UserError: it is missing or no JSON.
    """
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        raise UserError(f"There is no {path}.") from None
    except (ValueError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not readable as JSON ({error}); make it again.") from error

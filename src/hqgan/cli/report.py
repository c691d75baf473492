"""`hqgan report`: one page that shows runs, studies and audits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli.options import OUTPUT, Lists
from hqgan.errors import UserError

app = typer.Typer()


@app.command(cls=Lists)
def report(
    paths: Annotated[list[Path], typer.Argument(help="Folders of runs (shown with their audits), studies and audits.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write, an .html file.", rich_help_panel=OUTPUT)],
    real: Annotated[
        bool,
        typer.Option(
            "--real",
            help="Show real images beside generated ones. These are pictures of patients.",
            rich_help_panel=OUTPUT,
        ),
    ] = False,
) -> None:
    """Write one self-contained page: curves, sample grids, metrics with intervals, study, audit, circuit and config."""
    from hqgan.io.files import read_json
    from hqgan.report.run_sections import BESIDE, CIRCUIT
    from hqgan.report.write import write_report

    for path in paths:
        if not path.is_dir():
            raise UserError(f"There is no folder {path}.")
        if real and (path / "audit.json").exists() and read_json(path / "audit.json").get("private"):
            raise UserError(f"{path} is of a run trained privately: no picture shows real images beside its own.")
        if (path / "config.json").exists():
            _draw_circuit(path, path / CIRCUIT)
            if real:
                from hqgan.run.pictures import draw_beside_real

                draw_beside_real(path, path / BESIDE)
    write_report(paths, out, real)
    print(f"The page is {out}.")


def _draw_circuit(run: Path, path: Path) -> None:
    from hqgan.circuits.analysis.drawing import draw
    from hqgan.config import read
    from hqgan.models.build import circuit_of

    ansatz = circuit_of(read(run / "config.json"))
    if ansatz is not None and not path.exists():
        draw(ansatz, path)

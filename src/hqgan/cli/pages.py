"""`hqgan report` and `hqgan serve`: runs as a page in a file, and on a web server."""

from __future__ import annotations

import ipaddress
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from hqgan.cli.options import ADVANCED, DATA, OUTPUT, Lists, RealData, option
from hqgan.errors import UserError
from hqgan.reporter import Terminal
from hqgan.wording import plural

app = typer.Typer()

PATHS_HELP = "Folders of runs (shown with their audits), studies and audits."
REAL_HELP = "Show real images beside generated ones. These are pictures of patients."
RUNS_HELP = "Folders of runs, .json files of checkpoints, or hf:owner/name on the Hugging Face hub."
SHOW_REAL_HELP = "Show real images of patients even if other machines can open the page."
ROOT_HELP = "Path under which a proxy shows the page, such as /lesions, or its whole address there."
HOST_HELP = "Address to listen on; 0.0.0.0 lets other machines open the page."


@app.command(cls=Lists)
def report(
    paths: Annotated[list[Path], typer.Argument(help=PATHS_HELP)],
    out: Annotated[Path, option(OUTPUT, "The page to write, an .html file.", "--out", "-o")],
    real: Annotated[bool, option(OUTPUT, REAL_HELP, "--real")] = False,
) -> None:
    """Write one self-contained page: curves, sample grids, metrics with intervals, study, audit, circuit and config."""
    from hqgan.cli.continuing import continuing
    from hqgan.io.files import read_json
    from hqgan.report.run_sections import BESIDE
    from hqgan.report.write import write_report
    from hqgan.run.log import unreadable_lines

    for path in paths:
        if not path.is_dir():
            raise UserError(f"There is no folder {path}.")
        if line := continuing(path):
            raise UserError(f"{path} is not finished; this continues it: {line}")
        if real and (path / "audit.json").exists() and read_json(path / "audit.json").get("private"):
            raise UserError(f"{path} is of a run trained privately: no picture shows real images beside its own.")
        if (path / "config.json").exists():
            _draw_circuit(path)
            for name in ("metrics.jsonl", "timing.jsonl"):
                if wrong := unreadable_lines(path / name):
                    more = f" and {len(wrong) - 3:,} more" if len(wrong) > 3 else ""
                    lines = f"{', '.join(map(str, wrong[:3]))}{more}"
                    Terminal().message(f"{path / name} is damaged in line {lines}: what stands there is left out")
            if real:
                from hqgan.run.pictures import draw_beside_real

                draw_beside_real(path, path / BESIDE)
    write_report(paths, out, real)
    print(f"The page is {out}.")


def _draw_circuit(run: Path) -> None:
    from hqgan.circuits.analysis.drawing import draw
    from hqgan.config import read
    from hqgan.models.build import circuit_of
    from hqgan.report.run_sections import CIRCUIT

    ansatz = circuit_of(read(run / "config.json"))
    if ansatz is not None and not (run / CIRCUIT).exists():
        draw(ansatz, run / CIRCUIT)


@app.command(cls=Lists)
def serve(
    runs: Annotated[list[str], typer.Argument(help=RUNS_HELP)],
    data: RealData = None,
    show_real: Annotated[bool, option(DATA, SHOW_REAL_HELP, "--show-real")] = False,
    host: Annotated[str, option(ADVANCED, HOST_HELP)] = "127.0.0.1",
    port: Annotated[int, option(ADVANCED, "Port to listen on; 0 takes any free one.", min=0, max=65535)] = 7860,
    root_path: Annotated[str, option(ADVANCED, ROOT_HELP)] = "",
) -> None:
    """Show runs on a web page: images, circuits, nearest real images, training curves. Ctrl-C ends it."""
    if find_spec("gradio") is None:
        raise UserError('The page needs gradio: pip install "hqgan[app]".')
    from hqgan.serve.app import listen, serve
    from hqgan.serve.runs import open_runs

    root_path = _root(root_path)
    here = _is_loopback(host) and not root_path  # whoever reaches the proxy reaches the page
    hidden = "" if here or show_real else (
        "The page is open to other machines, so real patients' images are not shown; --show-real shows them."
    )  # fmt: skip
    with Terminal() as reporter:
        opened = open_runs(runs, data, hidden, reporter)
    taken = listen(host, port)
    place = taken.getsockname()
    names = ("localhost", "127.0.0.1", "[::1]", host) if here else None
    name = f"[{place[0]}]" if ":" in place[0] else place[0]
    if not here:
        reporter.message("everybody who reaches this machine can use the page; there is no password")

    def started() -> None:
        print(f"{plural(len(opened), 'run')} at http://{name}:{place[1]} (Ctrl-C ends it).", flush=True)

    serve(opened, taken, names, started, root_path)
    print("Ended.")


def _root(text: str) -> str:
    """The path, or the address, under which a proxy shows the page, without the slash at its end."""
    if text and not re.fullmatch(r"(https?://[A-Za-z0-9._:\[\]-]+)?(/[A-Za-z0-9._~-]+)*/?", text):
        raise UserError(
            f"`root_path` {text[:200]!r} is not a path such as /lesions, nor an address such as https://example.org/lesions."
        )
    return text.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

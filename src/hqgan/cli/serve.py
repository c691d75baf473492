"""`hqgan serve`: runs as a web page."""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from typing import Annotated

import typer

from hqgan.cli.options import ADVANCED, DATA, Lists, RealDataOption
from hqgan.cli.progress import Terminal
from hqgan.errors import UserError
from hqgan.wording import plural

app = typer.Typer()


@app.command(cls=Lists)
def serve(
    runs: Annotated[
        list[str],
        typer.Argument(help="Folders of runs, .json files of checkpoints, or hf:owner/name on the Hugging Face hub."),
    ],
    data: RealDataOption = None,
    show_real: Annotated[
        bool,
        typer.Option(
            "--show-real",
            help="Show real images of patients even if other machines can open the page.",
            rich_help_panel=DATA,
        ),
    ] = False,
    host: Annotated[
        str,
        typer.Option(
            "--host",
            help="Address to listen on; 0.0.0.0 lets other machines open the page.",
            rich_help_panel=ADVANCED,
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option(
            "--port", min=0, max=65535, help="Port to listen on; 0 takes any free one.", rich_help_panel=ADVANCED
        ),
    ] = 7860,
) -> None:
    """Show runs on a web page: images, circuits, nearest real images, training curves. Ctrl-C ends it."""
    if find_spec("gradio") is None:
        raise UserError('The page needs gradio: pip install "hqgan[app]".')
    from hqgan.serve.app import listen, serve
    from hqgan.serve.runs import open_runs

    here = _is_loopback(host)
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

    serve(opened, taken, names, started)
    print("Ended.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

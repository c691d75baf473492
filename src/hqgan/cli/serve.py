"""`hqgan serve`: runs as a web page."""

from __future__ import annotations

import ipaddress
from importlib.util import find_spec
from typing import Annotated

import typer

from hqgan.cli.console import bar, say
from hqgan.errors import UserError
from hqgan.wording import plural

app = typer.Typer()


@app.command()
def serve(
    runs: Annotated[list[str], typer.Argument(help="Runs' folders, checkpoints' .json, or hf:owner/name.")],
    data: Annotated[
        str | None, typer.Option("--data", help="Where the runs' real images lie. (default: where each found them)")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; 0.0.0.0 opens the page to other machines.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes any that is free.")] = 7860,
    show_real: Annotated[
        bool, typer.Option("--show-real", help="Show real patients' images to other machines, too.")
    ] = False,
) -> None:
    """Look at runs on a web page: images, circuits, nearest real images, training. Ctrl-C ends it."""
    if find_spec("gradio") is None:
        raise UserError('The page needs gradio: pip install "hqgan[app]".')
    from hqgan.serve.app import listen, serve
    from hqgan.serve.runs import open_runs

    here = _is_loopback(host)
    hidden = "" if here or show_real else (
        "The page is open to other machines, so real patients' images are not shown; --show-real shows them."
    )  # fmt: skip
    with bar("decoding") as update:
        opened = open_runs(runs, data, hidden, say, update)
    taken = listen(host, port)
    place = taken.getsockname()
    names = ("localhost", "127.0.0.1", "[::1]", host) if here else None
    name = f"[{place[0]}]" if ":" in place[0] else place[0]
    if not here:
        say("everybody who reaches this machine can use the page; there is no password")

    def started() -> None:
        print(f"{plural(len(opened), 'run')} at http://{name}:{place[1]} (Ctrl-C ends it).", flush=True)

    serve(opened, taken, names, started)
    print("Ended.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

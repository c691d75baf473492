"""The web page in gradio: its controls, the area that shows what they select, and the server."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import TYPE_CHECKING, Any

from hqgan.errors import UserError
from hqgan.serve import limits, views
from hqgan.serve.images import BACKENDS
from hqgan.serve.request_filter import RequestFilter
from hqgan.serve.runs import Served

if TYPE_CHECKING:
    import gradio as gr

EVERY = 4.0
"""Seconds between two refreshes of a run's training curves."""

NEW_SEED = "() => String(Math.floor(Math.random() * 2 ** 31))"
PICK = """() => {
  document.querySelector('#hq-views input[value="Circuit"]').focus();  // the button that had the focus disappears
  return [window.hqganImage ?? 0, 'Circuit'];
}"""
ON_LOAD = """
for (const group of document.querySelectorAll('fieldset')) {
  group.setAttribute('aria-label', group.querySelector('[data-testid="block-info"]').textContent.trim());
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-image]');
  if (button) { window.hqganImage = Number(button.dataset.image); trigger('select'); }
});
"""
SAVE = "() => setTimeout(() => document.querySelector('#hq-zip a')?.click(), 100)"


def blocks(runs: Sequence[Served]) -> gr.Blocks:
    """The page that shows these runs."""
    import gradio as gr

    classes = [served.loaded.classes if served.loaded else () for served in runs]
    names = [(served.name, i) for i, served in enumerate(runs)]
    at_first = views.IMAGES if runs[0].loaded else views.TRAINING
    offered = [view for view in views.VIEWS if view != views.RUNS or len(runs) > 1]
    last = limits.MOST_IMAGES - 1
    # A few classes fit on the screen as radio buttons; many would fill a phone's screen.
    choice = gr.Radio if max(map(len, classes)) <= 12 else gr.Dropdown
    with gr.Blocks(title="HQ-GAN", analytics_enabled=False, fill_width=True) as page:
        gr.HTML(str(views.html.introduction()), elem_id="hq-head")
        with gr.Row(elem_id="hq-all"):
            with gr.Column(min_width=0, elem_id="hq-which"):
                run = gr.Dropdown(names, value=0, label="Run", visible=len(runs) > 1, filterable=False)
                name = choice(list(classes[0]), value=next(iter(classes[0]), None), label="Class", elem_id="hq-class")
                with gr.Row(elem_id="hq-seed"):
                    seed = gr.Textbox("0", label="Seed", max_lines=1, scale=2, min_width=120)
                    again = gr.Button("New seed", scale=1, min_width=96)
            with gr.Column(min_width=0, elem_id="hq-main"):
                view = gr.Radio(offered, value=at_first, label="Show", elem_id="hq-views")
                with gr.Row(visible=False, elem_classes="hq-more") as of_two:
                    start = gr.Number(0, label="From image", precision=0, minimum=0, maximum=last, min_width=100)
                    end = gr.Number(1, label="to image", precision=0, minimum=0, maximum=last, min_width=100)
                    frames = gr.Slider(3, limits.MOST_FRAMES, 8, step=1, label="Frames", min_width=160)
                with gr.Row(visible=False, elem_classes="hq-more") as of_circuit:
                    image = gr.Number(0, label="Image", precision=0, minimum=0, maximum=last, min_width=80)
                    backend = gr.Dropdown(
                        [(called, key) for key, called in BACKENDS.items()], value="statevector", label="Backend",
                        filterable=False, min_width=180,
                    )  # fmt: skip
                    shots = gr.Dropdown([64, 256, 1024, limits.MOST_SHOTS], value=1024, label="Shots", filterable=False,
                                        min_width=100)  # fmt: skip
                with gr.Row(visible=False, elem_classes="hq-more") as of_runs:
                    other = gr.Dropdown(names, value=min(1, len(runs) - 1), label="Compare with", filterable=False)
                # The first images come with the page itself, before any request is answered.
                first = views.first(runs) if runs[0].loaded else views.html.waiting()
                stage = gr.HTML(str(first), elem_id="hq-stage", js_on_load=ON_LOAD, min_height=320)
            with gr.Column(min_width=0, elem_id="hq-how"):
                truncation = gr.Slider(
                    limits.LEAST_TRUNCATION, 1, 1, step=0.05, label="Truncation", info="Below 1: more typical, less varied.",
                    buttons=[],
                )  # fmt: skip
                count = gr.Slider(1, limits.MOST_IMAGES, 16, step=1, label="Images", buttons=[])
                save = gr.Button("Download as zip", elem_id="hq-save")
                saved = gr.HTML(elem_id="hq-zip")
        gr.HTML(str(views.html.ending()), elem_id="hq-end")
        timer = gr.Timer(EVERY, active=at_first == views.TRAINING)

        about = [name, seed, truncation, count]
        everything = [view, run, *about, start, end, frames, image, backend, shots, other]

        def show(view: Any, run: Any, *rest: Any) -> str:
            return str(views.answer(runs, view, run, rest[:4], rest[4:]))

        def download(run: Any, *about: Any) -> str:
            try:
                return str(views.download(views.image_request(runs, run, *about)))
            except UserError as error:
                return str(views.html.refusal(error))

        def turn(view: Any) -> list[Any]:
            wanted = (views.BETWEEN, views.CIRCUIT, views.RUNS)
            return [*(gr.update(visible=view == one) for one in wanted), gr.Timer(active=view == views.TRAINING)]

        def new_run(run: Any, name: Any) -> Any:
            try:
                own = views.run_of(runs, run).generator().classes
            except UserError:
                own = ()
            return gr.update(choices=list(own), value=name if name in own else next(iter(own), None))

        # We check the values ourselves: gradio's components would answer invalid ones with a traceback.
        private: dict[str, Any] = {"api_visibility": "private", "preprocess": False}
        # Only one request is computed at a time, over all tabs; of several clicks in one tab only the last counts.
        work = {**private, "concurrency_id": "work", "concurrency_limit": 1, "trigger_mode": "always_last"}
        showing = {"fn": show, "inputs": everything, "outputs": stage, "show_progress": "minimal", **work}
        if not runs[0].loaded:
            page.load(**showing)
        for control in (seed, start, end, image, backend, shots, other, truncation, count, frames):
            control.change(**showing)
        name.input(**showing)
        again.click(None, None, seed, js=NEW_SEED, **private)
        view.change(turn, view, [of_two, of_circuit, of_runs, timer], show_progress="hidden", **private).then(**showing)
        run.change(new_run, [run, name], name, show_progress="hidden", **private).then(**showing)
        stage.select(None, None, [image, view], js=PICK, **private)
        timer.tick(**{**showing, "show_progress": "hidden"})
        save.click(download, [run, *about], saved, **work).then(None, None, None, js=SAVE, **private)
    page.queue(max_size=limits.QUEUE)
    return page


def application(page: gr.Blocks, hosts: Sequence[str] | None, root_path: str = "") -> RequestFilter:
    """The ASGI application that answers requests, with the request filter around it; for `root_path` see `serve`."""
    import gradio as gr
    from fastapi import FastAPI

    teal = gr.themes.colors.teal
    theme = gr.themes.Base(
        primary_hue=teal, secondary_hue=teal, neutral_hue=gr.themes.colors.zinc,
        font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"],
    )  # fmt: skip
    page.state_session_capacity = limits.SESSIONS
    outer = gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None), page, "/", root_path=root_path or None,
        theme=theme, css=Path(__file__).with_name("style.css").read_text(encoding="utf-8"),
        footer_links=[], run_history=False, enable_monitoring=False, show_error=False, ssr_mode=False, mcp_server=False,
        pwa=False, max_file_size="1b", allowed_paths=[], app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
    )  # fmt: skip
    queue = page._queue

    async def forget(session: str) -> None:
        await queue.clean_events(session_hash=session)
        queue.pending_messages_per_session.pop(session, None)
        queue.pending_event_ids_session.pop(session, None)
        page.state_holder.session_data.pop(session, None)

    functions = {number: len(fn.inputs) for number, fn in page.fns.items() if fn.fn is not None}
    return RequestFilter(outer, hosts, functions, forget, root_path)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket for the server; UserError if the address or the port cannot be used."""
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        taken = socket.socket(family, kind, proto)
    except OSError as error:
        raise UserError(f"The page cannot be served at {host!r} ({error.strerror}); try `host` 127.0.0.1.") from error
    try:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(address)
        taken.listen(limits.CONNECTIONS)
    except OSError as error:
        taken.close()
        raise UserError(
            f"Port {port} of {host} cannot be used ({error.strerror}); choose another by `port`."
        ) from error
    return taken


def serve(
    runs: Sequence[Served],
    taken: socket.socket,
    hosts: Sequence[str] | None,
    started: Callable[[], None],
    root_path: str = "",
) -> None:
    """Serve until Ctrl-C or SIGTERM. gradio's temporary files go to a folder that is removed at the end.

    Args:
        runs: what is shown.
        taken: a listening socket.
        hosts: names that a request may use for this machine; None for any.
        started: called when the page is there.
        root_path: the path, such as /lesions, under which a proxy shows the page, or the page's whole address there; empty for
            no proxy.
    """

    def end(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        with TemporaryDirectory(prefix="hqgan-page-") as folder:
            # gradio reads these when it is first imported.
            os.environ |= {"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"}
            import uvicorn

            app = application(blocks(runs), hosts, root_path)
            config = uvicorn.Config(
                app, log_level="error", access_log=False, server_header=False, proxy_headers=False, ws="none",
                limit_concurrency=limits.CONNECTIONS, timeout_keep_alive=5, timeout_graceful_shutdown=1,
            )  # fmt: skip
            server = uvicorn.Server(config)
            begin = server.handle_exit

            def handle_exit(number: int, frame: FrameType | None) -> None:
                app.end()
                begin(number, frame)

            server.handle_exit = handle_exit  # type: ignore[assignment, method-assign]
            started()
            server.run(sockets=[taken])
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)
        taken.close()

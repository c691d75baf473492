"""Filters every request before gradio sees it: only the addresses and the requests that the page itself uses pass.

gradio also accepts uploads, serves files by path, fetches pages of other sites, stores links to states and reports its traffic.
None of that is reachable through the filter. Pages of other sites that are open in the same browser are refused too: a request
has to name this host, and a request for work has to come from it.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from hqgan.serve.limits import BODY, MOST_CHARACTERS, SESSIONS, UNREAD

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SESSION = re.compile(r"[a-z0-9]{1,32}", re.ASCII)
_READ = re.compile(
    r"/|/config|/theme\.css|/gradio_api/startup-events|/gradio_api/heartbeat/[a-z0-9]{1,32}"
    r"|/(assets|static)/[A-Za-z0-9_.@/-]+|/favicon\.ico|/manifest\.json",
    re.ASCII,
)
_WORK, _ANSWERS = "/gradio_api/queue/join", "/gradio_api/queue/data"
_HEADERS = {
    b"host", b"accept", b"accept-encoding", b"content-type", b"content-length", b"if-none-match",
    b"x-forwarded-host", b"x-forwarded-proto",
}  # fmt: skip
"""Headers that are passed on to gradio; the last two change the address that it believes it has, and pass behind a proxy only."""

_ICON = b'<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns=%22http://www.w3.org/2000/svg%22/%3E">'

# gradio runs inline scripts and compiles functions from text, hence unsafe-inline and unsafe-eval.
SAFE = {
    b"content-security-policy": (
        b"default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
        b"script-src 'self' 'unsafe-inline' 'unsafe-eval'; connect-src 'self' data: blob:; object-src 'none'; base-uri 'self'; "
        b"form-action 'none'; frame-ancestors 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}
"""Headers of every answer, in place of gradio's own of these names."""


class RequestFilter:
    """An ASGI application that wraps gradio's and passes on only what the page needs.

    Args:
        app: gradio's application.
        hosts: host names that a request may use; None for any, where the page is open to other machines.
        functions: number of inputs of each of the page's functions, by the function's number.
        forget: called with the session of a tab that has not fetched its answers, once there are more than `SESSIONS`.
        root_path: the path, or the whole address, under which a proxy shows the page; empty for no proxy. Whether the proxy
            takes the path off or passes it on, both are understood, and so are its X-Forwarded-Host and X-Forwarded-Proto.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Sequence[str] | None,
        functions: dict[int, int],
        forget: Callable[[str], Awaitable[None]],
        root_path: str = "",
    ) -> None:
        self.app, self.hosts, self.functions, self.forget = app, hosts, functions, forget
        self.proxied, self.root = bool(root_path), urlsplit(root_path).path.rstrip("/")
        # Requests by tab whose answers have not been sent yet. gradio itself would keep any number of answers.
        self.unread: OrderedDict[str, int] = OrderedDict()
        self.tasks: set[asyncio.Task[None]] = set()

    def end(self) -> None:
        """Cancel all open requests, which could last as long as a tab is open. May be called from a signal handler."""
        for task in self.tasks:
            task.get_loop().call_soon_threadsafe(task.cancel)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it with one sentence."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        begun = False

        async def safe(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                theirs = [(k, v) for k, v in message.get("headers", []) if k.lower() not in SAFE]
                message = {**message, "headers": [*theirs, *SAFE.items()]}
            await send(message)

        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        try:
            await self._answer(scope, receive, safe)
        except asyncio.CancelledError:  # the server ends
            if begun:
                await send({"type": "http.response.body", "body": b""})
            else:
                await refuse(safe, 503, "The server is shutting down.")
        finally:
            self.tasks.discard(task)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        headers = dict(scope["headers"])
        path, method = scope["path"], scope["method"]
        if self.root and path == self.root:  # the page's own addresses are relative to the path with its slash
            await refuse(send, 307, "The page is one slash further.", (b"location", f"{self.root}/".encode("latin-1")))
            return
        if not self.proxied:  # then nobody but a visitor could have set them
            scope = {**scope, "headers": [(k, v) for k, v in scope["headers"] if not k.startswith(b"x-forwarded-")]}
        if self.root and path.startswith(f"{self.root}/"):
            path = path.removeprefix(self.root)
            scope = {**scope, "path": path, "raw_path": path.encode()}
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", b"").decode("latin-1")
        if self.proxied:
            host = headers.get(b"x-forwarded-host", host.encode("latin-1")).decode("latin-1")
            # A proxy that gives neither name leaves this: browsers set it, and no page can.
            origin = "" if headers.get(b"sec-fetch-site") == b"same-origin" else origin
        if self.hosts is not None and re.sub(r":\d*$", "", host) not in self.hosts:
            await refuse(send, 421, "This page is not served under that name.")
        elif origin and origin.partition("://")[2] != host:
            await refuse(send, 403, "Requests from other sites are not allowed.")
        elif method in ("GET", "HEAD") and len(path) < 200 and _READ.fullmatch(path) and ".." not in path:
            # The query is dropped: gradio would read stored states from it, which the page does not use.
            whole = self.root and (method, path) == ("GET", "/")
            await self.app(_plain(scope), receive, _with_icon(send) if whole else send)
        elif method == "GET" and path == _ANSWERS:
            await self._answers(scope, receive, send)
        elif method == "POST" and path == _WORK:
            await self._work(scope, receive, send)
        else:
            await refuse(send, 404, "There is nothing at this address.")

    async def _answers(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = parse_qs(scope["query_string"][:100].decode("latin-1")).get("session_hash", [""])[0]
        if found not in self.unread:
            await refuse(send, 404, "There is no answer for this session.")
            return

        async def counting(message: Message) -> None:
            await send(message)
            done = bytes(message.get("body", b"")).count(b'"msg":"process_completed"')
            if done and found in self.unread:
                self.unread[found] = max(0, self.unread[found] - done)

        await self.app(_plain(scope, b"session_hash=" + found.encode()), receive, counting)

    async def _work(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            await refuse(send, 413, "The request is larger than any that this page sends.")
            return
        asked = _asked(body, self.functions)
        if asked is None:
            await refuse(send, 422, "This is not a request that the page sends.")
            return
        session = asked["session_hash"]
        waiting = self.unread.get(session, 0)
        if waiting >= UNREAD:
            await refuse(send, 429, "Fetch the earlier answers before asking for more.")
            return
        self.unread[session] = waiting + 1
        self.unread.move_to_end(session)
        while len(self.unread) > SESSIONS:
            await self.forget(self.unread.popitem(last=False)[0])
        whole = json.dumps(asked).encode()
        plain = _plain(scope)
        kept = [(k, v) for k, v in plain["headers"] if k not in (b"content-length", b"content-type")]
        plain["headers"] = [*kept, (b"content-type", b"application/json"), (b"content-length", b"%d" % len(whole))]
        parts = [{"type": "http.request", "body": whole, "more_body": False}]

        async def body_first() -> Message:
            return parts.pop() if parts else await receive()

        async def taken(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 200 and session in self.unread:
                self.unread[session] -= 1
            await send(message)

        await self.app(plain, body_first, taken)


def _with_icon(send: Send) -> Send:
    """Send the page with an icon in it: browsers would ask for one outside the path under which a proxy shows the page."""
    start: dict[str, Any] = {}
    parts: list[bytes] = []

    async def gathering(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
            return
        parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        whole = b"".join(parts).replace(b"<head>", b"<head>" + _ICON, 1)
        headers = [(k, v) for k, v in start["headers"] if k.lower() != b"content-length"]
        await send({**start, "headers": [*headers, (b"content-length", b"%d" % len(whole))]})
        await send({"type": "http.response.body", "body": whole})

    return gathering


def _plain(scope: Scope, query: bytes = b"") -> dict[str, Any]:
    """The request with the given query and without the headers that gradio does not need."""
    headers = [(k, v) for k, v in scope["headers"] if k in _HEADERS]
    return {**scope, "query_string": query, "headers": headers, "path_params": {}}


async def _body(receive: Receive) -> bytes | None:
    """The body of a request; None if it is too long or incomplete."""
    whole, more = b"", True
    while more:
        message = await receive()
        whole += message.get("body", b"")
        more = message.get("more_body", False)
        if message["type"] != "http.request" or len(whole) > BODY:
            return None
    return whole


def _asked(body: bytes, functions: dict[int, int]) -> dict[str, Any] | None:
    """A request for work, reduced to the fields that the page sends; None if it is not a valid one."""
    try:
        found = json.loads(body)
        number, data, session = found["fn_index"], found["data"], found["session_hash"]
        valid = type(number) is int and isinstance(data, list) and len(data) == functions[number]
        valid = valid and _SESSION.fullmatch(session) is not None and all(map(_plain_value, data))
    except (ValueError, RecursionError, TypeError, KeyError):
        return None
    whole = {"data": data, "fn_index": number, "session_hash": session, "event_data": None, "trigger_id": None}
    return whole if valid else None


def _plain_value(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) <= MOST_CHARACTERS and value.isprintable()
    if isinstance(value, int):
        return abs(value) < 2**63
    return value is None or isinstance(value, float)


async def refuse(send: Send, status: int, sentence: str, *more: tuple[bytes, bytes]) -> None:
    """Refuse a request with a status, one sentence and perhaps more headers."""
    body = sentence.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body)), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})

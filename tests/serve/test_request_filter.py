import asyncio
import json

import pytest

from hqgan.serve.limits import BODY, SESSIONS, UNREAD
from hqgan.serve.request_filter import RequestFilter

GOOD = {"data": ["nevus", 1], "fn_index": 2, "session_hash": "abc123", "event_data": None, "trigger_id": 5}
JOIN, DATA = "/gradio_api/queue/join", "/gradio_api/queue/data"


class Behind:
    """Stands where gradio does and keeps what reaches it."""

    def __init__(self, status=200, body=b"{}"):
        self.status, self.body, self.seen, self.forgotten = status, body, [], []

    async def __call__(self, scope, receive, send):
        body = (await receive())["body"] if scope["method"] == "POST" else b""
        self.seen.append((scope, body))
        await send({"type": "http.response.start", "status": self.status, "headers": [(b"cache-control", b"public")]})
        await send({"type": "http.response.body", "body": self.body})

    async def forget(self, session):
        self.forgotten.append(session)


@pytest.fixture
def behind():
    return Behind()


def ask(request_filter, path, method="GET", body=b"", query=b"", **headers):
    sent = []
    given = {"host": "127.0.0.1:7860", **{k.replace("_", "-"): v for k, v in headers.items()}}
    scope = {"type": "http", "method": method, "path": path, "query_string": query,
             "headers": [(k.encode(), v.encode()) for k, v in given.items()]}  # fmt: skip
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive():
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    asyncio.run(request_filter(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), b"".join(m.get("body", b"") for m in sent[1:])


def filter_of(behind, hosts=("127.0.0.1", "localhost")):
    return RequestFilter(behind, hosts, {2: 2}, behind.forget)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/file=/etc/passwd"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/proxy=http://example.org"),
        ("POST", "/gradio_api/upload"),
        ("GET", "/gradio_api/upload_progress"),
        ("POST", "/gradio_api/run/show"),
        ("POST", "/gradio_api/call/show"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/vibe-edit"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/run-history/buckets"),
        ("GET", "/monitoring/summary"),
        ("GET", "/gradio_api/stream/a/b/1/playlist.m3u8"),
        ("GET", "/login_check"),
        ("GET", "/docs"),
        ("GET", "/assets/../../../etc/passwd"),
        ("GET", "/assets/%2e%2e/x"),
        ("GET", "//etc/passwd"),
        ("GET", "/assets/" + "a" * 5000),
        ("DELETE", "/"),
        ("POST", "/"),
        ("OPTIONS", JOIN),
    ],
)
def test_what_the_page_does_not_need_is_not_there(behind, method, path):
    status, headers, body = ask(filter_of(behind), path, method)
    assert (status, body) == (404, b"There is nothing at this address.")
    assert not behind.seen
    assert b"content-security-policy" in headers


@pytest.mark.parametrize("path", ["/", "/theme.css", "/assets/index-B_2.js", "/static/img/logo.svg"])
def test_what_it_needs_is_let_through_without_query_or_strange_headers(behind, path):
    status, headers, _ = ask(
        filter_of(behind), path, query=b"deep_link=..", x_forwarded_host="evil", cookie="a=b", accept="text/html"
    )
    assert status == 200
    scope = behind.seen[0][0]
    assert scope["query_string"] == b""
    assert {k for k, _ in scope["headers"]} == {b"host", b"accept"}
    assert headers[b"cache-control"] == b"no-store"
    assert b"default-src 'self'" in headers[b"content-security-policy"]


def test_other_names_and_other_sites_are_refused(behind):
    request_filter = filter_of(behind)
    assert ask(request_filter, "/", host="evil.example:7860")[0] == 421
    assert ask(request_filter, "/", host="localhost:1")[0] == 200
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode(), origin="http://evil.example")[0] == 403
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode(), origin="null")[0] == 403
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode(), origin="http://127.0.0.1:7860")[0] == 200
    assert ask(filter_of(behind, None), "/", host="anything")[0] == 200


def test_a_request_for_work_is_written_anew(behind):
    status, _, _ = ask(
        filter_of(behind), JOIN, "POST", json.dumps({**GOOD, "batched": True, "oauth_token": "x"}).encode()
    )
    assert status == 200
    scope, body = behind.seen[0]
    assert json.loads(body) == {**GOOD, "trigger_id": None}
    assert dict(scope["headers"])[b"content-length"] == str(len(body)).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"fn_index": 3},
        {"fn_index": -1},
        {"fn_index": True},
        {"fn_index": "2"},
        {"fn_index": None},
        {"data": ["nevus"]},
        {"data": {"0": "nevus", "1": 1}},
        {"data": ["nevus", {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}]},
        {"data": ["nevus", ["a"]]},
        {"data": ["x" * 201, 1]},
        {"data": ["a\0b", 1]},
        {"data": ["nevus", 2**63]},
        {"session_hash": None},
        {"session_hash": "../../x"},
        {"session_hash": "a" * 33},
        {"session_hash": "a\n"},
    ],
    ids=str,
)
def test_what_the_page_would_not_send_is_refused(behind, change):
    assert ask(filter_of(behind), JOIN, "POST", json.dumps({**GOOD, **change}).encode())[0] == 422
    assert not behind.seen


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 9000, b'{"data": NaN}'])
def test_what_is_no_request_at_all_is_refused(behind, body):
    assert ask(filter_of(behind), JOIN, "POST", body)[0] == 422
    assert not behind.seen


def test_long_bodies_are_refused(behind):
    assert ask(filter_of(behind), JOIN, "POST", b" " * (BODY + 1))[0] == 413


def test_a_tab_that_fetches_nothing_has_to_wait(behind):
    request_filter = filter_of(behind)
    for _ in range(UNREAD):
        assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode())[0] == 200
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode())[0] == 429
    behind.body = b'data: {"msg":"process_completed"}\n\n'
    assert ask(request_filter, DATA, query=b"session_hash=abc123&x=1")[0] == 200
    assert behind.seen[-1][0]["query_string"] == b"session_hash=abc123"
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode())[0] == 200
    assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode())[0] == 429


def test_what_gradio_refuses_does_not_count(behind):
    request_filter = filter_of(behind)
    behind.status = 503
    for _ in range(2 * UNREAD):
        assert ask(request_filter, JOIN, "POST", json.dumps(GOOD).encode())[0] == 503


def test_the_oldest_of_too_many_tabs_is_forgotten(behind):
    request_filter = filter_of(behind)
    for i in range(SESSIONS + 2):
        ask(request_filter, JOIN, "POST", json.dumps({**GOOD, "session_hash": f"tab{i}"}).encode())
    assert behind.forgotten == ["tab0", "tab1"]
    assert ask(request_filter, DATA, query=b"session_hash=tab0")[0] == 404
    assert ask(request_filter, DATA, query=b"session_hash=tab2")[0] == 200


def test_websockets_are_closed(behind):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(filter_of(behind)({"type": "websocket", "path": "/", "headers": []}, None, send))
    assert sent == [{"type": "websocket.close", "code": 1008}]

"""Attack the page with hostile requests, and see that it holds: `hostile.py --requests 500`.

A tiny run is served by a process of its own, beside a file that nobody may read. Requests try paths, uploads, proxies, wrong and
huge values, odd sessions, headers and verbs, broken bodies and connections, alone and many at once; answers of what was taken are
fetched, or left. Then the page has to answer a good request as before; no answer may hold what that file holds; nothing in the
run, beside it, or in the system's temporary folder may have changed; memory has to have stayed in bounds; and after one SIGINT no
process may be left.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

CANARY = "canary-7d1f0c52-that-nobody-may-read"
MEMORY = 512
"""Megabytes that the server may grow by."""
JOIN, DATA = "/gradio_api/queue/join", "/gradio_api/queue/data"
TINY = {
    "data.path": "demo:160",
    "data.size": 32,
    "generator.encoder_channels": 16,
    "generator.feature_channels": 16,
    "generator.decoder_channels": [16, 8],
    "generator.circuit.qubits": 3,
    "generator.circuit.layers": 2,
    "critic.channels": [8, 8, 16, 16],
    "training.batch": 8,
    "training.kimg": 0.064,
    "training.evaluate_kimg": 0.064,
    "training.checkpoint_kimg": 0.064,
}

Reply = tuple[int, bytes]
ODD: list[Any] = [
    None, True, -1, 0, 2**31, 2**63, 10**30, 1e308, float("nan"), float("inf"), 0.5, "", "0", "-1", "9" * 199, "9" * 5000,
    "nevus", "../../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "\0", "\n", "<script>alert(1)</script>", "$(id)",
    "ibm:least-busy", "pennylane:lightning.qubit", "fake:../../x", [], {}, [[[]]], {"path": "/etc/passwd"},
    {"path": "canary", "meta": {"_type": "gradio.FileData"}}, {"__type__": "update", "choices": [1]}, "Ａ" * 100, "٣",
]  # fmt: skip


class Page:
    """A page that is served, and what it answered so far."""

    def __init__(self, port: int, canary: Path) -> None:
        self.port, self.canary = port, canary
        self.answers: Counter[str] = Counter()
        self.leaks: list[str] = []
        self.functions: dict[int, int] = {}

    def ask(self, method: str, path: str, body: bytes | None = None, timeout: float = 20, **headers: str) -> Reply:
        """One request; 0 where the server hung up."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            reply = response.status, response.read()
        except (OSError, http.client.HTTPException):
            reply = 0, b""
        finally:
            connection.close()
        return self.seen(f"{method} {path[:80]}", reply)

    def seen(self, what: str, reply: Reply) -> Reply:
        """Count an answer, and look for what must not be in it."""
        self.answers[str(reply[0] or "hung up")] += 1
        for secret in (CANARY.encode(), b"root:x:0:0"):
            if secret in reply[1]:
                self.leaks.append(what)
        return reply

    def join(self, **fields: Any) -> Reply:
        """A request for work."""
        whole = {"data": [], "fn_index": 0, "session_hash": "hostile", "event_data": None, "trigger_id": None, **fields}
        return self.ask("POST", JOIN, json.dumps(whole).encode(), Content_Type="application/json")

    def join_in_turn(self, seconds: float, **fields: Any) -> Reply:
        """A request for work, asked for again while the queue is full."""
        end = time.monotonic() + seconds
        while (reply := self.join(**fields))[0] == 503 and time.monotonic() < end:
            time.sleep(0.1)
        return reply

    def answer(self, session: str, timeout: float = 60) -> bytes:
        """What a tab is told, up to the end of its work."""
        return self.ask("GET", f"{DATA}?session_hash={session}", timeout=timeout)[1]

    def good(self, seed: str = "0") -> str:
        """The pictures of the first view, asked for as the page does."""
        whole = json.loads(re.search(rb"window.gradio_config = (\{.*?\});</script>", self.ask("GET", "/")[1]).group(1))
        values = {one["id"]: one["props"].get("value") for one in whole["components"]}
        first = next(one for one in whole["dependencies"] if one["targets"] and one["targets"][0][1] == "load")
        data = [values[i] for i in first["inputs"]]
        data[data.index("0")] = seed
        self.functions = {one["id"]: len(one["inputs"]) for one in whole["dependencies"] if one["backend_fn"]}
        self.first = first["id"], data
        session = f"good{random.randrange(10**9)}"
        status, _ = self.join_in_turn(60, fn_index=first["id"], data=data, session_hash=session)
        found = re.findall(r"data:image/png;base64,([A-Za-z0-9+/=]+)", self.answer(session).decode())
        assert status == 200, status
        return hashlib.sha256(" ".join(found).encode()).hexdigest() if len(found) == 16 else f"{len(found)} pictures"


def paths(page: Page, rng: random.Random) -> None:
    """Files by every address that gradio has for them."""
    target = rng.choice([str(page.canary), "/etc/passwd", "../" * rng.randrange(1, 12) + "etc/passwd", "canary.txt",
                         f"{page.canary.parent}/run/config.json", "..%2f..%2fetc%2fpasswd", "%00", "a" * 5000,
                         "http://127.0.0.1:22/", "\\\\host\\share"])  # fmt: skip
    prefix = rng.choice(["/gradio_api/file=", "/file=", "/gradio_api/file/", "/static/", "/assets/", "/svelte/", "/",
                         "/gradio_api/custom_component/x/client/", "/gradio_api/proxy=", "/gradio_api/stream/a/",
                         "/assets/..%2f", "/static/....//", "//", "/gradio_api/run-history/records", "/?deep_link="])  # fmt: skip
    method = rng.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
    page.ask(method, re.sub(r"[\s\0]", "", prefix + target))


def routes(page: Page, rng: random.Random) -> None:
    """Addresses of gradio's that the page has no use for."""
    path = rng.choice(["/gradio_api/info", "/gradio_api/openapi.json", "/docs", "/monitoring", "/monitoring/summary", "/login",
                       "/gradio_api/app_id", "/gradio_api/token", "/gradio_api/reset", "/gradio_api/cancel", "/gradio_api/runs",
                       "/gradio_api/vibe-edit", "/gradio_api/vibe-code", "/gradio_api/component_server", "/gradio_api/run/show",
                       "/gradio_api/call/show", "/gradio_api/process_recording", "/gradio_api/run-history/connect",
                       "/gradio_api/heartbeat/../../x", "/gradio_api/deep_link?session_hash=x", "/dev/reload",
                       "/gradio_api/upload_progress?upload_id=x", "/gradio_api/mcp", "/pwa_icon/9999"])  # fmt: skip
    page.ask(rng.choice(["GET", "POST"]), path, json.dumps({"data": [1], "session_hash": "x"}).encode())


def uploads(page: Page, rng: random.Random) -> None:
    """Files to be kept."""
    name = rng.choice(["x.txt", "../../x.txt", "/tmp/x.txt", "x\\..\\y", ""])
    body = (
        f'--b\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        + rng.randbytes(rng.choice([10, 10_000, 2_000_000]))
        + b"\r\n--b--\r\n"
    )
    page.ask("POST", rng.choice(["/gradio_api/upload", JOIN]), body, Content_Type="multipart/form-data; boundary=b")


def values(page: Page, rng: random.Random) -> None:
    """Well-formed requests for work with an odd value or two, or all of them."""
    number, data = page.first
    if rng.random() < 0.4:
        number = rng.choice(list(page.functions))
        data = [rng.choice(ODD) for _ in range(page.functions[number])]
    else:
        data = [rng.choice(ODD) if rng.random() < 0.1 else value for value in data]
    session = f"values{rng.randrange(10**6)}"
    # A full queue would never look at them.
    status, _ = page.join_in_turn(10, fn_index=number, data=data, session_hash=session)
    if status == 200 and rng.random() < 0.9:
        said = page.answer(session)
        page.answers["sentence" if b"hq-refusal" in said else "pictures" if b"data:image" in said else "other"] += 1


def fields(page: Page, rng: random.Random) -> None:
    """Requests for work with odd fields."""
    number, data = page.first
    odd = rng.choice(ODD)
    change = rng.choice([{"fn_index": odd}, {"session_hash": odd}, {"data": odd}, {"data": data * 50}, {"fn_index": 10**6},
                         {"event_data": {"x": odd}}, {"trigger_id": odd}, {"batched": True}, {"simple_format": True},
                         {"session_hash": "a" * 4000}, {"event_id": "x"}, {"oauth_token": "x"}])  # fmt: skip
    page.join(**{"fn_index": number, "data": data, "session_hash": f"fields{rng.randrange(9)}", **change})


def bodies(page: Page, rng: random.Random) -> None:
    """What is no JSON, or too much of it."""
    body = rng.choice([b"", b"{", b"[" * 100_000, b"\xff\xfe", b'{"data":' + b"1" * 200_000 + b"}", b"x" * 3_000_000,
                       json.dumps({"data": ["x" * 1_000_000], "fn_index": 0}).encode(), b'{"a":' * 5000])  # fmt: skip
    page.ask("POST", JOIN, body, Content_Type=rng.choice(["application/json", "text/plain", "application/xml"]))


def headers(page: Page, rng: random.Random) -> None:
    """Headers that pretend to be somewhere, or somebody, else."""
    odd = rng.choice([{"Host": "evil.example"}, {"Host": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"},
                      {"X_Forwarded_Host": "evil.example"}, {"X_Forwarded_For": "127.0.0.1"}, {"Range": "bytes=0-"},
                      {"X_HTTP_Method_Override": "DELETE"}, {"Cookie": "access-token=x" * 500}, {"Referer": "http://evil"},
                      {"Transfer_Encoding": "chunked"}, {"Upgrade": "websocket", "Connection": "Upgrade"},
                      {"Authorization": "Bearer x"}, {"X_Huge": "x" * 60_000}, {"Expect": "100-continue"}])  # fmt: skip
    path = rng.choice(["/", JOIN, DATA, "/config"])
    _, body = page.ask("POST" if path == JOIN else "GET", path, b"{}" if path == JOIN else None, timeout=3, **odd)
    if b"evil.example" in body:
        page.leaks.append(f"{path} repeats {odd}")


def sessions(page: Page, rng: random.Random) -> None:
    """Answers of tabs that there are not, or that nobody fetches."""
    if rng.random() < 0.5:
        page.ask("GET", f"{DATA}?session_hash={rng.choice(['', 'x', '../x', 'a' * 9999, '%00', 'good1'])}", timeout=5)
        return
    number, data = page.first
    for _ in range(3):
        page.join(fn_index=number, data=data, session_hash=f"unread{rng.randrange(100)}")


def raw(page: Page, rng: random.Random) -> None:
    """What is no HTTP, or breaks off."""
    text = rng.choice([b"\x00" * 1000, b"GET / HTTP/9.9\r\n\r\n", b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
                       b"POST " + JOIN.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 999999999\r\n\r\n{",
                       b"POST " + JOIN.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
                       b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil\r\n\r\n", b"\x16\x03\x01\x02\x00"])  # fmt: skip
    try:
        with socket.create_connection(("127.0.0.1", page.port), timeout=2) as stream:
            stream.sendall(text)
            stream.settimeout(1)
            page.seen("raw", (int((stream.recv(4096) or b"HTTP/1.1 0 ").split()[1][:3]), b""))
    except (OSError, IndexError, ValueError):
        page.seen("raw", (0, b""))


def burst(page: Page, rng: random.Random) -> None:
    """Twenty requests at once."""
    number, data = page.first
    each = [
        threading.Thread(target=page.join, kwargs={"fn_index": number, "data": data, "session_hash": f"burst{i}"})
        for i in range(20)
    ]
    for one in each:
        one.start()
    for one in each:
        one.join()


KINDS: dict[Callable[[Page, random.Random], None], int] = {
    paths: 6, routes: 3, uploads: 2, values: 9, fields: 4, bodies: 3, headers: 3, sessions: 2, raw: 2, burst: 1,
}  # fmt: skip


def listing(*folders: Path) -> dict[str, tuple[int, str]]:
    """Files below folders with the times of their last change and their hashes."""
    return {
        str(path): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def peak(pid: int) -> float:
    """The most memory that a process has held, in MB."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def children(pid: int) -> list[int]:
    """Processes that a process has started and that are still there."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def attack(home: Path, requests: int, seed: int, say: Callable[[str], None] = print) -> list[str]:
    """Serve, attack, look; what was found wrong."""
    from hqgan import config
    from hqgan.run import train as run

    rng = random.Random(seed)
    canary = home / "canary.txt"
    canary.write_text(CANARY)
    run.train(config.preset("demo", TINY), home / "run")
    temporary = home / "tmp"
    temporary.mkdir()
    before = listing(home / "run", home)
    command = [sys.executable, "-m", "hqgan", "serve", str(home / "run"), "--port", "0"]
    server = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=home,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert server.stdout
    wrong: list[str] = []
    errors: list[str] = []
    reader = threading.Thread(target=lambda: errors.extend(server.stderr or []))
    reader.start()
    try:
        port = int(re.search(r":(\d+) ", server.stdout.readline()).group(1))  # type: ignore[union-attr]
        page = Page(port, canary)
        wanted = page.good()
        start, begun = peak(server.pid), time.monotonic()
        for number in range(requests):
            rng.choices(list(KINDS), list(KINDS.values()))[0](page, rng)
            if server.poll() is not None:
                wrong.append(f"the server ended with {server.returncode} at request {number}")
                return wrong
        say(f"{requests} hostile requests in {time.monotonic() - begun:.0f} s; statuses and, of odd values, what was said: "
            f"{dict(sorted(page.answers.items()))}")  # fmt: skip
        again = next((a for a in (page.good() for _ in range(3)) if a == wanted), "nothing")
        if again != wanted:
            wrong.append(f"a good request is answered by {again} instead of {wanted}")
        wrong += [f"leaked: {leak}" for leak in page.leaks]
        grown, kept = peak(server.pid) - start, sum(p.stat().st_size for p in temporary.rglob("*") if p.is_file())
        say(f"memory: {start:.0f} MB at first, at most {grown:.0f} MB more; temporary files: {kept} bytes")
        if grown > MEMORY:
            wrong.append(f"memory grew by {grown:.0f} MB")
        if kept > 2**20:
            wrong.append(f"{kept} bytes of temporary files")
        if after := children(server.pid):
            wrong.append(f"processes were started: {after}")
        now = listing(home / "run", home)
        odd = sorted(path for path in now.keys() | before.keys() if now.get(path) != before.get(path))
        if changed := [path for path in odd if not Path(path).is_relative_to(temporary)]:
            wrong.append(f"files changed: {changed[:5]}")
    finally:
        server.send_signal(signal.SIGINT)
        try:
            code = server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            code = server.wait()
        reader.join()
        server.communicate()  # closes the pipes
    if code != 0:
        wrong.append(f"SIGINT ended it with {code}")
    if left := list(temporary.iterdir()):
        wrong.append(f"left behind: {left}")
    if any("Traceback" in line for line in errors):
        wrong.append("tracebacks: " + "".join(errors)[-1500:])
    say(f"standard error: {len(errors)} lines; ended with {code}")
    return wrong


def main() -> int:
    """Attack once and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--requests", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hqgan-hostile-") as home:
        wrong = attack(Path(home), options.requests, options.seed)
    print("\n".join(wrong) or "nothing outside was read or written, no process is left, memory is bounded")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())

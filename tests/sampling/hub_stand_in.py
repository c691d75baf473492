"""A Hugging Face hub on this machine: as much of it as an upload and a download ask for."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@contextmanager
def hub(token: str = "hf_right") -> Iterator[tuple[str, dict[str, dict[str, bytes]]]]:
    """Its address, and what repositories hold: name to file to bytes. Uploads need the token."""
    repositories: dict[str, dict[str, bytes]] = {}
    public: set[str] = set()

    class Hub(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            pass

        def reply(self, code, content=b"", **headers):
            body = content if isinstance(content, bytes) else json.dumps(content).encode()
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = urlparse(self.path).path
            if path == "/api/validate-yaml":
                return self.reply(200, {"errors": [], "warnings": []})
            if self.headers.get("Authorization") != f"Bearer {token}":
                return self.reply(401, {"error": "Invalid username or password."})
            if path == "/api/repos/create":
                asked = json.loads(body)
                name = f"{asked.get('organization') or 'me'}/{asked['name']}"
                if name not in repositories and not (asked.get("private") or asked.get("visibility") == "private"):
                    public.add(name)
                repositories.setdefault(name, {})
                return self.reply(200, {"url": f"{address}/{name}", "name": name, "id": name})
            name = "/".join(path.split("/")[3:5])
            if "/preupload/" in path:
                files = [
                    {"path": f["path"], "uploadMode": "regular", "shouldIgnore": False}
                    for f in json.loads(body)["files"]
                ]
                return self.reply(200, {"files": files})
            if "/commit/" in path:
                for line in body.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        repositories[name][entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
                return self.reply(
                    200, {"commitUrl": f"{address}/{name}/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
                )
            return self.reply(404, {"error": path})

        def do_GET(self):
            parts = urlparse(self.path).path.lstrip("/").split("/", 4)
            if parts[:2] == ["api", "models"] and "/".join(parts[2:4]) in repositories:
                name = "/".join(parts[2:4])
                siblings = [{"rfilename": file, "size": len(held)} for file, held in repositories[name].items()]
                about = {"id": name, "sha": COMMIT, "private": name not in public, "siblings": siblings}
                return self.reply(200, about)
            if len(parts) < 5:
                return self.reply(404, {"error": "not found"}, X_Error_Code="RepoNotFound")
            owner, name, _, _, file = parts
            found = repositories.get(f"{owner}/{name}", {}).get(file)
            if found is None:
                code = "EntryNotFound" if f"{owner}/{name}" in repositories else "RepoNotFound"
                return self.reply(404, {"error": "not found"}, X_Error_Code=code)
            etag = f'"{hashlib.sha1(found).hexdigest()}"'
            return self.reply(200, found, ETag=etag, X_Repo_Commit=COMMIT)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield address, repositories
        finally:
            server.shutdown()
            thread.join()

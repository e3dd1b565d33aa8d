"""A hub of models on this machine: the requests that huggingface_hub makes, answered out of a folder."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlparse

COMMIT = "a" * 40


class StubHub(ThreadingHTTPServer):
    """Models by name, each its files by path. `token`: the one it knows. `large`: suffixes that go by LFS."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.models: dict[str, dict[str, bytes]] = {}
        self.visibility: dict[str, str] = {}
        self.token, self.large = "hf_stub", ("safetensors",)
        self.asked: list[str] = []
        self.status: int | None = None  # of every answer from now on
        self.sizes: dict[str, int] = {}  # of files by path, where it says another than theirs
        self.stored: dict[str, bytes] = {}  # by checksum

    def hang_up(self) -> None:
        """Nobody is there from now on, at the same address."""
        self.socket.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


@contextmanager
def stub_hub() -> Iterator[StubHub]:
    hub = StubHub()
    thread = threading.Thread(target=hub.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()


class Answer(BaseHTTPRequestHandler):
    server: StubHub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def say(self, status: int, content: Any = None, **headers: str) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content or {}).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handled(self) -> None:
        hub, path = self.server, urlparse(self.path).path
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        hub.asked.append(f"{self.command} {path}")
        if hub.status is not None:
            return self.say(hub.status, {"error": "as it was told"})
        if path.startswith("/lfs/"):
            if self.command == "PUT":
                hub.stored[path.rpartition("/")[2]] = body
            return self.say(200)
        if self.headers.get("Authorization") != f"Bearer {hub.token}":
            return self.say(401, {"error": "Invalid credentials in Authorization header"})
        if path == "/api/validate-yaml":
            return self.say(200, {"errors": [], "warnings": []})
        if path == "/api/repos/create":
            return self.create(json.loads(body))
        parts = path.strip("/").split("/")
        if parts[0] == "api":
            return self.api("/".join(parts[2:4]), parts[4:], body)
        name = "/".join(parts[:2]).removesuffix(".git")
        if parts[2:5] == ["info", "lfs", "objects"]:
            return self.batch(json.loads(body))
        return self.file(name, parts[2:])

    do_GET = do_POST = do_PUT = do_HEAD = handled  # noqa: N815

    def create(self, wanted: dict[str, Any]) -> None:
        name = f"{wanted.get('organization', 'me')}/{wanted['name']}"
        if name in self.server.models:
            return self.say(409, {"error": "You already created this model repo", "url": f"{self.server.url}/{name}"})
        self.server.models[name], self.server.visibility[name] = {}, wanted.get("visibility", "public")
        self.say(200, {"url": f"{self.server.url}/{name}"})

    def api(self, name: str, rest: list[str], body: bytes) -> None:
        files = self.server.models.get(name)
        if files is None:
            return self.say(404, {"error": "Repository not found"}, X_Error_Code="RepoNotFound")
        if rest[:1] == ["preupload"]:
            modes = {True: "lfs", False: "regular"}
            answers = [
                {
                    "path": one["path"],
                    "uploadMode": modes[one["path"].endswith(self.server.large)],
                    "shouldIgnore": False,
                }
                for one in json.loads(body)["files"]
            ]
            return self.say(200, {"files": answers})
        if rest[:1] == ["commit"]:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                if line["key"] == "lfsFile":
                    files[line["value"]["path"]] = self.server.stored[line["value"]["oid"]]
            return self.say(200, {"commitUrl": f"{self.server.url}/{name}/commit/{COMMIT}", "commitOid": COMMIT})
        if rest[:1] == ["tree"]:
            return self.say(
                200, [{"type": "file", "path": path, "size": len(of), "oid": "b" * 40} for path, of in files.items()]
            )
        if rest[:1] == ["revision"] and rest[1] not in ("main", COMMIT, "v1"):
            return self.say(404, {"error": "Invalid rev"}, X_Error_Code="RevisionNotFound")
        siblings = [{"rfilename": path, "size": self.server.sizes.get(path, len(of))} for path, of in files.items()]
        self.say(200, {"id": name, "sha": COMMIT, "private": True, "siblings": siblings})

    def batch(self, wanted: dict[str, Any]) -> None:
        def action(oid: str) -> dict[str, Any]:
            return {"upload": {"href": f"{self.server.url}/lfs/{oid}", "header": {}}}

        objects = [{"oid": one["oid"], "size": one["size"], "actions": action(one["oid"])} for one in wanted["objects"]]
        self.say(200, {"transfer": "basic", "objects": objects})

    def file(self, name: str, rest: list[str]) -> None:
        content = self.server.models.get(name, {}).get("/".join(rest[2:]))
        if content is None:
            return self.say(404, {"error": "Entry not found"}, X_Error_Code="EntryNotFound", X_Repo_Commit=COMMIT)
        tag = hashlib.sha256(content).hexdigest()
        self.say(200, content, ETag=f'"{tag}"', X_Repo_Commit=COMMIT, Accept_Ranges="bytes")

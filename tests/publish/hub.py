"""A Hub on 127.0.0.1 for the tests: the calls that the real clients make, and misbehaviour on request.

Nothing in the product knows of it. It follows what huggingface_hub 2.4 and datasets 5.2 were seen to send.
"""

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from calls import CALLS, RefusalError, Request
from store import File, Repository


@dataclass
class Misbehaviour:
    """What to do wrong, to which requests, and how often.

    Attributes:
        method: The method of the requests meant.
        path: A pattern that their path matches.
        kind: ``status`` answers that; ``reset`` hangs up in the middle of the body; ``deaf`` does it and hangs up
            before the answer; ``truncate`` loses the second half of the body; ``etag`` answers with a wrong ETag;
            ``stall`` waits until the test lets go.
        after: How many such requests go well first.
        times: How many go wrong then.
    """

    method: str
    path: str
    kind: str
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    message: str = "Internal Server Error"
    after: int = 0
    times: int = 1


class Hub:
    """The server and what it knows.

    Attributes:
        repositories: By ``org/name``.
        objects: The stored objects by sha256, seen or not.
        requests: Method and path of every request.
        stored: The sha256 of each upload that arrived whole.
        wrongs: How many requests it has misbehaved to.
    """

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.requests: list[str] = []
        self.stored: list[str] = []
        self.multipart_above: int | None = None
        self.card_faults: list[str] = []
        self.before_commit: Callable[[], None] | None = None
        self.stalled, self.let_go = threading.Event(), threading.Event()
        self.lock = threading.RLock()
        self.wrongs = 0
        self._wrong: list[Misbehaviour] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"hub": self}))
        self._server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __getitem__(self, repo: str) -> Repository:
        return self.repositories[repo]

    @contextmanager
    def serving(self) -> Iterator["Hub"]:
        """Answer requests on a thread of its own."""
        thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self.let_go.set()
            self._server.shutdown()
            self._server.server_close()
            thread.join()

    def misbehave(self, method: str, path: str, kind: str = "status", **how: Any) -> None:
        """Do something wrong to coming requests."""
        self._wrong.append(Misbehaviour(method, path, kind, **how))

    def behave(self) -> None:
        """Do nothing wrong any more."""
        self._wrong.clear()

    def count(self, method: str, path: str) -> int:
        """How many requests of a kind came."""
        return sum(bool(re.search(f"^{method} .*{path}", request)) for request in self.requests)

    def wrong(self, method: str, path: str) -> Misbehaviour | None:
        """What to do wrong with this request."""
        for one in self._wrong:
            if one.method == method and re.search(one.path, path):
                one.after -= 1
                if one.after < 0 and one.times > 0:
                    one.times -= 1
                    self.wrongs += 1
                    return one
        return None

    def content(self, one: File) -> bytes:
        """The bytes of a file."""
        return self.objects[one.sha256] if one.sha256 else one.content


class _Handler(BaseHTTPRequestHandler):
    """One connection: finds the call by its method and path, and answers it."""

    hub: Hub
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # headers and body in one packet: no waiting for acknowledgements
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        hub = self.hub
        with hub.lock:
            hub.requests.append(f"{self.command} {self.path}")
            wrong = hub.wrong(self.command, self.path)
        if wrong and wrong.kind == "reset":
            self.rfile.read(min(64, int(self.headers.get("Content-Length") or 0)))
            self._hang_up()
            return
        body = self._body()
        if wrong and wrong.kind == "stall":
            hub.stalled.set()
            hub.let_go.wait(30)
            self._hang_up()
            return
        if wrong and wrong.kind == "status":
            self._answer(wrong.status, {"error": wrong.message}, {"X-Error-Message": wrong.message, **wrong.headers})
            return
        if wrong and wrong.kind == "truncate":
            body = body[: len(body) // 2]
        with hub.lock:
            status, answer, headers = self._call(body)
            for repository in hub.repositories.values():
                repository.observe()
        if wrong and wrong.kind == "deaf":
            self._hang_up()
            return
        if wrong and wrong.kind == "etag":
            headers["ETag"] = '"0000"'
        self._answer(status, answer, headers)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = b""
        while size := int(self.rfile.readline(), 16):
            content += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return content

    def _hang_up(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.rfile = self.wfile = _Nowhere()  # type: ignore[assignment]
        self.close_connection = True

    def _answer(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if not isinstance(answer, bytes):
            self.send_header("Content-Type", "application/json")
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _call(self, body: bytes) -> tuple[int, Any, dict[str, str]]:
        split = urlsplit(self.path)
        for method, pattern, call in CALLS:
            found = re.fullmatch(pattern, split.path)
            if found and self.command in method.split("|"):
                request = Request(
                    self.hub,
                    {name: unquote(value or "") for name, value in found.groupdict().items()},
                    body,
                    {name: values[-1] for name, values in parse_qs(split.query).items()},
                    dict(self.headers.items()),
                )
                try:
                    answer = call(request)
                except RefusalError as refusal:
                    headers = {"X-Error-Message": refusal.message}
                    headers |= {"X-Error-Code": refusal.code} if refusal.code else {}
                    return refusal.status, refusal.body or {"error": refusal.message}, headers
                return answer if isinstance(answer, tuple) else (200, answer, {})
        return 404, {"error": f"no call {self.command} {split.path}"}, {}


class _Nowhere:
    """A file of a connection that is gone."""

    closed = True

    def flush(self) -> None:
        """Nothing to flush."""

    def close(self) -> None:
        """Nothing to close."""

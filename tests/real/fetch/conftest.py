"""A host on this machine that answers as told, and counts what it is asked; nothing here leaves the machine."""

import contextlib
import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.core import backoff
from synthgen.plan.manifest.fetch import Fetch
from synthgen.real import fetch
from synthgen.real.fetch import Fetched

Answer = tuple[int, dict[str, str], bytes]


def photograph(seed: int = 0) -> bytes:
    """A small JPEG, another for each seed."""
    file = io.BytesIO()
    grain = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), np.uint8)
    Image.fromarray(grain).save(file, "JPEG")
    return file.getvalue()


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


class Host:
    """Gives each path its answers in turn, the last one for ever; ``asked`` has the paths and times of requests."""

    def __init__(self) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, float]] = []
        self.agents: set[str] = set()
        self.lock = threading.Lock()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.server.server_port}"

    def give(self, path: str, *answers: int | bytes | Answer) -> str:
        """Have answers for a path: a status, a file, or all of it; returns the address."""
        self.answers[path] = [
            answer if isinstance(answer, tuple) else (answer, {}, b"") if isinstance(answer, int) else (200, {}, answer)
            for answer in answers
        ]
        return self.address + path

    def paths(self) -> list[str]:
        """The paths asked for, sorted."""
        return sorted(path for path, _ in self.asked)

    def _answer(self, path: str) -> Answer:
        with self.lock:
            self.asked.append((path, time.monotonic()))
            answers = self.answers.get(path) or [(404, {}, b"")]
            return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        host = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                host.agents.add(self.headers["User-Agent"])
                status, headers, body = host._answer(self.path)
                self.send_response(status)
                for name, value in ({"Content-Length": str(len(body))} | headers).items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def handle(self) -> None:
                """Answer; a client that hangs up is no fault here."""
                with contextlib.suppress(ConnectionError):
                    super().handle()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        return Handler


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """A host that listens until the test is over; waits before another attempt are short."""
    monkeypatch.setattr(backoff, "FIRST_WAIT", 0.01)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    host = Host()
    thread = threading.Thread(target=host.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield host
    host.server.shutdown()
    host.server.server_close()
    thread.join()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., list[Fetched]]:
    """Fetches addresses into ``tmp_path``; returns the outcomes in the order of the rows."""

    def fetched(*rows: dict[str, object] | str, stop: Callable[[], bool] = lambda: False, **changes: Any) -> list[Any]:
        table = [{"url": row, "name": str(number)} if isinstance(row, str) else row for number, row in enumerate(rows)]
        settings = {"url": "url", "to": "images/{name}.jpg", "requests_per_second": 1000.0, "max_attempts": 3}
        found = list(fetch.fetch(table, Fetch.model_validate(settings | changes), tmp_path, stop=stop))
        return sorted(found, key=lambda one: (one.file, one.address))

    return fetched

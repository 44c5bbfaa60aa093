"""A run on moto's S3 server, through s3fs, with faults between the two; skipped where these are not installed."""

import os
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("s3fs")
moto_server = pytest.importorskip("moto.server")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]  # theirs are not ours to mend

ADDRESS = "s3://bucket/run"


class Faults:
    """A WSGI server that answers some requests with a 500, some late, and cuts some connections.

    Args:
        app: What answers the others.
        seed: Which ones they are.
    """

    def __init__(self, app: Any, seed: int) -> None:
        self._app, self._random = app, random.Random(seed)
        self.rate, self.asked, self.failed = 0.0, 0, 0

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        """Answer, or not."""
        self.asked += 1
        draw = self._random.random()
        if draw < self.rate / 2:
            self.failed += 1
            start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [b""]
        if draw < self.rate * 3 / 4:
            self.failed += 1
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionResetError("cut")
        if draw < self.rate:
            time.sleep(self._random.random() / 5)
        return self._app(environ, start_response)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Faults]:
    """An S3 server with an empty bucket, which whoever asks for S3 finds by the environment."""
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Silent(WSGIRequestHandler):
        def log(self, *_: Any) -> None:
            """Say nothing."""

    faults = Faults(moto_server.DomainDispatcherApplication(moto_server.create_backend_app), seed=3)
    running = make_server("127.0.0.1", 0, faults, threaded=True, request_handler=Silent)
    running.handle_error = lambda *_: None  # type: ignore[attr-defined]
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{running.server_port}")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing-testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    if not s3fs.S3FileSystem().exists("bucket"):
        s3fs.S3FileSystem().mkdir("bucket")
    yield faults
    running.shutdown()
    thread.join()


def _generate(manifest: Path, out: Path) -> list[str]:
    return [sys.executable, "-m", "synthgen", "generate", str(manifest), "--out", str(out), "--mirror", ADDRESS, "-q"]


def test_machines_killed_with_their_disks_end_with_the_bytes_of_one_that_was_not(
    *,
    server: Faults,
    write_manifest: Callable[..., Path],
    tmp_path: Path,
    tars_in: Callable[[Path], dict[str, bytes]],
    make_plan: Callable[..., Any],
    make_images: Callable[..., Any],
) -> None:
    """Each is killed with SIGKILL at a random moment and its disk wiped, on a server of whose answers a fifth fail."""
    import s3fs

    big = {"generate": [{"strategy": "fake", "per_cell": 60, "settings": {"height": 32, "width": 32}}]}
    make_images(make_plan(**big), tmp_path / "unbroken")
    unbroken = tars_in(tmp_path / "unbroken")
    manifest, rng = write_manifest(**big), random.Random(1)
    server.rate, kills = 0.2, 0
    for attempt in range(12):
        out = tmp_path / f"machine-{attempt}"
        wait = rng.uniform(6, 14) if kills < 4 else 300.0
        try:  # run() kills with SIGKILL what is not done by then
            done = subprocess.run(_generate(manifest, out), capture_output=True, text=True, check=False, timeout=wait)
        except subprocess.TimeoutExpired:
            shutil.rmtree(out, ignore_errors=True)
            kills += 1
            continue
        assert done.returncode == 0, done.stderr
        break
    assert tars_in(out) == unbroken
    server.rate = 0.0
    files = s3fs.S3FileSystem()
    files.invalidate_cache()
    there = {name: files.cat_file(f"bucket/run/{name}") for name in unbroken}
    assert there == unbroken
    assert kills >= 2
    assert server.failed
    if os.environ.get("SYNTHGEN_SHOW"):
        sys.stderr.write(f"{kills} kills, {server.asked} requests, {server.failed} failed\n")


@pytest.mark.parametrize("lacks", ["bucket", "credentials"])
def test_what_is_missing_is_said_in_one_line(
    lacks: str, server: Faults, write_manifest: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is made."""
    from synthgen.cli import call

    address = "s3://nosuch/run" if lacks == "bucket" else "s3://bucket/other"
    if lacks == "credentials":
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        __import__("s3fs").S3FileSystem.clear_instance_cache()
    assert call(["generate", str(write_manifest()), "--out", str(tmp_path / "a"), "--mirror", address, "-q"]) == 2
    assert not list(tmp_path.rglob("*.tar"))

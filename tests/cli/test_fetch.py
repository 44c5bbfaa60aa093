"""`synthgen fetch` reads a manifest, fetches what is missing, and says by its exit code whether all is there."""

import csv
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

FETCH: dict[str, Any] = {"url": "url", "to": "images/{md5hash}.jpg", "requests_per_second": 200.0, "max_attempts": 1}


def photograph() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)).save(file, "JPEG")
    return file.getvalue()


def outcomes(report: Path) -> list[str]:
    with report.open(encoding="utf-8", newline="") as file:
        return [line["outcome"] for line in csv.DictReader(file)]


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A host on this machine that has an image wherever the path begins with `/there`."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    content = photograph()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path.startswith("/there") else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        yield f"http://127.0.0.1:{port}"


@contextmanager
def serving(server: ThreadingHTTPServer) -> Iterator[int]:
    """Serve in a thread; yields the port."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def dataset(tmp_path: Path) -> Callable[..., Path]:
    """Writes a manifest and its metadata; returns the manifest."""

    def write(*addresses: str, real: dict[str, Any] | None = None, **fetch: Any) -> Path:
        (tmp_path / "data").mkdir(exist_ok=True)
        lines = [f"{number},{address}" for number, address in enumerate(addresses)]
        (tmp_path / "data" / "metadata.csv").write_text("\n".join(["md5hash,url", *lines]) + "\n", encoding="utf-8")
        block = {"source": "folder", "path": "data", "columns": {"image": "images/{md5hash}.jpg"}}
        block |= {"fetch": FETCH | fetch} | (real or {})
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({"name": "study", "real": block}), encoding="utf-8")
        return path

    return write


def test_all_is_fetched(synthgen: Callable[..., Any], dataset: Callable[..., Path], address: str) -> None:
    """Exit 0, the total on stdout; the same command again asks for nothing."""
    manifest = dataset(f"{address}/there/1", f"{address}/there/2")
    said = synthgen("fetch", manifest)
    assert (said.code, said.out) == (0, "2 addresses: 2 fetched\n")
    assert "2 of 2 addresses" in said.err
    assert synthgen("fetch", manifest, "-q") == (0, "", "")
    assert synthgen("fetch", manifest).out == "2 addresses: 2 there already\n"


def test_what_is_missing_is_said(synthgen: Callable[..., Any], dataset: Callable[..., Path], address: str) -> None:
    """Exit 1, totals by outcome, and where the reasons are."""
    manifest = dataset(f"{address}/there", f"{address}/gone", "")
    said = synthgen("fetch", manifest)
    report = manifest.parent / "data" / "fetch.csv"
    assert (said.code, said.out) == (1, "3 addresses: 1 fetched, 2 dead link\n")
    assert said.err.splitlines()[-1] == f"2 images are missing; {report} says why"
    assert outcomes(report) == ["fetched", "dead link", "dead link"]


def test_no_rows_are_nothing_to_do(synthgen: Callable[..., Any], dataset: Callable[..., Path]) -> None:
    """Metadata of no rows are whole."""
    assert synthgen("fetch", dataset()).out == "0 addresses: nothing to do\n"


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({"url": "adress"}, ["real.fetch: no column `adress`; there are: md5hash, url"]),
        ({"to": "{md5hsh}.jpg"}, ["real.fetch: no column `md5hsh`; did you mean `md5hash`?"]),
        ({"requests_per_second": "5"}, ["real.fetch.requests_per_second: should be a valid number, found '5'"]),
        ({"speed": 1, "max_attempts": 0}, ["real.fetch.max_attempts: should be greater than or equal to 1, found 0",
                                           "real.fetch.speed: unknown key; there are: url, to, md5, prefix,"
                                           " requests_per_second, max_attempts, user_agent"]),
        ({"real": {"source": "hub"}}, ["study.yaml: real.fetch: missing; fetch needs"
                                       " `real: {source: folder, fetch: ...}`"]),
        ({"real": {"fetch": None}}, ["study.yaml: real.fetch: missing; fetch needs"
                                     " `real: {source: folder, fetch: ...}`"]),
        ({"real": {"path": "elsewhere"}}, ["real.path: no folder `elsewhere`, and `real.metadata` names no file"
                                           " elsewhere"]),
        ({"real": {"metadata": "none.csv"}}, ["real.metadata: none.csv: No such file or directory"]),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_a_fault(
    refused: Callable[..., list[str]], dataset: Callable[..., Path], changes: dict[str, Any], faults: list[str]
) -> None:
    """Nothing is asked for, and each fault says where it is."""
    assert refused("fetch", dataset("http://127.0.0.1:9/a", **changes)) == faults


def test_the_folder_is_made_where_the_metadata_lie_beside_the_manifest(
    synthgen: Callable[..., Any], dataset: Callable[..., Path], address: str
) -> None:
    """A table beside the manifest is enough to begin with; a folder of images need not be there."""
    manifest = dataset(f"{address}/there", real={"path": "new/images", "metadata": "metadata.csv"})
    (manifest.parent / "data" / "metadata.csv").rename(manifest.parent / "metadata.csv")
    assert synthgen("fetch", manifest).out == "1 addresses: 1 fetched\n"
    assert (manifest.parent / "new" / "images" / "images" / "0.jpg").read_bytes() == photograph()


def test_a_missing_table_makes_no_folder(refused: Callable[..., list[str]], dataset: Callable[..., Path]) -> None:
    """Where there is nothing to fetch from, nothing is made."""
    manifest = dataset(real={"path": "new", "metadata": "none.csv"})
    assert refused("fetch", manifest) == ["real.metadata: none.csv: No such file or directory"]
    assert not (manifest.parent / "new").exists()


def test_a_manifest_that_ships_fetches_into_the_current_folder(
    synthgen: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its bare name it reads the table in the current folder, never one beside the file that ships."""
    monkeypatch.chdir(tmp_path)
    table = tmp_path / "data" / "fitzpatrick17k" / "fitzpatrick17k.csv"
    table.parent.mkdir(parents=True)
    table.write_text("md5hash,fitzpatrick_scale,label,qc,url\n", encoding="utf-8")
    assert synthgen("fetch", "fitzpatrick17k").out == "0 addresses: nothing to do\n"
    assert (table.parent / "fetch.csv").is_file()


def test_a_plan_without_the_images_names_fetch(
    refused: Callable[..., list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not downloaded yet is said in one line, with the command that does it."""
    monkeypatch.chdir(tmp_path)
    [fault] = refused("plan", "fitzpatrick17k")
    assert fault == (
        "real.path: no folder `data/fitzpatrick17k`; `synthgen fetch MANIFEST` makes it, and downloads the images"
    )


def test_a_manifest_without_real_images_is_refused(
    refused: Callable[..., list[str]], write_manifest: Callable[..., Path]
) -> None:
    """There is nothing to fetch for it."""
    assert "real.fetch: missing" in refused("fetch", write_manifest())[0]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_fetch_goes_on(
    synthgen: Callable[..., Any], dataset: Callable[..., Path], address: str, number: signal.Signals
) -> None:
    """A signal exits 75 with a report; a kill leaves whole files; the same command then fetches the rest."""
    manifest = dataset(*(f"{address}/there/{n}" for n in range(200)), requests_per_second=30.0)
    process = subprocess.Popen(
        [sys.executable, "-m", "synthgen", "fetch", os.fspath(manifest)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    images = manifest.parent / "data" / "images"
    until = time.monotonic() + 60
    while not (images.is_dir() and any(images.glob("*.jpg"))) and time.monotonic() < until:
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    files = list(images.glob("*.jpg"))
    assert 0 < len(files) < 200
    assert {file.read_bytes() for file in files} == {photograph()}
    if number != signal.SIGKILL:
        assert (process.returncode, said.splitlines()[-1][:20]) == (75, b"error: stopped with ")
        assert outcomes(manifest.parent / "data" / "fetch.csv").count("fetched") == len(files)
    dataset(*(f"{address}/there/{n}" for n in range(200)))
    assert synthgen("fetch", manifest).out == f"200 addresses: {200 - len(files)} fetched, {len(files)} there already\n"
    assert not list(images.glob(".*"))

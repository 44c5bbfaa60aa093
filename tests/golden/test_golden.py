"""Bytes that users keep stay what they are: a change to them is made on purpose, with `make golden`."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.core import releases

GOLDEN = Path(__file__).parent


@pytest.fixture(autouse=True)
def _begun_by_the_oldest_release(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin every run as the oldest release that makes the same bytes did, since records name the release."""
    monkeypatch.setattr(releases, "__version__", releases.SAME_BYTES[0])


def compare(name: str, found: Any, *, rewrite: bool) -> None:
    """Compare with a golden file, or write it."""
    path = GOLDEN / name
    if rewrite:
        path.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8")), f"{name} has changed; if on purpose: make golden"


def sha256s(root: Path) -> dict[str, str]:
    """The sha256 of every file below a folder."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    return {path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("image_format", ["jpeg", "png", "webp"])
def test_work_shards(
    image_format: str, make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path, request: Any
) -> None:
    """The tars of a small run in each format are the bytes they were."""
    plan = make_plan(output={"image_format": image_format, "shard_samples": 12})
    make_images(plan, tmp_path / "run")
    tars = {name: sha for name, sha in sha256s(tmp_path / "run").items() if name.endswith(".tar")}
    compare(f"shards-{image_format}.json", tars, rewrite=request.config.getoption("--rewrite-golden"))


def test_a_record(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path, request: Any) -> None:
    """The record of an image has the fields, types and values it had."""
    from synthgen.runs import tar_samples

    make_images(make_plan(), tmp_path / "run")
    record = json.loads(next(tar_samples.read(tmp_path / "run/fake/00000.tar")).files["json"])
    compare("record.json", record, rewrite=request.config.getoption("--rewrite-golden"))


def test_a_packed_dataset(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path: Path, request: Any
) -> None:
    """Packed tars hold the samples in the order they had."""
    make_images(make_plan(), tmp_path / "run")
    list(study.pack(tmp_path / "run", tmp_path / "dataset"))
    tars = {name: sha for name, sha in sha256s(tmp_path / "dataset").items() if name.endswith(".tar")}
    compare("packed.json", tars, rewrite=request.config.getoption("--rewrite-golden"))

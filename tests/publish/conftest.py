"""What the tests of ``publish`` share: a Hub of their own on 127.0.0.1, datasets to publish, and the real clients."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, os.fspath(Path(__file__).parent))  # importlib mode finds no neighbours by itself

from calls import TOKEN
from hub import Hub
from store import small

from synthgen import publish as publishing
from synthgen import study
from synthgen.cli import call
from synthgen.core import seal
from synthgen.publish import Patience, Published, PublishOptions
from synthgen.publish import retry as waiting

REPO = "org/name"
Publish = Callable[..., list[Any]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let huggingface_hub 2.4 send files by httpx2's deprecated ``data=``; it is their call, not ours."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning"))


@pytest.fixture(scope="session")
def packed(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Two datasets that nobody changes: ``larger`` of 24 images in three tars, ``smaller`` of 12 in two."""
    root = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(root / "cache"))
        for name, count in (("larger", 4), ("smaller", 2)):
            plan = make_plan(
                name=name,
                generate=[{"strategy": "fake", "per_cell": count, "settings": {"height": 32, "width": 32}}],
                pack={"images_per_shard": 8},
                publish={"repo": REPO, "license": "openrail"},
            )
            make_images(plan, root / f"{name}-run")
            list(study.pack(root / f"{name}-run", root / name))
    return root


@pytest.fixture
def dataset(packed: Path, tmp_path: Path) -> Path:
    """A copy of the larger dataset to do things to."""
    return Path(shutil.copytree(packed / "larger", tmp_path / "dataset"))


@pytest.fixture
def smaller(packed: Path, tmp_path: Path) -> Path:
    """A copy of the smaller dataset."""
    return Path(shutil.copytree(packed / "smaller", tmp_path / "smaller"))


@pytest.fixture
def slept() -> list[float]:
    """The seconds that were waited, by us and by the client, without waiting them."""
    return []


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, slept: list[float]) -> Iterator[Hub]:
    """The Hub, with the clients of this process pointed at it and logged in."""
    from huggingface_hub import close_session, constants
    from huggingface_hub.utils import _http

    with Hub().serving() as server, _without_bars():
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=slept.append, time=time.time))
        monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=slept.append))
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        close_session()
        yield server
        close_session()


@contextmanager
def _without_bars() -> Iterator[None]:
    """Show no bars of the client; a command switches them off by itself."""
    from huggingface_hub.utils import disable_progress_bars, enable_progress_bars

    disable_progress_bars()
    yield
    enable_progress_bars()


@pytest.fixture
def publish() -> Publish:
    """Publishes a folder; returns what was said."""

    def run(root: Path, **asked: Any) -> list[Any]:
        patience = Patience(token=TOKEN)
        return list(publishing.publish(root, PublishOptions(**{"repo": REPO} | asked), patience=patience))

    return run


@pytest.fixture
def synthgen(capsys: pytest.CaptureFixture[str]) -> Callable[..., Any]:
    """Calls a command; returns its exit code and what it printed."""

    def command(*arguments: object) -> Any:
        capsys.readouterr()
        code = call([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return SimpleNamespace(code=code, out=out, err=err, errors=[x for x in err.splitlines() if x[:7] == "error: "])

    return command


@pytest.fixture
def outside(hub: Hub, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs Python in a process of its own, with the real clients pointed at the Hub and a home of its own."""

    def run(*arguments: object, **changes: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=environment(hub, tmp_path) | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def environment(hub: Hub, home: Path) -> dict[str, str]:
    """A process's environment in which the Hub is ours."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING_FACE"))}
    return kept | {
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_TOKEN": TOKEN,
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "PYTHONWARNINGS": "ignore",
        "USE_TORCH": "0",  # datasets would load it for a stream, which takes seconds
    }


def expected(root: Path) -> dict[str, str]:
    """What the Hub has to hold: each file of a dataset by the hash that the Hub keeps of it."""
    found = {}
    for path in (one for one in sorted(root.rglob("*")) if one.is_file()):
        content = path.read_bytes()
        is_large = path.suffix in (".tar", ".parquet", ".png")
        found[path.relative_to(root).as_posix()] = sha256(content).hexdigest() if is_large else small(content).blob
    return found


def last(events: list[Any]) -> Published:
    """The receipt at the end."""
    assert isinstance(events[-1], Published)
    return events[-1]


def reseal(root: Path, *names: str) -> None:
    """Make provenance.json, and croissant.json, agree with files that a test has changed."""
    path, croissant = root / "provenance.json", root / "croissant.json"
    provenance = json.loads(path.read_text())
    for name in names:
        held = provenance["files"][name]["sha256"]
        croissant.write_text(croissant.read_text().replace(held, sha256((root / name).read_bytes()).hexdigest()))
    for name in {*names, "croissant.json"} & provenance["files"].keys():
        content = (root / name).read_bytes()
        provenance["files"][name] |= {"sha256": sha256(content).hexdigest(), "size": len(content)}
    path.write_bytes(seal.dumps({key: one for key, one in provenance.items() if key not in (seal.MARK, seal.KEY)}))

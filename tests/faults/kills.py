"""Kills a command at a random moment, resumes it, and compares what it leaves with what an unbroken one leaves.

Each command runs in a fork of this process, so that a kill costs no import; torch is not imported, so `finetune` and
`classifier-eval` are not here (their own tests kill them), and neither are those that need a network.
"""

import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import specimen

from synthgen import study
from synthgen.core import seal

Verb = Callable[[Path], object]
_SLOWER = {"height": 16, "width": 16, "seconds": 0.02}
_LONGEST = 300.0


@dataclass(frozen=True, slots=True)
class Episode:
    """A command that was killed, and what came of it.

    Attributes:
        verb: The command.
        moment: When it was killed, in seconds after it began.
        killed: Whether it was still running then.
        differs: The files that are others than an unbroken command leaves, or what was left lying.
    """

    verb: str
    moment: float
    killed: bool
    differs: tuple[str, ...]


def _manifest(root: Path, more: int = 0) -> Path:
    entries = [dict(one) for one in specimen.MANIFEST["generate"]]
    entries[0] |= {"per_cell": 2 + more, "settings": _SLOWER}
    return specimen.write_manifest(root, generate=entries, curate=specimen.MANIFEST["curate"] | {"quota": 4})


def _pack(name: str) -> Verb:
    return lambda root: study.pack(root / "work", root / name, format=name).result()  # type: ignore[arg-type]


# In the order that a study uses them: each begins with what those before it leave.
VERBS: Mapping[str, Verb] = {
    "generate": lambda root: study.generate(_manifest(root), root / "work").result(),
    "generate, grown": lambda root: study.generate(_manifest(root, 2), root / "work").result(),
    "curate": lambda root: study.curate(root / "work").result(),
    "generate --top-up": lambda root: study.top_up(_manifest(root, 2), root / "work").result(),
    **{f"pack {name}": _pack(name) for name in specimen.FORMATS},
    "preview": lambda root: study.preview(root / "work", root / "page.html"),
}


IMPORTED = (
    "datasets", "huggingface_hub", "jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "pyarrow.parquet",
    "synthgen.curate.fidelity", "synthgen.pack", "synthgen.preview", "webdataset",
)  # fmt: skip


def episodes(root: Path, seed: int, seconds: float) -> Iterator[Episode]:
    """As many kills as so many seconds allow, command after command; raises where one fails unbroken.

    Args:
        root: An empty folder.
        seed: Decides when each is killed.
        seconds: When to begin no further one, from the first one on.
    """
    for name in IMPORTED:  # once, and not in each fork
        import_module(name)
    at, kept = root / "study", root / "before"
    at.mkdir()
    before, took, whole = dict[str, Path](), dict[str, float](), dict[str, dict[str, bytes]]()
    for verb, call in VERBS.items():
        before[verb] = kept / f"{len(before)}"
        shutil.copytree(at, before[verb])
        began = time.monotonic()
        if (code := _wait(_start(call, at), _LONGEST)) != 0:
            raise RuntimeError(f"{verb}: exit {code} where nothing was killed")
        took[verb], whole[verb] = time.monotonic() - began, contents(at)
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        verb = list(VERBS)[number % len(VERBS)]
        shutil.rmtree(at)
        shutil.copytree(before[verb], at)
        yield _one(verb, at, random.Random(f"{seed}-{number}").uniform(0, took[verb]), whole[verb])
        number += 1


def _one(verb: str, at: Path, moment: float, whole: Mapping[str, bytes]) -> Episode:
    process = _start(VERBS[verb], at)
    killed = _wait(process, moment) is None
    if killed:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
    code = _wait(_start(VERBS[verb], at), _LONGEST)
    if code != 0:
        return Episode(verb, moment, killed, (f"resumed: exit {code}",))
    found = contents(at)
    differs = [name for name in sorted({*whole, *found}) if whole.get(name) != found.get(name)]
    return Episode(verb, moment, killed, tuple(differs))


def contents(root: Path) -> dict[str, bytes]:
    """The bytes of every file below a folder, locks left out; of receipts and runs what does not change with time."""
    found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and not name.endswith(".lock"):
            found[name] = _timeless(path.read_bytes()) if path.suffix == ".json" else path.read_bytes()
        if path.suffix == ".parquet" and path.name == ".samples.parquet":
            del found[name]  # it holds the times of receipts
    return found


def _timeless(content: bytes) -> bytes:
    with suppress(ValueError):
        document = seal.loads(content)
        return json.dumps({key: one for key, one in document.items() if key not in ("mtime_ns", "timing")}).encode()
    return content


def _start(verb: Verb, root: Path) -> int:
    """Begin a command in a fork; returns its process."""
    process = os.fork()
    if process:
        return process
    code = 1
    try:
        verb(root)
        code = 0
    except BaseException:  # noqa: BLE001 - a fork never returns into the code that forked it
        traceback.print_exc()
    finally:
        os._exit(code)


def _wait(process: int, seconds: float) -> int | None:
    """The exit code of a process; ``None`` where it still runs after so long."""
    end = time.monotonic() + seconds
    while True:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() >= end:
            return None
        time.sleep(0.001)

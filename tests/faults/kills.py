"""Kills a command at a random moment, or sends it a signal, resumes it, and compares with what an unbroken one leaves.

Each command runs in a fork of this process, so that it costs no import. `finetune` and `classifier-eval` take torch,
which is imported for them alone, and `fetch` and `publish` take a network, so they are not here.
"""

import contextlib
import io
import json
import os
import random
import shutil
import signal
import time
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import specimen

from synthgen.cli import call
from synthgen.core import seal

Arguments = Callable[[Path], Sequence[object]]
"""What a command is called with, by the folder of the study."""
_SLOWER = {"height": 16, "width": 16, "seconds": 0.02}
_LONGEST = 300.0
_TO_STOP = 10.0  # seconds that a command may take to stop
STOPPED = 75
KILL, PAUSE = "SIGKILL", "SIGSTOP"
SIGNALS = ("SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1", PAUSE)
"""What is sent but SIGKILL; a command that is paused goes on."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A command that was killed or sent a signal, and what came of it.

    Attributes:
        verb: The command.
        sent: The signal.
        moment: When it came, in seconds after the command began.
        killed: Whether the command was still running then.
        differs: The files that are others than an unbroken command leaves, what was left lying, or how it ended.
    """

    verb: str
    sent: str
    moment: float
    killed: bool
    differs: tuple[str, ...]


def _manifest(root: Path, more: int = 0) -> Path:
    entries = [dict(one) for one in specimen.MANIFEST["generate"]]
    entries[0] |= {"per_cell": 2 + more, "settings": _SLOWER}
    return specimen.write_manifest(root, generate=entries, curate=specimen.MANIFEST["curate"] | {"quota": 4})


def _tuned(root: Path) -> Path:
    settings = {
        "rank": 2, "max_train_steps": 6, "checkpointing_steps": 2, "num_validation_images": 2, "variants": 1,
        "train_batch_size": 2,
    }  # fmt: skip
    entries = [{"name": "lo", "method": "lora", "settings": settings}]
    learner = {"kind": "probe", "optimizer_steps": 20}
    study = {"n_real": [2, 4], "ratios": [1], "seeds": 2, "arms": ["real", "real+synthetic"], "learner": learner}
    return specimen.write_manifest(
        root, finetune=entries, evaluate=study, real=specimen.MANIFEST["real"] | {"count": 72}, curate=None
    )


def _pack(name: str, *more: str) -> Arguments:
    return lambda root: ["pack", root / "work", "--out", root / f"{name}{len(more)}", "--format", name, *more]


KEY = "text-psoriasis-1-0000000"
# In the order that a study uses them: each begins with what those before it leave.
VERBS: Mapping[str, Arguments] = {
    "phantom": lambda root: ["phantom", "--out", root / "drawn", "--per-cell", 4, "--seed", 1, "--tone", 1],
    "generate": lambda root: ["generate", _manifest(root), "--out", root / "work"],
    "generate, grown": lambda root: ["generate", _manifest(root, 2), "--out", root / "work"],
    "curate": lambda root: ["curate", root / "work"],
    "generate --top-up": lambda root: ["generate", _manifest(root, 2), "--out", root / "work", "--top-up"],
    **{f"pack {name}": _pack(name) for name in specimen.FORMATS},
    "pack --workers 2": _pack("webdataset", "--workers", "2"),
    "preview": lambda root: ["preview", root / "work", "--out", root / "page.html"],
    "verify": lambda root: ["verify", root / "work"],
    "run": lambda root: ["run", _manifest(root, 2), "--out", root / "study"],
}
WITH_TORCH: Mapping[str, Arguments] = {
    "generate --workers 2": lambda root: ["generate", _manifest(root), "--out", root / "two", "--workers", 2],
    "finetune": lambda root: ["finetune", _tuned(root), "--out", root / "tuned", "--device", "cpu"],
    "generate for a study": lambda root: ["generate", _tuned(root), "--out", root / "tuned"],
    "classifier-eval": lambda root: [
        "classifier-eval", _tuned(root), "--out", root / "report", "--synthetic", root / "tuned", "--workers", 1,
    ],
}  # fmt: skip
"""Those that take torch, or start processes that import it; longer therefore."""


IMPORTED = (
    "datasets", "huggingface_hub", "jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "pyarrow.parquet",
    "synthgen.curate.fidelity", "synthgen.pack", "synthgen.preview", "webdataset",
)  # fmt: skip


def episodes(root: Path, seed: int, seconds: float, *, signals: bool = False, torch: bool = False) -> Iterator[Episode]:
    """As many kills as so many seconds allow, command after command; raises where one fails unbroken.

    Args:
        root: An empty folder.
        seed: Decides when each is killed, and by what.
        seconds: When to begin no further one, from the first one on.
        signals: Whether a signal is sent that a command hears, in place of SIGKILL.
        torch: Whether those commands are tried that take torch, and no others.
    """
    verbs = WITH_TORCH if torch else VERBS
    for name in IMPORTED + (("torch", "diffusers", "transformers") if torch else ()):  # once, and not in each fork
        import_module(name)
    at, kept = root / "study", root / "before"
    at.mkdir()
    before, took, whole = dict[str, Path](), dict[str, float](), dict[str, dict[str, bytes]]()
    for verb, arguments in verbs.items():
        before[verb] = kept / f"{len(before)}"
        shutil.copytree(at, before[verb])
        began = time.monotonic()
        if (code := _wait(_start(arguments, at), _LONGEST)) not in _ENDS:
            raise RuntimeError(f"{verb}: exit {code} where nothing was killed")
        took[verb], whole[verb] = time.monotonic() - began, contents(at)
    end, number = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        verb = list(verbs)[number % len(verbs)]
        shutil.rmtree(at)
        shutil.copytree(before[verb], at)
        rng = random.Random(f"{seed}-{number}")
        sent = rng.choice(SIGNALS) if signals else KILL
        yield _one(verb, verbs[verb], at, (sent, rng.uniform(0, took[verb])), whole[verb])
        number += 1


_ENDS = (0, 1)  # 1 where a quota is not filled, which is how some of them end


def _one(verb: str, arguments: Arguments, at: Path, when: tuple[str, float], whole: Mapping[str, bytes]) -> Episode:
    sent, moment = when
    process = _start(arguments, at)
    running = _wait(process, moment) is None
    told = list[str]()
    if running:
        os.kill(process, signal.Signals[sent])
        told += _ended(process, sent)
    code = _wait(_start(arguments, at), _LONGEST)
    if code not in _ENDS:
        return Episode(verb, sent, moment, running, (*told, f"resumed: exit {code}"))
    found = contents(at)
    differs = [name for name in sorted({*whole, *found}) if whole.get(name) != found.get(name)]
    return Episode(verb, sent, moment, running, (*told, *differs))


def _ended(process: int, sent: str) -> list[str]:
    """What is wrong with how a command ends that was sent a signal."""
    if sent == KILL:
        os.waitpid(process, 0)
        return []
    if sent == PAUSE:
        time.sleep(0.2)
        os.kill(process, signal.SIGCONT)
        code = _wait(process, _LONGEST)
        return [] if code in _ENDS else [f"paused: exit {code}"]
    code = _wait(process, _TO_STOP)
    if code is None:
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        return [f"still running {_TO_STOP:.0f} s after {sent}"]
    return [] if code in (STOPPED, *_ENDS) else [f"{sent}: exit {code}"]  # it may have been done just then


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


def _start(arguments: Arguments, root: Path) -> int:
    """Begin a command in a fork; returns its process."""
    process = os.fork()
    if process:
        return process
    code = 99
    said = io.StringIO()
    for name in SIGNALS:
        if name != PAUSE:
            signal.signal(signal.Signals[name], signal.SIG_DFL)  # of nohup and shells one may be ignored
    try:
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = call([str(one) for one in arguments(root)])
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

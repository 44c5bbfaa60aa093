"""What is run in processes that tests kill; each is a fork of one that has imported ``preloaded.py``."""

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def start(environment: Mapping[str, str], name: str, *arguments: Any) -> None:
    """Run a function of this module by its name, in an environment."""
    os.environ.clear()
    os.environ.update(environment)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    sys.exit({"command": command, "make": make, "pack": pack}[name](*arguments))


def command(*arguments: object) -> int:
    """Call a command; returns its exit code."""
    from synthgen.cli import call

    return call([str(one) for one in arguments])


def make(manifest: Path, root: Path, die_at: str = "", when: str = "") -> None:
    """Make or resume a run, and die at the rename of a file."""
    from synthgen import generate
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    _die(die_at, when)
    job = generate.prepare(load_plan.read(manifest, EXTENSIONS), root)
    list(generate.generate(job))


def pack(run: Path, out: Path, die_at: str = "", when: str = "", workers: int = 1) -> None:
    """Pack a run, and die at the rename of a file."""
    from synthgen import study

    _die(die_at, when)
    list(study.pack(run, out, workers=workers))


def _die(die_at: str, when: str) -> None:
    """Have this process kill itself just before or after a file of that name is published."""
    from synthgen.core import atomic

    publish = atomic.publish

    def dying(scratch: Path, path: Path) -> None:
        if path.name == die_at and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        publish(scratch, path)
        if path.name == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    atomic.publish = dying

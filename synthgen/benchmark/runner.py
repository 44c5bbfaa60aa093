"""Runs steps one after another, each in a process of its own with a time limit; a failure never stops the others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.benchmark.findings import SO_FAR

_USUAL = 600.0  # seconds that all steps may take
_LEAST = 5.0  # seconds in which a step could find anything


@dataclass(frozen=True, slots=True)
class StepCommand:
    """A step as a command.

    Attributes:
        letter: What it is called in short.
        title: What it asks.
        words: The command; it prints one line of JSON, its findings, and keeps in its scratch folder those so far.
        seconds: How long it may take.
    """

    letter: str
    title: str
    words: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class StepResult:
    """What came of a step.

    Attributes:
        letter: What it is called in short.
        title: What it asks.
        seconds: How long it took.
        fault: Why it did not come to its end; empty where it did.
        checks: What holds or not, as of :class:`synthgen.benchmark.findings.Findings`.
        figures: What was measured, likewise.
        skipped: Whether it was not begun.
    """

    letter: str
    title: str
    seconds: float
    fault: str = ""
    checks: tuple[dict[str, str], ...] = ()
    figures: tuple[dict[str, Any], ...] = ()
    skipped: bool = False

    def count(self, status: str) -> int:
        """How many checks have a status; a step that did not end is one that failed."""
        found = sum(check["status"] == status for check in self.checks)
        return found + (status == "failed" and bool(self.fault) and not self.skipped)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {
            "step": self.letter, "title": self.title, "seconds": round(self.seconds, 1), "fault": self.fault,
            "skipped": self.skipped, "checks": list(self.checks), "figures": list(self.figures),
        }  # fmt: skip


def commands(device: str, *, reduced: bool, only: str = "", limit: float = _USUAL) -> list[StepCommand]:
    """The commands of the steps with these letters, all of them where none is named.

    Args:
        device: torch's device type.
        reduced: Whether networks are reduced.
        only: Letters.
        limit: Seconds for all of them; more than ten minutes give each step more in proportion.
    """
    from synthgen.benchmark.steps import STEPS

    return [
        StepCommand(
            step.letter,
            step.title,
            (sys.executable, "-m", "synthgen.benchmark", step.name, device, *(["--reduced"] if reduced else [])),
            step.seconds * max(1.0, limit / _USUAL),
        )
        for step in STEPS
        if not only or step.letter in only
    ]


def run(steps: Sequence[StepCommand], limit: float) -> Iterator[StepResult]:
    """What comes of each step, as soon as it ends.

    Args:
        steps: The steps.
        limit: Seconds for all of them; those for which nothing is left are skipped, and say so.
    """
    began = time.monotonic()
    for step in steps:
        left = limit - (time.monotonic() - began)
        if left < _LEAST:
            yield StepResult(step.letter, step.title, 0.0, f"no time left of {limit:.0f} s", skipped=True)
        else:
            yield _run(step, min(step.seconds, left))


def _run(step: StepCommand, limit: float) -> StepResult:
    began = time.monotonic()
    quiet = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with tempfile.TemporaryDirectory(prefix="synthgen-benchmark-") as scratch:
        words = [*step.words, "--scratch", scratch, "--seconds", f"{limit:.0f}"]
        out, err = Path(scratch, ".stdout"), Path(scratch, ".stderr")
        with out.open("wb") as stdout, err.open("wb") as stderr:
            # A session of its own, so that what it has started ends with it; a cache of its own, so no rate is kept.
            own = {"XDG_CACHE_HOME": scratch, **quiet}
            process = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=os.environ | own,
                start_new_session=True,
            )  # fmt: skip
            try:
                code = process.wait(limit)
                fault = _fault(code, err)
            except subprocess.TimeoutExpired:
                fault = f"not done after {limit:.0f} s"
            finally:
                _end(process)
        found = _last_line(out) or _last_line(Path(scratch, SO_FAR))
    taken = time.monotonic() - began
    if not found and not fault:
        fault = "it said nothing"
    return StepResult(
        step.letter, step.title, taken, fault, tuple(found.get("checks", ())), tuple(found.get("figures", ()))
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a step and everything that it has started."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def _fault(code: int, err: Path) -> str:
    if code == 0:
        return ""
    said = err.read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return f"{how}: {' '.join(said.split())[:300]}" if said else how


def _last_line(path: Path) -> dict[str, Any]:
    """The last line that is a JSON object; empty where there is none."""
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    for line in reversed(text.splitlines()):
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict):
            return found
    return {}

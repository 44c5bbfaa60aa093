"""A benchmark goes on whatever one of its steps does, and says of each what came of it."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from synthgen import benchmark
from synthgen.benchmark import StepCommand, StepResult
from synthgen.benchmark.findings import SO_FAR, Findings

FOUND = {"step": "x", "checks": [{"name": "it holds", "status": "ok", "said": ""}], "figures": []}
SAYS = f"print('noise'); print({json.dumps(FOUND)!r})"
FAILS = "raise SystemExit('no such kernel')"
DIES = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
SILENT = "pass"
NEVER_ENDS = f"""
import pathlib, sys, time
folder = pathlib.Path(sys.argv[sys.argv.index('--scratch') + 1])
(folder / {SO_FAR!r}).write_text({json.dumps(FOUND)!r})
time.sleep(60)
"""


def step(code: str, letter: str = "X", seconds: float = 30.0) -> StepCommand:
    """A step that is a line of Python."""
    return StepCommand(letter, "what it asks", (sys.executable, "-I", "-S", "-c", code), seconds)


def test_a_step_s_findings_are_its_last_line_of_json() -> None:
    """What else it prints is not looked at."""
    (result,) = benchmark.run([step(SAYS)], 60)
    assert (result.fault, result.checks, result.count("ok")) == ("", tuple(FOUND["checks"]), 1)
    assert not benchmark.failed([result])


@pytest.mark.parametrize(
    ("code", "fault"),
    [(FAILS, "exit code 1: no such kernel"), (DIES, "killed by signal 9"), (SILENT, "it said nothing")],
    ids=["fails", "dies", "silent"],
)
def test_a_step_that_fails_is_a_line_and_the_others_go_on(code: str, fault: str) -> None:
    """The line says why, and the exit code of the whole says that something failed."""
    results = list(benchmark.run([step(code, "A"), step(SAYS, "B")], 60))
    assert [result.fault for result in results] == [fault, ""]
    assert fault in benchmark.line(results[0])
    assert benchmark.failed(results)
    assert any(fault in line for line in benchmark.summary(results))


def test_a_step_that_takes_too_long_is_ended_and_what_it_found_is_kept() -> None:
    """It was cut short, not lost."""
    (result,) = benchmark.run([step(NEVER_ENDS, seconds=3)], 60)
    assert (result.fault, result.checks) == ("not done after 3 s", tuple(FOUND["checks"]))
    assert benchmark.failed([result])


def test_steps_for_which_no_time_is_left_are_skipped_and_say_so() -> None:
    """That is nobody's fault."""
    results = list(benchmark.run([step(FAILS, "A"), step(FAILS, "B")], 0))
    assert all(result.skipped and "no time left" in benchmark.line(result) for result in results)
    assert not benchmark.failed(results)


@pytest.mark.parametrize(("status", "failed"), [("ok", False), ("warn", False), ("skipped", False), ("failed", True)])
def test_only_what_failed_fails(status: str, failed: bool) -> None:
    """A warning or something left out does not."""
    checks = ({"name": "a check", "status": status, "said": "so"},)
    assert benchmark.failed([StepResult("A", "a step", 1.0, checks=checks)]) is failed


def test_the_report_holds_everything(tmp_path: Path) -> None:
    """The page shows each check and figure, a stranger's text escaped; the JSON has them as they are."""
    checks = ({"name": "a | b", "status": "failed", "said": "<b>no</b>"},)
    figures: tuple[dict[str, Any], ...] = ({"name": "images/s", "value": 12.5, "unit": "images/s"},)
    result = StepResult("A", "a step", 1.0, checks=checks, figures=figures)
    page, data = benchmark.write([result], tmp_path / "new", device="cuda (A100)", reduced=False)
    text, document = page.read_text(encoding="utf-8"), json.loads(data.read_bytes())
    assert "a \\| b | FAILED | &lt;b>no" in text
    assert "12.5" in text
    assert document["steps"][0]["checks"] == list(checks)
    assert (document["failed"], document["reduced"]) == (True, False)


def test_findings_are_kept_as_they_grow() -> None:
    """Whoever is killed has said all before it."""
    kept = list[bytes]()
    findings = Findings("x", kept.append)
    findings.check("first", True)
    findings.figure("second", 0.123456)
    assert [len(json.loads(line)["figures"]) for line in kept] == [0, 1]
    assert json.loads(kept[-1])["figures"][0]["value"] == 0.1235

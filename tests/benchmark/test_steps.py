"""The steps of a benchmark run here too, with tiny networks of the same classes."""

import json
from pathlib import Path

import pytest

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.steps import STEPS, memory, out_of_memory
from synthgen.benchmark.workload import Asked, each, loaded, samples, settings_of
from synthgen.errors import OutOfMemoryError, UnavailableError


def test_there_are_thirteen_steps_that_can_be_loaded() -> None:
    """Each has a letter of its own, in order, and a module; none imports a heavy library before it is run."""
    assert "".join(step.letter for step in STEPS) == "ABCDEFGHIJKLM"
    assert all(callable(step.load()) for step in STEPS)


@pytest.mark.parametrize(
    ("error", "status"),
    [(OutOfMemoryError("no room"), "skipped"), (UnavailableError("none"), "failed"), (RuntimeError("odd"), "failed")],
)
def test_what_goes_wrong_in_a_part_of_a_step_is_a_line(error: Exception, status: str) -> None:
    """What does not fit the card is no fault of anybody's; the rest of the step goes on."""
    findings = Findings("x", lambda _: None)
    with each(findings, "a part"):
        raise error
    assert [(check["name"], check["status"]) for check in findings.checks] == [("a part", status)]
    assert str(error) in findings.checks[0]["said"]


@pytest.mark.slow
def test_a_step_runs_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The memory of one architecture: what a step, an image of it and decoding take."""
    kept = list[bytes]()
    findings = Findings("memory", kept.append)
    monkeypatch.setattr(memory, "architectures", lambda *_: iter(["sd15"]))
    memory.run(findings, Asked("cpu", True, tmp_path, 60.0))
    figures = {figure["name"]: figure["value"] for figure in json.loads(kept[-1])["figures"]}
    assert figures["SD 1.5: a step, for each image"] > 0
    assert figures["SD 1.5: decoding an image"] > 0
    assert not [check for check in findings.checks if check["status"] == "failed"]


@pytest.mark.slow
def test_a_batch_that_is_refused_is_halved_here(tmp_path: Path) -> None:
    """In a scratch folder that holds what the benchmark itself keeps there."""
    (tmp_path / ".stdout").write_text("noise")
    findings = Findings("out_of_memory", lambda _: None)
    out_of_memory.run(findings, Asked("cpu", True, tmp_path, 60.0))
    found = {check["name"]: check["status"] for check in findings.checks}
    assert (found["every image is made"], found["the batch is halved"]) == ("ok", "ok")


@pytest.mark.slow
def test_an_architecture_with_random_weights_draws_a_picture(tmp_path: Path) -> None:
    """Finite, not blank, and another for another seed."""
    asked = Asked("cpu", True, tmp_path, 60.0)
    made = loaded("sd3", asked).text2img(samples(2, **settings_of("sd3", asked, steps=2)))
    assert made.finite.all()
    assert all(len(set(pixels.ravel().tolist())) > 8 for pixels in made.pixels)
    assert (made.pixels[0] != made.pixels[1]).any()

"""A training that was stopped or killed ends with the weights of an unbroken one, to the byte."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core import locks
from synthgen.errors import InputError, PlanMismatchError, StoppedError, UnavailableError
from synthgen.finetune import Step, loss_curve

pytestmark = pytest.mark.slow

FEW = {"max_train_steps": 4, "train_batch_size": 2, "variants": 2, "num_validation_images": 2, "learning_rate": 0.01}
LORA = {"name": "lora-{label}", "method": "lora", "settings": FEW | {"rank": 2, "lora_alpha": 4.0, "use_ema": True}}
FULL = {"name": "full", "method": "full", "settings": FEW | {"snr_gamma": 5.0, "gradient_accumulation_steps": 2}}
WORD = {"name": "word", "method": "textual-inversion", "settings": FEW | {"num_vectors": 2}}
KILLED = """
import os, signal, sys
from pathlib import Path
from synthgen import finetune
from synthgen.core import atomic
from synthgen.extensions import EXTENSIONS
from synthgen.runs import load_plan

publish = atomic.publish
def dying(scratch, path):
    publish(scratch, path)
    if path.name == "checkpoint.safetensors":
        os.kill(os.getpid(), signal.SIGKILL)
atomic.publish = dying
plan = load_plan.read(Path(sys.argv[1]), EXTENSIONS, Path(sys.argv[2]))
list(finetune.finetune(finetune.prepare(plan, Path(sys.argv[2])), "cpu"))
"""


@pytest.fixture(autouse=True)
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves are written and not drawn: drawing them takes longer than these trainings."""
    monkeypatch.setattr(loss_curve, "_draw", lambda *_: b"")


def weights(root: Path, name: str) -> dict[str, bytes]:
    """The bytes of an adapter's weights, and of its curve, by path."""
    folder = root / "adapters" / name
    files = [*folder.rglob("*.safetensors"), folder / "losses.csv"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize(("name", "entry"), [("lora-melanoma", LORA), ("full", FULL), ("word", WORD)])
def test_stopped_and_resumed(
    name: str, entry: dict[str, Any], tune: Callable[..., Any], tuned: Path, tmp_path: Path
) -> None:
    """Stopped by a signal after the second step, averages, accumulation and all, it goes on as if nothing were."""
    _, said = tune(tmp_path / "run", "sd", entry, stop_after=2)
    assert isinstance(said[-1], StoppedError)
    assert not (tmp_path / "run" / "adapters" / name).exists()
    tune(tmp_path / "run", "sd", entry)
    assert weights(tmp_path / "run", name) == weights(tuned, name)
    assert not list((tmp_path / "run" / "adapters").glob(".*"))


def test_killed_and_resumed(tune: Callable[..., Any], tmp_path: Path) -> None:
    """Killed right after a checkpoint in another process, it ends with the bytes of an unbroken training."""
    entry = {**LORA, "name": "lora", "settings": LORA["settings"] | {"checkpointing_steps": 2}}
    tune(tmp_path / "unbroken", "sd", entry)
    manifest = (tmp_path / "unbroken.yaml").read_text(encoding="utf-8")
    (tmp_path / "killed.yaml").write_text(manifest, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", KILLED, tmp_path / "killed.yaml", tmp_path / "killed"], timeout=300, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "killed" / "adapters" / ".lora" / "checkpoint.safetensors").is_file()
    tune(tmp_path / "killed", "sd", entry)
    assert weights(tmp_path / "killed", "lora") == weights(tmp_path / "unbroken", "lora")


def test_trained_longer(tune: Callable[..., Any], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """More steps go on from the last state, to the bytes of as many at once; fewer begin anew, to theirs."""

    def entry(steps: int) -> dict[str, Any]:
        more = {"max_train_steps": steps, "resume_from_checkpoint": "latest", "num_validation_images": 0}
        return {**WORD, "settings": WORD["settings"] | more}

    run, at_once = tmp_path / "run", tmp_path / "at-once"
    tune(run, "sd", entry(2))
    short = weights(run, "word")
    with pytest.raises(PlanMismatchError, match=r"has 2 steps .* goes on from there"):
        tune(run, "sd", entry(3))
    caplog.set_level("INFO")
    _, said = tune(run, "sd", entry(3), accept_changes=True)
    assert "goes on from step 2 of 3" in caplog.text
    assert sum(len(one.losses) for one in said if isinstance(one, Step)) == 1
    tune(at_once, "sd", entry(3))
    assert weights(run, "word") == weights(at_once, "word")
    tune(at_once, "sd", entry(2), accept_changes=True)
    assert weights(at_once, "word") == short


def test_a_rate_that_falls_over_the_training_makes_it_no_longer(tune: Callable[..., Any], tmp_path: Path) -> None:
    """A training whose learning rate follows from its length is refused as one to go on from."""
    falls = {"resume_from_checkpoint": "latest", "lr_scheduler": "cosine"}
    with pytest.raises(InputError, match=r"resume_from_checkpoint: .*cosine.* take constant"):
        tune(tmp_path / "run", "sd", {**WORD, "settings": WORD["settings"] | falls})


def test_what_is_finished_is_not_trained_again(tune: Callable[..., Any], tuned: Path) -> None:
    """The same command again does nothing."""
    before = {path: path.stat().st_mtime_ns for path in (tuned / "adapters").rglob("*")}
    assert tune(tuned, "sd", LORA, FULL, WORD)[1] == []
    assert {path: path.stat().st_mtime_ns for path in (tuned / "adapters").rglob("*")} == before


def test_one_adapter_is_trained_by_one_process(tune: Callable[..., Any], tmp_path: Path) -> None:
    """A second that is asked for it is told so in one line and touches nothing; the first leaves no lock behind."""
    folder = tmp_path / "run" / "adapters"
    tune(tmp_path / "run", "sd", LORA, stop_after=0)
    folder.mkdir()
    with (
        locks.held(folder / ".lora-melanoma.lock", passing=True),
        pytest.raises(InputError, match=r"adapters/lora-melanoma: another process trains it; wait until it is done"),
    ):
        tune(tmp_path / "run", "sd", LORA)
    assert not list(folder.iterdir())


def test_another_recipe_is_refused(tune: Callable[..., Any], tuned: Path) -> None:
    """An adapter of other settings under the same name is never mixed in or written over."""
    manifest = tuned.with_suffix(".yaml")
    text = manifest.read_text(encoding="utf-8")
    with pytest.raises(PlanMismatchError, match="adapters/full"):
        tune(tuned, "sd", LORA, {**FULL, "settings": FULL["settings"] | {"learning_rate": 0.02}}, WORD)
    manifest.write_text(text, encoding="utf-8")


def test_another_environment_is_refused(
    tune: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that was begun with other versions is not gone on with in silence."""
    from synthgen.finetune import environment

    tune(tmp_path / "run", "sd", LORA, stop_after=2)
    real = environment.version
    monkeypatch.setattr(environment, "version", lambda name: "0.1" if name == "torch" else real(name))
    with pytest.raises(UnavailableError, match=r"\.lora-melanoma .*versions"):
        tune(tmp_path / "run", "sd", LORA)

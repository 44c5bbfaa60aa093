"""The command trains adapters, says what it did, and stops when it is asked to; `run` begins with it."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from synthgen.cli import _signals

Synthgen = Callable[..., Any]
ENTRY = {"name": "text", "strategy": "fake", "per_cell": 1, "adapter": "tuned", "settings": {"height": 16, "width": 16}}


@pytest.fixture
def study(write_manifest: Callable[..., Path], tiny_model: Callable[[str], Path]) -> Path:
    """A manifest that trains one LoRA of a tiny model, a single step, and draws patterns with it."""
    settings = {"max_train_steps": 1, "variants": 1, "train_batch_size": 1, "num_validation_images": 0, "rank": 1}
    return write_manifest(
        model=str(tiny_model("sd")), prompts="sagers2023", generate=[ENTRY],
        real={"source": "phantom", "count": 12, "splits": {"train": 1.0}},
        finetune=[{"name": "tuned", "method": "lora", "generator_pool": {"n": 1}, "settings": settings}],
    )  # fmt: skip


@pytest.mark.slow
def test_run_begins_with_it(synthgen: Synthgen, study: Path, tmp_path: Path) -> None:
    """The whole study follows from one command: the adapter, its images, the dataset that tells of it, the preview."""
    said = synthgen("run", study, "--out", tmp_path / "study")
    assert said.code == 0
    stages = [line for line in said.err.splitlines() if line.endswith(" ...")]
    assert stages == ["finetune ...", "generate ...", "pack ...", "preview ..."]
    assert "tuned: 1 of 1 steps" in said.err
    provenance = json.loads((tmp_path / "study" / "dataset" / "provenance.json").read_bytes())
    [(name, facts)] = provenance["adapters"].items()
    assert name.startswith("tuned@")
    assert len(facts["pool"]) == 2
    again = synthgen("finetune", study, "--out", tmp_path / "study" / "work")
    assert again.out.startswith("1 adapters in ")
    assert "1 of them from before" in again.out


@pytest.mark.slow
def test_a_signal_is_exit_code_75(
    synthgen: Synthgen, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked to stop, it keeps what it has and says how to go on."""

    @contextmanager
    def heard() -> Iterator[Callable[[], bool]]:
        yield lambda: True

    assert synthgen("plan", study).code == 0
    monkeypatch.setattr(_signals, "stoppable", heard)
    monkeypatch.setattr("synthgen.cli._options.plan", planned)
    said = synthgen("finetune", study, "--out", tmp_path / "run")
    assert said.code == 75
    assert said.err == "error: stopped by a signal; run the same command again to go on\n"


def planned(manifest: Path, root: Path, *, quiet: bool) -> Any:
    """The plan, without asking whether to stop while it is made."""
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    return load_plan.read(manifest, EXTENSIONS, root)


def test_generate_without_the_adapter_is_one_line(synthgen: Synthgen, study: Path, tmp_path: Path) -> None:
    """What has to be trained first is said, with the command that does it, and nothing is made."""
    said = synthgen("generate", study, "--out", tmp_path / "run", "-q")
    assert said.code == 1
    assert said.err.startswith("error: adapter `tuned` is not trained yet (no ")
    assert said.err.endswith("run `synthgen finetune` first\n")
    assert not (tmp_path / "run" / "text").exists()


def test_plan_shows_the_adapters(synthgen: Synthgen, study: Path) -> None:
    """The dry run says what each adapter is trained by and on, and which entry uses it."""
    out = synthgen("plan", study).out
    assert "adapter tuned: lora, 2 real images of psoriasis, healthy" in out
    assert "text: fake, tuned" in out


def test_without_adapters_there_is_nothing_to_do(
    synthgen: Synthgen, write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A manifest that asks for none is no fault."""
    said = synthgen("finetune", write_manifest(), "--out", tmp_path / "run")
    assert (said.code, said.out) == (0, "the manifest asks for no adapter; nothing to do\n")

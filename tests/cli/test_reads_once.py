"""No command reads the manifest of a run more than once, whatever it does with the plan."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import study
from synthgen.cli import call
from synthgen.plan import manifest

CURATE = {"scorers": {"quality": {}}, "keep": ["quality.sharpness > 0"]}
REAL = {"source": "phantom", "count": 24, "seed": 5, "splits": {"train": 0.5, "test": 0.5}}
CHAIN = [
    {"name": "first", "strategy": "fake", "per_source": 1},
    {"name": "second", "strategy": "fake", "from": "first", "settings": {"width": 32, "height": 32}},
]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was parsed as a manifest."""
    found, parse = list[str](), manifest.parse

    def counted(text: str, *arguments: Any, **options: Any) -> Any:
        found.append(options["where"])
        return parse(text, *arguments, **options)

    monkeypatch.setattr(manifest, "parse", counted)
    return found


@pytest.fixture(scope="module")
def made(
    make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run with rules, judged and packed."""
    root = tmp_path_factory.mktemp("made")
    make_images(make_plan(curate=CURATE), root / "work")
    study.curate(root / "work").result()
    study.pack(root / "work", root / "dataset").result()
    return root


@pytest.mark.parametrize(
    ("arguments", "times"),
    [
        (("verify", "work"), 1),
        (("verify", "dataset"), 0),
        (("curate", "work"), 1),
        (("curate", "work", "--report"), 1),
        (("pack", "work", "--out", "again"), 1),
        (("pack", "work", "--out", "dataset"), 1),
        (("preview", "work", "--out", "page.html"), 1),
        (("preview", "dataset", "--out", "page.html"), 0),
        (("reproduce", "work", "fake-psoriasis-1-0000000", "--out", "work.png"), 1),
        (("reproduce", "dataset", "fake-psoriasis-1-0000000", "--out", "dataset.png"), 1),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else str(value),
)
def test_a_command_on_a_folder(
    arguments: tuple[str, ...], times: int, made: Path, parsed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, or not at all where no plan is needed."""
    monkeypatch.chdir(made)
    assert call([*arguments, "-q"]) == 0
    assert len(parsed) == times


def test_a_whole_study(
    write_manifest: Callable[..., Path], parsed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the first to the last verb, and again where all is there."""
    path = write_manifest(real=REAL, generate=CHAIN, curate=CURATE)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        assert call(["run", os.fspath(path), "--out", "study", "-q"]) == 0
        assert len(parsed) == 1
        parsed.clear()


def test_topping_up(write_manifest: Callable[..., Path], parsed: list[str], tmp_path: Path) -> None:
    """However many rounds are planned beyond the manifest."""
    path = write_manifest(curate={**CURATE, "keep": ["quality.sharpness > 10"], "quota": 5, "top_up_rounds": 2})
    call(["generate", os.fspath(path), "--out", os.fspath(tmp_path / "run"), "--top-up", "-q"])
    assert len(study.open_run(tmp_path / "run").plan.rounds) > 0
    assert len(parsed) == 2  # the second is of the line above

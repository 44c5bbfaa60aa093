"""``synthgen curate`` scores, judges, says who survives, and fails where something was demanded and missed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.plan import Plan
from synthgen.runs import verdicts

BLOCK: dict[str, Any] = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]}


@pytest.fixture(scope="module")
def curated(
    make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of 24 images whose manifest says what to keep; nobody changes it."""
    root = tmp_path_factory.mktemp("curated") / "run"
    make_images(make_plan(curate=BLOCK), root)
    return root


@pytest.fixture
def run(curated: Path, tmp_path: Path) -> Path:
    """A copy of the run."""
    return Path(shutil.copytree(curated, tmp_path / "run"))


def test_survivors_are_shown(run: Path, synthgen: Callable[..., Any]) -> None:
    """A table an entry, a table of reasons, the ratio of both rates, and files beside."""
    said = synthgen("curate", run)
    assert said.code == 0
    facts = verdicts.read_summary(run)
    assert facts is not None
    for text in ("fake: accepted / judged", "psoriasis", "fails fake.chance < 0.5", "beside light skin, ratio of"):
        assert text in said.out
    assert f"{facts.accepted} of 24 images accepted" in said.out
    assert {"verdicts.parquet", "survivors.csv", "survivors.png"} <= {path.name for path in run.iterdir()}


def test_a_second_time_nothing_is_scored(run: Path, synthgen: Callable[..., Any]) -> None:
    """Scores are kept, so judging again says nothing of scoring, and writes the same verdicts."""
    assert "24 of 24" in synthgen("curate", run).err
    before = (run / "verdicts.parquet").read_bytes()
    assert synthgen("curate", run).err == ""
    assert (run / "verdicts.parquet").read_bytes() == before


def test_a_quota_that_is_missed_is_a_failure(
    run: Path, synthgen: Callable[..., Any], write_manifest: Callable[..., Path]
) -> None:
    """Another manifest of the same images judges by its own rules, is kept, and names the cells that lack images."""
    other = write_manifest(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0"], "quota": 2})
    said = synthgen("curate", run, "--manifest", other, "--quiet")
    assert (said.code, said.out) == (1, "")
    lines = [line for line in said.err.splitlines() if line.startswith("error")]
    assert lines[0] == "error: quota: fake, psoriasis, skin tone I: 0 accepted, 2 lacking"
    assert len(lines) == 6
    assert synthgen("curate", run).code == 1


def test_parity_fails_only_where_it_is_demanded(
    run: Path, synthgen: Callable[..., Any], write_manifest: Callable[..., Path], write_dark_scores: Callable[..., None]
) -> None:
    """A filter that rejects dark skin alone is marked in the table, and fails with the flag or by the manifest."""
    write_dark_scores(run)
    said = synthgen("curate", run)
    assert said.code == 0
    assert "REJECTS DARK SKIN MORE OFTEN" in said.out
    said = synthgen("curate", run, "--require-parity")
    assert said.code == 1
    assert "parity: `fails fake.chance < 0.5` rejects dark skin more often than light: - (" in said.err
    demanding = write_manifest(curate=BLOCK | {"parity": {"required": True}})
    assert synthgen("curate", run, "--manifest", demanding).code == 1
    lenient = write_manifest(curate=BLOCK | {"parity": {"required": True, "max_ratio": 90.0}})
    assert synthgen("curate", run, "--manifest", lenient).code == 0


@pytest.fixture
def write_dark_scores(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Makes the fake scorer reject dark skin alone."""

    def write(_: Path) -> None:
        from synthgen.curate.scorers import fake

        def score(batch: Any) -> dict[str, Any]:
            return {
                "chance": [one.fitzpatrick / 6 - 0.1 for one in batch.records],
                "brightness": [0] * len(batch.records),
            }

        opened = fake.open_scorer
        monkeypatch.setattr(fake, "open_scorer", lambda *given: type(opened(*given))({"method": "dark"}, lambda: score))

    return write


def test_what_is_no_curated_run_is_refused(
    made: Path, run: Path, refused: Callable[..., list[str]], write_manifest: Callable[..., Path]
) -> None:
    """A run without rules, a dataset, and a manifest of other images or without rules are bad input."""
    assert "has no `curate:`" in refused("curate", made / "run")[0]
    assert "no run here" in refused("curate", made / "dataset")[0]
    assert "seed: 7 -> 8" in refused("curate", run, "--manifest", write_manifest(seed=8, curate=BLOCK))[0]
    assert "has no `curate:`" in refused("curate", run, "--manifest", write_manifest())[0]


def test_generate_fills_a_quota(
    synthgen: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """`generate --top-up` ends well once every cell has its quota, and plain `generate` then finds nothing to do."""
    manifest = write_manifest(curate=BLOCK | {"quota": 3})
    said = synthgen("generate", manifest, "--out", tmp_path / "new", "--top-up")
    assert said.code == 0
    assert "images beyond the plan's in " in said.out
    images = len(list((tmp_path / "new").rglob("*.tar")))
    assert synthgen("generate", manifest, "--out", tmp_path / "new", "--quiet").code == 0
    assert len(list((tmp_path / "new").rglob("*.tar"))) == images


def test_a_quota_that_can_not_be_filled_is_said(
    synthgen: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """Each cell that lacks images is a line, and the exit code is 1."""
    manifest = write_manifest(curate=BLOCK | {"keep": ["fake.chance < 0"], "quota": 1, "top_up_rounds": 0})
    said = synthgen("generate", manifest, "--out", tmp_path / "new", "--top-up", "--quiet")
    assert said.code == 1
    assert said.err.count("error: quota: fake, ") == 6


def test_topping_up_needs_a_quota_and_the_whole_run(
    refused: Callable[..., list[str]], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """Without a quota, or on a part of the run, it is refused with what to do."""
    out = tmp_path / "new"
    assert "no `curate.quota`" in refused("generate", write_manifest(curate=BLOCK), "--out", out, "--top-up")[0]
    manifest = write_manifest(curate=BLOCK | {"quota": 1})
    assert "leave out --shards" in refused("generate", manifest, "--out", out, "--top-up", "--limit", 3)[0]

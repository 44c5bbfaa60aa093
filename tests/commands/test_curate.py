"""``synthgen curate``: scores, judges, and says what is kept."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CURATION = {"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]}


@pytest.fixture
def curated(synthgen: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path) -> Callable[..., Any]:
    """Makes the small run with a curation and curates it; returns what was said."""

    def command(*options: object, **changes: Any) -> Any:
        assert synthgen("generate", write_manifest(curate=CURATION | changes), "--out", tmp_path / "run").code == 0
        return synthgen("curate", tmp_path / "run", *options)

    return command


def test_it_shows_who_survives_and_why(curated: Callable[..., Any]) -> None:
    """A table of what is kept of each label and tone, the count of each rule, and the parity with its interval."""
    said = curated()
    assert said.code == 0
    assert "psoriasis" in said.out
    assert "rejected by fake.chance < 0.5: " in said.out
    assert "95 % interval" in " ".join(said.out.split())


def test_a_missed_quota_is_exit_1(curated: Callable[..., Any]) -> None:
    """Each cell that lacks images is named."""
    said = curated(quota=100)
    assert said.code == 1
    assert "quota missed: healthy, skin tone VI lacks " in said.err


def test_parity_is_demanded_by_an_option(curated: Callable[..., Any]) -> None:
    """Rules that reject dark skin alone are shown, and fail only where parity is demanded."""
    unfair = {"scorers": {"fake": {}}, "keep": ["highest 4 by fake.chance"], "parity": 1.0}
    assert curated("--require-parity", **unfair).code == 0


def test_another_manifest_brings_other_rules(
    curated: Callable[..., Any], synthgen: Callable[..., Any], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """With `--manifest`, the same images are judged by that manifest's rules, without being scored again."""
    curated()
    other = write_manifest(curate=CURATION | {"keep": ["fake.chance < 2"]})
    said = synthgen("curate", tmp_path / "run", "--manifest", other)
    assert said.code == 0
    assert "24/24" not in said.err
    assert "rejected by" not in said.out


def test_faults_of_curation_are_listed_with_the_others(
    refused: Callable[..., list[str]], write_manifest: Callable[..., Path], tmp_path: Path
) -> None:
    """A scorer, a setting, a column and a rule that are not there are told at once, each with what is near."""
    curation = {
        "scorers": {"fakee": {}, "fake": {"offsett": 1}},
        "keep": ["fake.chanse < 1", "fake.chance is low"],
        "quotas": 3,
    }
    lines = refused("generate", write_manifest(curate=curation, name="Bad Name"), "--out", tmp_path / "run")
    assert [line.partition(":")[0] for line in lines] == [
        "curate.quotas",
        "name",
        "curate.scorers.fakee",
        "curate.scorers.fake.offsett",
        "curate.keep[0]",
        "curate.keep[1]",
    ]
    assert "did you mean `chance`?" in lines[4]

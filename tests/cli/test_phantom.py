"""``synthgen phantom`` writes an image folder, says so, and refuses what it can't do in one line a fault."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SMALL = ["--per-cell", 2, "--seed", 1, "--label", "melanoma", "--label", "healthy", "--tone", 1, "--tone", 6]


def listed(out: Path) -> list[dict[str, str]]:
    with (out / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_it_writes_the_folder(synthgen: Callable[..., Any], tmp_path: Path) -> None:
    """Images, masks and metadata are there, and the last line says how many."""
    out = tmp_path / "out"
    said = synthgen("phantom", "--out", out, *SMALL, "--masks", "--site", "b")
    assert (said.code, said.out) == (0, f"8 phantoms in {out}, 8 of them new\n")
    assert "8 of 8 images" in said.err
    assert len(list((out / "images").iterdir())) == len(list((out / "masks").iterdir())) == 8
    assert {(row["label"], row["skin_tone"], row["site"]) for row in listed(out)} == {
        (label, tone, "b") for label in ("melanoma", "healthy") for tone in ("I", "VI")
    }


def test_all_conditions_and_tones_by_default(synthgen: Callable[..., Any], tmp_path: Path) -> None:
    """Without --label, --tone and --site: nine conditions on six types at site a, and no masks."""
    assert synthgen("phantom", "--out", tmp_path / "out", "--per-cell", 1, "--seed", 0).code == 0
    rows = listed(tmp_path / "out")
    assert len(rows) == len({(row["label"], row["skin_tone"]) for row in rows}) == 54
    assert {row["site"] for row in rows} == {"a"}
    assert not (tmp_path / "out" / "masks").exists()


def test_again_there_is_nothing_to_do(synthgen: Callable[..., Any], tmp_path: Path) -> None:
    """The same command again says so and exits with 0."""
    command = ["phantom", "--out", tmp_path / "out", *SMALL]
    synthgen(*command)
    assert synthgen(*command) == (0, f"{tmp_path / 'out'}: nothing to do\n", "")


def test_quiet_says_nothing(synthgen: Callable[..., Any], tmp_path: Path) -> None:
    """`-q` prints nothing when all is well."""
    assert synthgen("phantom", "--out", tmp_path / "out", *SMALL, "-q") == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "faults"),
    [
        (["--label", "acne"], ["no condition `acne`; there are: psoriasis, "]),
        (["--site", "c"], ["no site `c`; there are: a, b"]),
        (["--tone", 7], ["no Fitzpatrick type 7; there are: 1 to 6"]),
        (["--tone", 7, "--site", "c"], ["no Fitzpatrick type 7", "no site `c`"]),
        (["--per-cell", 0], ["Invalid value for '--per-cell'"]),
        (["--seed", -1], ["Invalid value for '--seed'"]),
        (["--tone", "IV"], ["Invalid value for '--tone'"]),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) and value[0].startswith("--") else "",
)
def test_bad_input_is_one_line_a_fault(
    arguments: list[object], faults: list[str], refused: Callable[..., list[str]], tmp_path: Path
) -> None:
    """An unknown label, type or site, or a bad number, is exit 2 and leaves nothing behind."""
    said = refused("phantom", "--out", tmp_path / "out", "--per-cell", 1, "--seed", 1, *arguments)
    assert len(said) == len(faults)
    assert all(line.startswith(fault) for line, fault in zip(said, faults, strict=True))
    assert not (tmp_path / "out").exists()


def test_a_folder_of_somebody_s_is_refused(refused: Callable[..., list[str]], tmp_path: Path) -> None:
    """Nothing is written into a folder that holds anything else."""
    (tmp_path / "mine.txt").write_text("mine")
    assert "is not empty and no folder of phantoms" in refused("phantom", "--out", tmp_path, *SMALL)[0]
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_help_says_what_phantoms_are_not(synthgen: Callable[..., Any]) -> None:
    """Nobody takes them for medical images who has read the help."""
    assert "Not medical truth" in synthgen("phantom", "--help").out

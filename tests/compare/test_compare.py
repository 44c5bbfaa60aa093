"""Several runs of the same prompts and seeds become a sheet, a league table and a page."""

import csv
import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from synthgen import curate, study
from synthgen.compare import Comparison, compare
from synthgen.core import checksums
from synthgen.errors import InputError, StoppedError
from synthgen.runs.folders import Run
from synthgen.vision.features import user_cache

FILES = {"compare.html", "compare.md", "compare.csv", "sheet.png", "SHA256SUMS"}


@pytest.fixture(scope="module")
def written(runs: tuple[Run, ...], tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """The comparison of the three runs at a price, after all were judged."""
    for run in runs:
        for _ in curate.score(curate.prepare(run.plan, run.root), lambda: False):
            pass
        curate.judge(run.root, run.plan)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(user_cache, "folder", lambda: runs[0].root.parent.parent / "features")
        return compare(runs, tmp_path_factory.mktemp("out"), price=3.6, rows=6)


def table(out: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """The rows of the CSV by group, generator and measure."""
    with (out / "compare.csv").open(newline="", encoding="utf-8") as file:
        return {(row["group"], row["generator"], row["measure"]): row for row in csv.DictReader(file)}


def test_every_number_says_of_how_many_images(written: Comparison) -> None:
    """Whatever has a value has an n; whatever has none has a note."""
    rows = table(written.out)
    assert all(int(row["n"]) > 0 for row in rows.values() if row["value"])
    assert all(row["note"] for row in rows.values() if not row["value"])
    assert {(row["n"], row["interval"]) for key, row in rows.items() if key[2] == "agreement" and key[0] == "all"} == {
        ("23", "Wilson")
    }


def test_light_and_dark_skin_have_rows_of_their_own(written: Comparison) -> None:
    """Of each generator, every measure of images."""
    rows = table(written.out)
    for group in ("light (I, II)", "medium (III, IV)", "dark (V, VI)"):
        for name in ("first", "alike", "small"):
            assert rows[group, name, "tone_distance"]["value"]


def test_generators_that_draw_alike_are_not_told_apart(written: Comparison) -> None:
    """No measure with an interval puts one above the other, and no pair differs."""
    for measure in ("agreement", "tone_distance", "near_duplicates", "near_copies", "kept", "kid"):
        found = written.league.told_apart("all", measure)
        assert not {("first", "alike"), ("alike", "first")} & set(found)
    pairs = [one for one in written.pairs if one.generator == "alike"]
    assert pairs
    assert {(one.better, one.worse, one.verdict) for one in pairs} == {(0, 0, "not shown")}


def test_an_image_of_another_attempt_is_not_compared(written: Comparison) -> None:
    """It has another seed, and is counted as such."""
    assert written.images == 23
    assert any(note.startswith("small made 24 of 24") and "1 are not compared" in note for note in written.notes)


def test_what_a_kept_image_costs_follows_from_the_share_kept(written: Comparison) -> None:
    """The cost of an image over the share; at 3.6 an hour a second costs a thousandth."""
    rows = table(written.out)
    for name in ("first", "small"):
        seconds, cost, kept, share = (
            float(rows["all", name, one]["value"]) for one in ("seconds", "cost", "cost_kept", "kept")
        )
        assert cost == pytest.approx(seconds / 1000, rel=1e-6)
        assert kept == pytest.approx(cost / share, rel=1e-6)


def test_the_page_holds_everything_and_nothing_foreign(written: Comparison) -> None:
    """No script, no address, each generator named, the sheet inside."""
    page = (written.out / "compare.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert 'src="data:image/png;base64,' in page
    assert all(name in html.unescape(page) for name in ("first", "alike", "small", "settings.height: 32 -> 16"))
    assert {path.name for path in written.out.iterdir()} == FILES
    assert all(whole for _, whole in checksums.differing(written.out))


@pytest.mark.usefixtures("_one_cache")
def test_again_it_gives_the_same_bytes_and_scores_nothing(
    written: Comparison, runs: tuple[Run, ...], tmp_path: Path
) -> None:
    """Killed or not: what was scored is on disk, and the rest follows from it."""
    told = list[str]()
    compare(runs, tmp_path / "again", price=3.6, rows=6, progress=lambda what, _done, _total: told.append(what))
    assert not [what for what in told if what.startswith("scoring")]
    for path in written.out.iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


def test_the_scores_that_a_run_was_judged_by_stay(written: Comparison, runs: tuple[Run, ...]) -> None:
    """A comparison adds nothing that `pack` would take for another judgement."""
    names = sorted(path.stem for path in (runs[0].root / "scores").glob("[!.]*.parquet"))
    assert names == ["agreement", "quality"]
    assert written.league.of("all", "first", "kept") is not None


@pytest.mark.usefixtures("_one_cache")
def test_a_stop_in_between_leaves_what_was_scored(make_run: Callable[..., Run], tmp_path: Path) -> None:
    """Progress may raise; the next call does not begin from nothing."""
    pair = make_run(tmp_path / "a"), make_run(tmp_path / "b", settings={"seconds": 0.001})

    def stop(what: str, done: int, _total: int) -> None:
        if what == "scoring b by near_copy" and done:
            raise StoppedError("stopped")

    with pytest.raises(StoppedError):
        compare(pair, tmp_path / "out", progress=stop)
    told = list[str]()
    compare(pair, tmp_path / "out", progress=lambda what, _done, _total: told.append(what))
    assert "scoring b by near_copy" in told
    assert "scoring a by near_copy" not in told


def test_without_real_images_what_needs_them_is_said_to_be_missing(
    make_run: Callable[..., Run], tmp_path: Path
) -> None:
    """Skin tone needs none; agreement, near-copies and fidelity are not there, and the notes say so."""
    pair = make_run(tmp_path / "a"), make_run(tmp_path / "<b>", settings={"seconds": 0.001})
    found = compare(pair, tmp_path / "out")
    rows = table(tmp_path / "out")
    assert rows["all", "a", "tone_distance"]["value"]
    assert not any(rows["all", "a", one]["value"] for one in ("agreement", "near_copies", "kept"))
    assert "frechet" not in {measure for _, _, measure in rows}
    assert any("real" in note for note in found.notes)
    assert "<b>" not in (tmp_path / "out" / "compare.html").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_else_is_left_alone(runs: tuple[Run, ...], tmp_path: Path) -> None:
    """Nothing is written into it, and nothing measured before that is said."""
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="choose another folder"):
        compare(runs, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_price_that_is_none_is_refused(runs: tuple[Run, ...], tmp_path: Path) -> None:
    """From Python, as the command refuses it."""
    with pytest.raises(InputError, match="price"):
        study.compare(runs, tmp_path / "out", price=-1)

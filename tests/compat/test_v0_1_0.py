"""What version 0.1.0 left on disk is opened, gone on with and made again by the code of today.

Everything goes through the installed command, as a user's shell does, so no test knows where a module lies. ``make.py``
says how the folder was made; it was moved since, so no path that a run recorded is right.
"""

import csv
import hashlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import entry_points, version
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet
import pytest

OLD = Path(__file__).parent / "v0.1.0"
STUDY, MODEL = Path("runs/study/work"), Path("runs/model/work")
DATASETS = {
    "runs/study/dataset": "webdataset",
    "runs/model/dataset": "webdataset",
    "packed/parquet": "parquet",
    "packed/imagefolder": "imagefolder",
}
PLANS = json.loads((OLD / "plans.json").read_bytes())
CARD, SHEET, PROVENANCE = "README.md", "assets/contact_sheet.png", "provenance.json"
COMPARED = (
    "arm", "strategy", "n_real", "ratio", "against", "against_strategy", "against_ratio", "metric", "subset", "mean",
    "mean_against", "difference", "low", "high", "standard_error", "degrees_of_freedom", "seeds",
)  # fmt: skip
CROISSANT = "croissant.json"  # that later versions write beside


class Said(NamedTuple):
    """What a command left behind: its exit code and what it printed."""

    code: int
    out: str
    err: str


Synthgen = Callable[..., Said]


@pytest.fixture
def synthgen(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Synthgen:
    """Calls the installed command."""
    [script] = entry_points(group="console_scripts", name="synthgen")
    main = script.load()

    def command(*arguments: object) -> Said:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["synthgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        return Said(int(ended.value.code or 0), *capsys.readouterr())

    return command


@pytest.fixture(autouse=True)
def _old(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin in a copy of all that is old."""
    shutil.copytree(OLD, tmp_path / "old")
    monkeypatch.chdir(tmp_path / "old")


def contents(root: Path, pattern: str = "*") -> dict[str, bytes]:
    """The bytes of the files below a folder."""
    found = sorted(path for path in root.rglob(pattern) if path.is_file())
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def environment(entry: str, root: Path) -> Any:
    """What a run pins for an entry."""
    return json.loads((root / "run.json").read_bytes())["entries"][entry]["environment"]


def drift(entry: str, root: Path) -> str:
    """Which other packages are not those that a run pins for an entry; nothing where all are.

    synthgen itself is left out: whatever its version, it has to go on with what 0.1.0 began.
    """
    pins = environment(entry, root)["versions"] | {}
    pins.pop("synthgen")
    return ", ".join(f"{name} {pin}, here {version(name)}" for name, pin in pins.items() if version(name) != pin)


def need_pins(entry: str, root: Path) -> None:
    """Skip where a run may not be gone on with, by design: it was begun with other versions than are here."""
    if other := drift(entry, root):
        pytest.skip(f"begun with {other}")


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows of a Parquet file."""
    return list(pyarrow.parquet.ParquetFile(path).read().to_pylist())


def same(one: Path, other: Path) -> bool:
    """Whether two files are one to the byte; of tables that two versions of pyarrow wrote, to the cell."""
    if one.suffix == ".parquet":
        first, second = (pyarrow.parquet.ParquetFile(path) for path in (one, other))
        if first.metadata.created_by != second.metadata.created_by:
            return first.read().equals(second.read(), check_metadata=True)
    return one.read_bytes() == other.read_bytes()


# verify


@pytest.mark.parametrize("root", [STUDY, MODEL, *DATASETS], ids=str)
def test_every_run_and_dataset_is_whole(root: Path | str, synthgen: Synthgen) -> None:
    """`verify` finds every file of it whole, wherever it lies now."""
    said = synthgen("verify", root)
    assert said.code == 0
    assert "files whole, 0 missing, 0 damaged; " in said.out


def test_what_a_run_lacks_is_missing_not_damaged(synthgen: Synthgen) -> None:
    """`verify` of a run that was stopped half way: exit 3."""
    said = synthgen("verify", "runs/half")
    assert said.code == 3
    assert "3 files whole, 3 missing, 0 damaged; 18 images" in said.out


# generate


def test_a_run_that_was_stopped_ends_with_the_bytes_of_one_that_was_not(synthgen: Synthgen) -> None:
    """Half the shards are there; the rest, two rounds of curation and what a quota lacked come to the same."""
    half = Path("runs/half")
    need_pins("text", half)
    before = contents(half, "*.tar")
    assert synthgen("generate", "study.yaml", "--out", half, "--top-up").code == 0
    whole = contents(STUDY, "*.tar")
    assert 0 < len(before) < len(whole)
    assert contents(half, "*.tar") == whole
    assert same(half / "top_up.json", STUDY / "top_up.json")
    assert same(half / "sources.parquet", STUDY / "sources.parquet")
    assert rows(half / "verdicts.parquet") == rows(STUDY / "verdicts.parquet")


def test_a_run_that_is_whole_is_left_alone(synthgen: Synthgen) -> None:
    """`generate` makes nothing again, top-up included, with other versions too."""
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in STUDY.rglob("*.tar")}
    said = synthgen("generate", "study.yaml", "--out", STUDY)
    assert said.code == 0
    assert "47 images in runs/study/work, 47 of them from before" in said.out
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in STUDY.rglob("*.tar")} == before


def test_a_shard_that_is_lost_is_made_again(synthgen: Synthgen) -> None:
    """Of real images, of an earlier entry's images and of a round beyond the plan, to the same bytes."""
    need_pins("again", STUDY)
    before = contents(STUDY, "*.tar")
    for lost in ("over/00000", "over/00002", "again/00001", "text/00002"):
        (STUDY / f"{lost}.tar").unlink()
    assert synthgen("verify", STUDY).code == 1
    assert synthgen("generate", "study.yaml", "--out", STUDY).code == 0
    assert contents(STUDY, "*.tar") == before


@pytest.mark.slow
def test_a_lost_shard_of_the_bundled_model_is_made_again(synthgen: Synthgen) -> None:
    """On a device of the same name, by prompts alone and with the run's own adapter, to the same bytes."""
    need_pins("tuned-text", MODEL)
    if not has_device_of(MODEL, synthgen):
        pytest.skip("made on another device")
    before = contents(MODEL, "*.tar")
    for path in MODEL.rglob("*.tar"):
        path.unlink()
    synthgen("verify", MODEL)
    assert synthgen("generate", "model.yaml", "--out", MODEL).code == 0
    assert contents(MODEL, "*.tar") == before


def test_run_again_repeats_nothing(synthgen: Synthgen) -> None:
    """A whole study, reported and previewed: the same command changes no image, no dataset and no number."""
    need_pins("text", STUDY)
    study = STUDY.parent
    before, compared = contents(study), comparisons(study)
    sealed = json.loads((study / "dataset/provenance.json").read_bytes())
    said = synthgen("run", "study.yaml", "--out", study)
    assert (said.code, re.findall("(?m)^(?:text|over|again|near_copy|data).*", said.err)) == (0, [])
    after = contents(study)
    rewritten = re.compile(
        r".*(html|svg|png|md|run\.json|\d{5}\.json|/\.samples\.parquet|comparisons\.csv|provenance\.json)"
    )  # and when tars were written, and the checksum of the card
    names = [name for name in before if not rewritten.fullmatch(name)]
    assert len(names) > 60
    assert [name for name in names if after[name] != before[name]] == []
    assert comparisons(study) == compared
    again = json.loads((study / "dataset/provenance.json").read_bytes())
    changed = [name for name, one in sealed["files"].items() if again["files"][name] != one]
    assert changed == ["README.md"]


def comparisons(study: Path) -> list[tuple[str, ...]]:
    """Every difference of a study's report, with its interval where it is of all test images, in any order."""
    with (study / "report/comparisons.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    # the step to the greatest ratio was not compared in earlier versions
    same = [row for row in rows if row["arm"] != row["against"] or row["ratio"] == row["against_ratio"]]
    ends = {"low", "high", "standard_error", "degrees_of_freedom"}
    return sorted(tuple(row[name] for name in COMPARED if row["subset"] == "all" or name not in ends) for row in same)


# reproduce


def has_device_of(root: Path, synthgen: Synthgen) -> bool:
    """Whether this is a device of the name that a run was made on."""
    return f"({environment('text', root)['device_name']})" in synthgen("doctor").out


def check_again(said: Said, out: Path, *, identical: bool) -> None:
    """Check what `reproduce` said: the same bytes where they are promised, and otherwise within 40 dB."""
    assert said.code == 0, said.err
    assert out.is_file()
    if identical:
        assert ": identical;" in said.out


@pytest.mark.parametrize("root", [STUDY, *(name for name in DATASETS if "model" not in name)], ids=str)
@pytest.mark.parametrize("key", ["text-healthy-1-0000008", "again-psoriasis-6-0000002"])
def test_a_pattern_is_made_again(key: str, root: Path | str, synthgen: Synthgen, tmp_path: Path) -> None:
    """One of a round beyond the plan, and one that starts from another, from a run and every layout."""
    said = synthgen("reproduce", root, key, "--out", tmp_path / "again.png")
    check_again(said, tmp_path / "again.png", identical=not drift("text", STUDY))


def test_what_starts_from_a_real_image_is_made_again(synthgen: Synthgen, tmp_path: Path) -> None:
    """Once the manifest has told a run that was moved where its real images lie now."""
    synthgen("generate", "study.yaml", "--out", STUDY)
    said = synthgen("reproduce", STUDY, "over-psoriasis-1-0000000-000", "--out", tmp_path / "again.png")
    check_again(said, tmp_path / "again.png", identical=not drift("over", STUDY))


@pytest.mark.slow
@pytest.mark.parametrize("key", ["text-healthy-6-0000000", "tuned-text-psoriasis-1-0000000", "inside"])
def test_an_image_of_the_bundled_model_is_made_again(key: str, synthgen: Synthgen, tmp_path: Path) -> None:
    """From a prompt, with an adapter and inside a real image: identical where that is promised, else within 40 dB."""
    synthgen("generate", "model.yaml", "--out", MODEL)
    if key == "inside":
        key = json.loads((MODEL / "inside/00000.json").read_bytes())["samples"][0]["key"]
    said = synthgen("reproduce", MODEL, key, "--out", tmp_path / "again.jpg")
    check_again(said, tmp_path / "again.jpg", identical=not drift("text", MODEL) and has_device_of(MODEL, synthgen))


@pytest.mark.slow
def test_an_image_of_a_dataset_is_made_again_with_the_adapter_of_its_run(synthgen: Synthgen, tmp_path: Path) -> None:
    """The adapter is never packed: `--work` names the run that has it."""
    key, out = "tuned-text-psoriasis-1-0000000", tmp_path / "again.jpg"
    said = synthgen("reproduce", "runs/model/dataset", key, "--work", MODEL, "--out", out)
    check_again(said, out, identical=not drift("text", MODEL) and has_device_of(MODEL, synthgen))


# finetune


def test_an_adapter_is_not_trained_again(synthgen: Synthgen) -> None:
    """`finetune` finds the adapter of the run, and leaves its folder as it is."""
    before = contents(MODEL / "adapters")
    said = synthgen("finetune", "model.yaml", "--out", MODEL)
    assert said.code == 0
    assert said.out.startswith(f"1 adapters in {MODEL / 'adapters'}, 1 of them from before")
    assert contents(MODEL / "adapters") == before


# curate


def test_the_same_rules_judge_the_same(synthgen: Synthgen) -> None:
    """No image is scored again, and verdicts and survivors are what they were."""
    verdicts, survivors = rows(STUDY / "verdicts.parquet"), (STUDY / "survivors.csv").read_bytes()
    scores = {path: rows(path) for path in (STUDY / "scores").glob("*.parquet")}
    said = synthgen("curate", STUDY, "--manifest", "study.yaml")
    assert (said.code, said.err) == (0, "")
    assert rows(STUDY / "verdicts.parquet") == verdicts
    assert (STUDY / "survivors.csv").read_bytes() == survivors
    assert {path: rows(path) for path in (STUDY / "scores").glob("*.parquet")} == scores


def test_other_rules_judge_by_the_old_scores(synthgen: Synthgen) -> None:
    """A rule that nothing keeps rejects all, by scores that lie there."""
    Path("other.yaml").write_text(Path("study.yaml").read_text().replace("red.redness < 1.5", "red.redness < 0"))
    said = synthgen("curate", STUDY, "--manifest", "other.yaml")
    assert said.code == 1
    assert [line for line in said.err.splitlines() if re.match("near_copy|quality|red", line)] == []
    assert [row["accepted"] for row in rows(STUDY / "verdicts.parquet")] == [False] * 47


# pack


@pytest.mark.parametrize("name", DATASETS)
def test_packing_an_old_run_gives_the_old_dataset(name: str, synthgen: Synthgen, tmp_path: Path) -> None:
    """Every file but the card, which may say it in other words, and what provenance says of version and card."""
    run, old, new = MODEL if "model" in name else STUDY, Path(name), tmp_path / "new"
    assert synthgen("pack", run, "--out", new, "--format", DATASETS[name]).code == 0
    drawn = {SHEET} if drift("text", run) else set()  # by another Pillow
    files = set(contents(old)) - {CARD, PROVENANCE} - drawn
    assert set(contents(new)) - {CARD, PROVENANCE, CROISSANT} - drawn == files
    assert [file for file in sorted(files) if not same(old / file, new / file)] == []
    before, after = provenance(old, drawn), provenance(new, drawn)
    assert {key: after[key] for key in before} == before


def provenance(root: Path, left_out: set[str]) -> dict[str, Any]:
    """What a dataset says of itself, but for its version, card and digest, and the bytes of its tables."""
    found = json.loads((root / PROVENANCE).read_bytes())
    names = [
        name for name in found["files"] if name not in left_out | {CARD, CROISSANT} and not name.endswith(".parquet")
    ]
    found["files"] = {name: found["files"][name] for name in names}
    return {key: value for key, value in found.items() if key not in ("generator", "dataset_digest")}


# readers


@pytest.mark.parametrize("name", DATASETS)
def test_datasets_opens_an_old_dataset(name: str, tmp_path: Path) -> None:
    """Every split, with each image, label and skin tone as the dataset's own metadata have them."""
    import datasets

    datasets.disable_progress_bars()
    recorded = {row["key"]: (row["label"], row["skin_tone"], row["image_sha256"]) for row in rows(metadata(name))}
    seen = {}
    for split in {row["split"] for row in rows(metadata(name))}:
        found = datasets.load_dataset(name, split=split, cache_dir=str(tmp_path / "cache"))
        seen |= dict(samples(found))
    assert len(seen) > 10
    assert seen == recorded


def metadata(name: str) -> Path:
    """The table of a dataset's records."""
    return Path(name) / "metadata.parquet"


def samples(found: Any) -> Iterator[tuple[str, tuple[str, str, str]]]:
    """The key, label, skin tone and the image's sha256 of every row, whatever the layout calls its columns."""
    import datasets

    image, label = next(column for column in ("png", "jpg", "image") if column in found.features), "label"
    label = "cls" if "cls" in found.features else label
    for row in found.cast_column(image, datasets.Image(decode=False)):
        content, facts = row[image]["bytes"] or Path(row[image]["path"]).read_bytes(), row.get("json", row)
        digest = hashlib.sha256(content).hexdigest()
        yield facts["key"], (found.features[label].names[row[label]], facts["skin_tone"], digest)


# preview


@pytest.mark.parametrize(("root", "images"), [(STUDY, 47), (MODEL, 12), ("runs/study/dataset", 43)], ids=str)
def test_an_old_run_and_an_old_dataset_are_shown(root: Path | str, images: int, synthgen: Synthgen) -> None:
    """Every picture is on the page, which takes the place of the one that there was."""
    page = Path("runs/study/preview.html")
    assert synthgen("preview", root, "--out", page).code == 0
    assert page.read_text(encoding="utf-8").count(";base64,") >= images
    assert page.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


# classifier-eval


def tables() -> dict[str, bytes]:
    """The CSV files of the report."""
    return contents(Path("runs/study/report"), "*.csv")


def test_a_study_is_not_trained_again(synthgen: Synthgen) -> None:
    """`classifier-eval` finds every training in the report's ledger, and its tables are what they were."""
    need_pins("text", STUDY)  # features are kept by the version of torch
    before, compared, trained = tables(), comparisons(STUDY.parent), contents(Path("runs/study/report/trials"))
    said = synthgen("classifier-eval", "study.yaml", "--out", "runs/study/report", "--workers", 1)
    assert (said.code, "computing features" in said.err) == (0, False)
    assert sorted(before) == ["by_label.csv", "by_skin_tone.csv", "comparisons.csv", "results.csv"]
    again = tables()
    assert {name for name in before if again[name] != before[name]} <= {"comparisons.csv"}
    assert (comparisons(STUDY.parent), contents(Path("runs/study/report/trials"))) == (compared, trained)


def test_a_study_half_done_is_not_gone_on_with(synthgen: Synthgen) -> None:
    """Where a training is missing all are done anew, since another optimizer gives other last digits."""
    trials = Path("runs/study/report/trials")
    old = sorted(trials.rglob("*.safetensors"))
    old.pop().unlink()
    assert synthgen("classifier-eval", "study.yaml", "--out", "runs/study/report", "--workers", 1).code == 0
    new = set(trials.rglob("*.safetensors")) - set(old)
    assert len(new) == len(old) + 1


def test_an_old_report_is_scored_again(synthgen: Synthgen) -> None:
    """`--rescore` needs the predictions alone, and gives the old tables."""
    report, before, compared = Path("runs/study/report"), tables(), comparisons(STUDY.parent)
    for path in [report / name for name in before] + [report / "report.html", report / "report.md"]:
        path.unlink()
    shutil.rmtree(report / "trials")
    assert synthgen("classifier-eval", "study.yaml", "--out", report, "--rescore").code == 0
    again = tables()
    assert {name for name in before if again[name] != before[name]} <= {"comparisons.csv"}
    assert comparisons(STUDY.parent) == compared
    assert (report / "report.html").is_file()


def test_an_old_report_goes_into_a_card(synthgen: Synthgen) -> None:
    """`pack --report` of the report that is in the card already changes no file of the dataset."""
    need_pins("text", STUDY)
    before = contents(Path("runs/study/dataset"))
    assert synthgen("pack", STUDY, "--out", "runs/study/dataset", "--report", "runs/study/report").code == 0
    assert contents(Path("runs/study/dataset")) == before


# real images


def test_drawn_images_are_not_drawn_again(synthgen: Synthgen) -> None:
    """`phantom` of the same arguments has nothing to do, and of one more a cell leaves those that are there."""
    before = contents(Path("photographs"), "*.png")
    few = ("--label", "psoriasis", "--label", "healthy", "--tone", 1, "--tone", 6, "--seed", 1, "--site", "b")
    said = synthgen("phantom", "--out", "photographs", "--per-cell", 5, *few)
    assert said == (0, "photographs: nothing to do\n", said.err)
    assert synthgen("phantom", "--out", "photographs", "--per-cell", 6, *few).code == 0
    after = contents(Path("photographs"), "*.png")
    assert len(after) == len(before) + 4
    assert {name: after[name] for name in before} == before


def test_fetched_images_are_not_fetched_again(synthgen: Synthgen) -> None:
    """Nobody is asked for what is there with its MD5; the host of then is gone."""
    before = contents(Path("fetched/images"))
    assert synthgen("fetch", "fetch.yaml", "-q") == (0, "", "")
    assert synthgen("fetch", "fetch.yaml").out == "2 addresses: 2 there already\n"
    assert contents(Path("fetched/images")) == before
    assert Path("fetched/fetch.csv").read_text().count(",there already,") == 2


# plan


@pytest.mark.parametrize("name", PLANS)
def test_an_old_manifest_plans_the_same(name: str, synthgen: Synthgen) -> None:
    """Counts, cells, bytes and the plan's digest, which covers all that decides an image; a key more may be said."""
    planned = synthgen("plan", f"{name}.yaml", "--json")
    assert planned.code == 0
    assert json.loads(planned.out).items() >= PLANS[name]["json"].items()
    assert f"plan {PLANS[name]['digest']}" in synthgen("plan", f"{name}.yaml").out.splitlines()


# help


def options(told: str) -> set[str]:
    """Every option of a help text, and the choices of each as they stand there."""
    found = re.findall(r"(?m)^ +(-.*?)(?:  |$)", told)
    names = {name for line in found for name in re.findall(r"(?<![\w-])-{1,2}[A-Za-z][\w-]*", line)}
    choices = {f"{line.split()[0]} {one}" for line in found for few in re.findall(r"\[(.*?)\]", line)
               for one in few.split("|")}  # fmt: skip
    return names | choices


@pytest.mark.parametrize("path", sorted((OLD / "help").iterdir()), ids=lambda path: path.stem)
def test_a_command_takes_what_it_took(path: Path, synthgen: Synthgen) -> None:
    """Its arguments are the same, and every option and choice that it had is there; more may have come."""
    told = path.read_text(encoding="utf-8")
    name = [] if path.stem == "synthgen" else [path.stem]
    said = synthgen(*name, "--help")
    assert said.code == 0
    assert said.out.splitlines()[0] == told.splitlines()[0]
    assert options(told) - options(said.out) == set()


def test_there_is_every_command_that_there_was(synthgen: Synthgen) -> None:
    """`synthgen --help` lists them; more may have come."""
    lists = ((OLD / "help/synthgen.txt").read_text(encoding="utf-8"), synthgen("--help").out)
    old, new = ({line.split()[0] for line in told.partition("Commands:\n")[2].splitlines()} for told in lists)
    assert len(old) == 14
    assert old <= new

"""What readers get tells them nothing but the pictures; what they give back is read strictly and counted rightly."""

import csv
import io
import math
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_confint

from synthgen import study
from synthgen.cli import call
from synthgen.core.report import Paragraph, Table
from synthgen.errors import DamagedError, InputError
from synthgen.plan.real_index import Index
from synthgen.reader_study import agreement, analyse, folder, write
from synthgen.runs.folders import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of four cells, with real images of each that nothing starts from, so that they are not indexed yet."""
    size = {"height": 32, "width": 32}
    made = study.generate(
        {
            "name": "readers",
            "seed": 7,
            "labels": {"psoriasis": "psoriasis", "melanoma": "melanoma"},
            "skin_tones": {"scale": "fitzpatrick", "values": [1, 6]},
            "real": {"source": "phantom", "count": 96, "seed": 5},
            "generate": [
                {"strategy": "fake", "per_cell": 5, "settings": size},
                {"name": "other", "strategy": "fake", "per_cell": 3, "settings": size},
            ],
        },
        tmp_path_factory.mktemp("readers") / "work",
    )
    return made.result()


@pytest.fixture(scope="module")
def written(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader study; nobody changes it."""
    root = tmp_path_factory.mktemp("study") / "study"
    write(run, root, per_cell=2)
    return root


@pytest.fixture
def handed(written: Path, tmp_path: Path) -> Path:
    """A copy of it to do things to."""
    return Path(shutil.copytree(written, tmp_path / "study"))


def key(root: Path) -> list[dict[str, str]]:
    """What each image is."""
    return list(csv.DictReader(io.StringIO((root / folder.KEY).read_text(encoding="utf-8"))))


def given(root: Path, name: str, says: Callable[[dict[str, str]], dict[str, str]], separator: str = ",") -> Path:
    """A file of answers."""
    path = root.parent / f"answers-{name}.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["id", "real", "label", "wrong"], delimiter=separator, restval="")
        writer.writeheader()
        writer.writerows({"id": row["id"]} | says(row) for row in key(root))
    return path


def right(row: dict[str, str]) -> dict[str, str]:
    """Who sees everything."""
    return {"real": row["kind"], "label": row["true_label"], "wrong": "nothing"}


def test_readers_get_numbered_pictures_of_one_kind_and_nothing_else(written: Path) -> None:
    """No metadata, size, name or word on the page tells a photograph from a synthetic image."""
    rows, handed = key(written), written / folder.READERS
    pictures = sorted((handed / folder.IMAGES).iterdir())
    assert [path.stem for path in pictures] == [row["id"] for row in rows]
    for path in pictures:
        with Image.open(path) as image:
            assert (image.size, image.mode, image.info) == ((32, 32), "RGB", {})
    page = (handed / folder.SHEET).read_text(encoding="utf-8")
    assert not [row["key"] for row in rows if row["key"] in page]
    assert sorted(path.name for path in handed.iterdir()) == [folder.BLANK, folder.IMAGES, folder.SHEET]


def test_cells_have_as_many_photographs_as_synthetic_images(run: Run, written: Path) -> None:
    """Of each label and tone; those that no generator learned from come first."""
    rows = key(written)
    cells = {
        kind: Counter((row["true_label"], row["skin_tone"]) for row in rows if row["kind"] == kind)
        for kind in ("synthetic", "photograph")
    }
    assert cells["synthetic"] == cells["photograph"]
    assert set(cells["synthetic"].values()) == {4}
    index = Index.read(run.root / "sources.parquet")
    split = {one.id: one.split for one in index.sources}
    of_test = Counter((one.label, one.tone) for one in index.usable("test") if one.tone in (1, 6))
    taken = Counter(split[row["key"]] for row in rows if row["kind"] == "photograph")
    assert taken["test"] == sum(min(4, count) for count in of_test.values())
    kinds = [row["kind"] for row in rows]
    assert kinds not in (sorted(kinds), sorted(kinds, reverse=True))


def test_the_same_run_gives_the_same_folder(run: Run, written: Path, tmp_path: Path) -> None:
    """To the byte."""
    write(run, tmp_path / "again", per_cell=2)
    files = [path.relative_to(written) for path in written.rglob("*") if path.is_file()]
    assert [name for name in files if (written / name).read_bytes() != (tmp_path / "again" / name).read_bytes()] == []


def test_where_there_is_no_photograph_nobody_is_asked_for_one(run: Run, tmp_path: Path) -> None:
    """What is left is asked."""
    study = write(run, tmp_path / "study", photographs=False)
    assert [one.name for one in study.questions] == ["label", "wrong"]
    assert study.count("photograph") == 0
    path = given(tmp_path / "study", "ann", lambda row: {"label": row["true_label"]})
    text = path.read_text(encoding="utf-8").replace("id,real,label", "id,label").replace(",,", ",")
    path.write_text(text, encoding="utf-8")
    assert not [one for one in analyse(tmp_path / "study", [path]) if "apart" in getattr(one, "text", "")]


def test_a_reader_who_sees_everything(handed: Path) -> None:
    """Is said to tell them apart, on dark skin as on light."""
    blocks = analyse(handed, [given(handed, "ann", right)])
    [verdict, alone] = [one.text for one in blocks if isinstance(one, Paragraph) and one.strong]
    assert "better than by guessing: +100" in verdict
    assert "one reader" in alone
    tables = [one for one in blocks if isinstance(one, Table)]
    told = {row[0]: row[3] for row in tables[1].rows if "skin" in row[0]}
    assert {group: said[:4] for group, said in told.items()} == {"light skin": "+100", "dark skin": "+100"}
    assert (handed / folder.REPORT / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_readers_who_call_everything_the_same_tell_nothing_apart(handed: Path) -> None:
    """However many of the images are synthetic."""
    blocks = analyse(handed, [given(handed, "ann", lambda _: {"real": "synthetic"})])
    verdict = next(one.text for one in blocks if isinstance(one, Paragraph) and one.strong)
    assert "was not shown" in verdict
    assert "+0 (" in verdict


def test_files_as_programs_of_tables_save_them(handed: Path) -> None:
    """Semicolons, a byte-order mark, lost zeros, capitals, empty rows and other orders are read alike."""
    plain = analyse(handed, [given(handed, "ann", right)])
    path = given(handed, "ann", right, ";")
    lines = path.read_text(encoding="utf-8").replace("Nothing", "nothing").splitlines()
    changed = [
        f"{lines[0]};;",
        *(line.lstrip("0").replace("photograph", "Photograph") for line in reversed(lines[1:])),
        ";;;",
    ]
    path.write_bytes(("\ufeff" + "\r\n".join(changed)).encode())
    assert analyse(handed, [path]) == plain


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,real\n999,photograph\n", "line 2: id `999`: no image"),
        ("id,real\n1,photograph\n1,synthetic\n", "line 3: id `1`: twice"),
        ("id,real\n1,maybe\n", "line 2: real: `maybe`: none of photograph, synthetic"),
        ("id,reel\n1,photograph\n", "no column `reel`"),
        ("number,real\n1,photograph\n", "no column `id`"),
        ("id,real,real\n1,photograph,\n", "`real` stands there twice"),
        ("id,real\n1,photograph,more\n", "more cells than columns"),
        ("id,real\n", "not one answer"),
        ("", "no column `id`"),
        ('id,real\n1,"photograph\n', "line 2"),
        ("id,real\n1,photo\0graph\n", "answers-ann.csv"),
    ],
    ids=["image", "twice", "answer", "column", "no id", "two columns", "cells", "nothing", "empty", "quote", "zero"],
)
def test_answers_at_fault_are_refused_in_a_line(content: str, said: str, handed: Path) -> None:
    """With the file and its row."""
    path = handed.parent / "answers-ann.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        analyse(handed, [path])
    assert said in str(caught.value)
    assert "answers-ann.csv" in str(caught.value)
    assert not (handed / folder.REPORT).exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("questions: []", "give `questions:`"),
        ("questions: [real, real]", "twice"),
        ("questions: [{name: id, ask: Which}]", "none of id"),
        ("questions: [{name: sure, ask: Sure, answers: [yes, no]}]", "in quotes"),
        ("questions: [{name: sure, ask: Sure, answers: [a, a]}]", "twice"),
        ("questions: [{name: sure}]", "questions[0]"),
        ("questions: {a: b}", "give `questions:`"),
    ],
)
def test_questions_at_fault_are_refused_in_a_line(content: str, said: str, run: Run, tmp_path: Path) -> None:
    """And no folder is made."""
    path = tmp_path / "questions.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"questions\.yaml") as caught:
        write(run, tmp_path / "study", questions=path)
    assert said in str(caught.value)
    assert not (tmp_path / "study").exists()


def test_questions_of_ones_own_and_text_that_is_no_markup(run: Run, tmp_path: Path) -> None:
    """They are asked as they stand."""
    path = tmp_path / "questions.yaml"
    path.write_text("questions: [real, {name: note, ask: '<b>Why?</b> & how'}]", encoding="utf-8")
    study = write(run, tmp_path / "study", questions=path)
    assert [(one.name, one.answers) for one in study.questions][1] == ("note", ())
    page = (tmp_path / "study" / folder.READERS / folder.SHEET).read_text(encoding="utf-8")
    assert "&lt;b&gt;Why?&lt;/b&gt; &amp; how" in page
    assert "<b>" not in page


def test_nothing_of_somebody_is_written_over_and_a_changed_key_is_refused(run: Run, handed: Path) -> None:
    """Answers may lie in a folder that is not empty."""
    with pytest.raises(InputError, match="is not empty"):
        write(run, handed)
    path = given(handed, "ann", right)
    text = (handed / folder.KEY).read_text(encoding="utf-8")
    (handed / folder.KEY).write_text(text.replace("synthetic", "photograph"), encoding="utf-8")
    with pytest.raises(DamagedError, match=r"key\.csv"):
        analyse(handed, [path])


def test_of_a_patient_there_is_one_image(tmp_path: Path) -> None:
    """Be it the photograph, or one of the ten that were made from it."""
    size = {"height": 32, "width": 32}
    run = study.generate(
        {
            "name": "readers",
            "seed": 7,
            "labels": {"psoriasis": "psoriasis", "melanoma": "melanoma"},
            "skin_tones": {"scale": "fitzpatrick", "values": [1, 6]},
            "real": {"source": "phantom", "count": 48, "seed": 5},
            "generate": [{"strategy": "fake", "per_source": 3, "settings": size}],
        },
        tmp_path / "work",
    ).result()
    write(run, tmp_path / "study", per_cell=9)
    source = {record.key: record.source_id for record in run.records()}
    group = {one.id: one.group or one.id for one in Index.read(run.root / "sources.parquet").sources}
    shown = [group[source.get(row["key"], row["key"])] for row in key(tmp_path / "study")]
    assert len(shown) > 8
    assert len(set(shown)) == len(shown)


def test_no_name_of_a_real_image_is_in_the_report(handed: Path) -> None:
    """The key, which has them, is its owner's alone."""
    analyse(handed, [given(handed, "ann", right)])
    text = (handed / folder.REPORT / "answers.csv").read_text(encoding="utf-8")
    assert not [row["key"] for row in key(handed) if row["key"] in text]
    assert (handed / folder.KEY).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("k", "n"), [(0, 7), (7, 7), (5, 12), (50, 200)])
def test_a_share_has_wilsons_interval(k: int, n: int) -> None:
    """As statsmodels computes it."""
    found = agreement.share({str(place): [place < k] for place in range(n)})
    assert (found.low, found.high) == pytest.approx(proportion_confint(k, n, method="wilson"))


def test_a_difference_has_newcombes_interval() -> None:
    """As statsmodels computes it."""
    one, other = (agreement.share({str(n): [n < k] for n in range(of)}) for k, of in ((56, 70), (48, 80)))
    found = agreement.difference(one, other)
    wanted = confint_proportions_2indep(56, 70, 48, 80, method="newcomb", compare="diff")
    assert (found.low, found.high) == pytest.approx(wanted)


def test_kappa_is_cohens() -> None:
    """As scikit-learn computes it; its interval has it, and is the same again."""
    pairs = [("a", "a")] * 20 + [("a", "b")] * 5 + [("b", "a")] * 10 + [("b", "b")] * 15 + [("c", "b")] * 2
    found = agreement.kappa(pairs, 1)
    assert found.value == pytest.approx(cohen_kappa_score(*zip(*pairs, strict=True)))
    assert found.low < found.value < found.high
    assert agreement.kappa(pairs, 1) == found


def test_kappas_interval_is_not_known_where_hardly_any_answer_differs() -> None:
    """Draws without that one answer give no kappa, and leaving them out would give an interval of no width."""
    found = agreement.kappa([("a", "a")] * 9 + [("a", "b")], 1)
    assert (found.value, found.images) == (0.0, 10)
    assert math.isnan(found.low)


def test_the_command_writes_and_reads_back(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From a run to what two readers saw."""
    out = tmp_path / "readers"
    assert call(["reader-study", str(run.root), "--out", str(out), "--per-cell", "1"]) == 0
    said = capsys.readouterr()
    assert "8 synthetic images and 8 photographs" in said.out
    assert "photographs" in said.err
    files = [str(given(out, name, right)) for name in ("ann", "ben")]
    assert call(["reader-study", str(out), "--answers", files[0], "--answers", files[1]]) == 0
    assert "better than by guessing" in capsys.readouterr().out
    assert call(["reader-study", str(out), "--answers", files[0], "--answers", files[0]]) == 2
    assert call(["reader-study", str(run.root)]) == 2
    assert call(["reader-study", str(out), "--per-cell", "3", "--answers", files[0]]) == 2
    assert call(["reader-study", str(run.root), "--out", str(out)]) == 2

"""The front door for Python: light, complete, and the same as the command line on the same files."""

import copy
import inspect
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import synthgen
from synthgen.cli import call

DOCUMENT: dict[str, Any] = {
    "name": "small",
    "seed": 7,
    "labels": {"psoriasis": "psoriasis", "healthy": "healthy skin"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 6]},
    "generate": [{"strategy": "fake", "per_cell": 6, "settings": {"height": 32, "width": 32}}],
    "output": {"image_format": "png", "shard_samples": 5},
    "curate": {"scorers": {"quality": {}}, "keep": ["quality.sharpness > 0"]},
}
PLAIN = {key: value for key, value in DOCUMENT.items() if key != "curate"}
REAL = {"source": "phantom", "count": 60, "seed": 5, "splits": {"train": 0.5, "validation": 0.25, "test": 0.25}}
EVALUATE = {
    "real": REAL,
    "evaluate": {
        "n_real": [2],
        "ratios": [1],
        "seeds": 2,
        "arms": ["real", "real+synthetic"],
        "learner": {"kind": "probe", "optimizer_steps": 5},
    },
}
HEAVY = ("torch", "numpy", "pydantic", "PIL", "pyarrow", "pandas", "scipy", "yaml", "click", "tqdm", "rich", "jinja2")
VERBS = ("compare", "curate", "evaluate", "finetune", "generate", "pack", "plan", "preview", "publish")


def python(code: str) -> Any:
    """What a program prints as JSON, in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_it_loads_nothing_heavy() -> None:
    """Neither the package, nor asking it what it has."""
    code = f"import sys, json, synthgen; dir(synthgen); print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    assert python(code) == []


def test_a_plan_takes_no_pytorch() -> None:
    """Reading a manifest and planning it."""
    code = f"import sys, json, synthgen; synthgen.plan({DOCUMENT!r}); print(json.dumps('torch' in sys.modules))"
    assert python(code) is False


def test_all_that_it_lists_is_there() -> None:
    """Each name, in a fresh interpreter and in any order; `dir` shows them, and `import *` takes them."""
    code = """
import json, synthgen
found = {name: type(getattr(synthgen, name)).__name__ for name in reversed(synthgen.__all__)}
from synthgen import *
print(json.dumps([sorted(found), sorted(set(synthgen.__all__) - set(dir(synthgen)))]))
"""
    assert python(code) == [sorted(synthgen.__all__), []]


def test_what_it_does_not_have_is_said() -> None:
    """As any module does."""
    with pytest.raises(AttributeError, match="nothing_like_this"):
        _ = synthgen.nothing_like_this  # type: ignore[attr-defined]


EACH_VERB = """
import inspect, json, os, sys, warnings
import numpy, pydantic, pyarrow.parquet, yaml, PIL.Image  # once, since they are heavy and none of them is synthgen's

warnings.filterwarnings("ignore", ".*fork", DeprecationWarning)  # of numpy's threads, which have done nothing yet
for verb in sys.argv[1:]:
    if not (process := os.fork()):
        exec(f"from synthgen.{verb} import __name__ as room")
        import synthgen
        called = getattr(synthgen, verb)
        print(json.dumps([room, callable(called), next(iter(inspect.signature(called).parameters))]), flush=True)
        os._exit(0)
    os.waitpid(process, 0)
"""


@pytest.fixture(scope="module")
def verbs_imported_first() -> dict[str, Any]:
    """What each verb's package and function are, in an interpreter that asked for the package before all else."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EACH_VERB, *VERBS], capture_output=True, text=True, check=True
    )
    return dict(zip(VERBS, map(json.loads, done.stdout.splitlines()), strict=True))


@pytest.mark.parametrize("name", VERBS)
def test_a_verb_is_called_however_it_was_imported(name: str, verbs_imported_first: dict[str, Any]) -> None:
    """Though a package has its name, and whichever of both was asked for first."""
    first = next(iter(inspect.signature(getattr(synthgen, name)).parameters))
    assert verbs_imported_first[name] == [f"synthgen.{name}", True, first]


def test_every_function_is_documented_and_typed() -> None:
    """Each argument and what comes back; its docstring names the same arguments."""
    for name in synthgen.__all__:
        thing = getattr(synthgen, name)
        verb = inspect.unwrap(thing) if name in VERBS else thing
        if not inspect.isfunction(verb):
            continue
        signature, told = inspect.signature(verb), inspect.getdoc(verb) or ""
        assert signature.return_annotation is not inspect.Signature.empty, name
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, (name, parameter.name)
            assert f"{parameter.name}:" in told or "Arguments as of" in told, (name, parameter.name)


def test_the_whole_way(tmp_path: Path) -> None:
    """From a dict to a table of the packed dataset, with receipts on the way."""
    planned = synthgen.plan(DOCUMENT)
    making = synthgen.generate(planned, tmp_path / "work")
    assert (len(making), making.stage.total) == (planned.shards, planned.samples)
    receipts = list(making)
    assert sum(receipt.count for receipt in receipts) == planned.samples
    run = making.result()
    assert len(list(run.records())) == planned.samples

    judging = synthgen.curate(run)
    assert len(judging) == len(list(judging))
    assert judging.result().facts.judged == planned.samples

    dataset = synthgen.pack(run, tmp_path / "dataset").result()
    table = synthgen.open(tmp_path / "dataset").to_pandas()
    assert len(table) == dataset.provenance["packed"] == sum(one.accepted for one in run.verdicts())
    assert {record.key for record, image in dataset.images() if image.size == (32, 32)} == set(table["key"])
    assert synthgen.preview(dataset, tmp_path / "page.html") == tmp_path / "page.png"


def test_a_whole_study_is_one_call(tmp_path: Path) -> None:
    """With a classifier's report, as the command makes it; and its parts one by one come to the same tables."""
    document = DOCUMENT | EVALUATE
    work = synthgen.run(document, tmp_path / "study").result()
    assert sorted(path.name for path in (tmp_path / "study").iterdir() if not path.name.startswith(".")) == [
        "dataset", "preview.html", "preview.png", "report", "work",
    ]  # fmt: skip
    training = synthgen.evaluate(document, tmp_path / "report", synthetic=work.root.parent)
    assert len(training) == len(list(training)) > 0
    page = training.result()
    assert page == tmp_path / "report" / "report.html"
    for name in ("results.csv", "comparisons.csv"):
        assert (tmp_path / "report" / name).read_bytes() == (tmp_path / "study/report" / name).read_bytes()


def test_a_notebook_and_the_command_line_take_turns(tmp_path: Path, tars_in: Callable[[Path], Any]) -> None:
    """A run of a dict is gone on with by its file, and is the same to the byte as one of the file alone."""
    path = tmp_path / "manifest.yaml"
    path.write_text(yaml.safe_dump(DOCUMENT, sort_keys=False), encoding="utf-8")
    synthgen.generate(DOCUMENT, tmp_path / "turns", base=tmp_path, limit=1).result()
    assert 0 < len(tars_in(tmp_path / "turns")) < synthgen.plan(DOCUMENT).shards
    assert call(["generate", os.fspath(path), "--out", os.fspath(tmp_path / "turns"), "-q"]) == 0
    assert call(["generate", os.fspath(path), "--out", os.fspath(tmp_path / "alone"), "-q"]) == 0
    assert tars_in(tmp_path / "turns") == tars_in(tmp_path / "alone")
    told = [json.loads((tmp_path / name / "run.json").read_bytes()) for name in ("turns", "alone")]
    assert told[0]["manifest"] == told[1]["manifest"] == path.read_text(encoding="utf-8")
    assert told[0]["base"] == told[1]["base"]


def test_a_plan_that_nothing_was_written_for_is_planned_anew_for_a_folder(tmp_path: Path) -> None:
    """Real images are opened and indexed then, of which a dry plan has read the metadata alone."""
    entry = {"strategy": "fake", "per_source": 1, "settings": {"height": 16, "width": 16}}
    dry = synthgen.plan(PLAIN | {"real": REAL, "generate": [entry]})
    run = synthgen.generate(dry, tmp_path).result()
    assert len(list(run.images())) == run.plan.samples == dry.samples
    assert synthgen.open(tmp_path).plan.digest == run.plan.digest != dry.digest


def test_what_is_left_off_is_gone_on_with(tmp_path: Path) -> None:
    """The next call makes the rest alone."""
    making = synthgen.generate(DOCUMENT, tmp_path)
    next(making)
    making.close()
    with pytest.raises(RuntimeError, match="broken off"):
        making.result()
    assert len(synthgen.generate(DOCUMENT, tmp_path).result().shards) == synthgen.plan(DOCUMENT).shards
    assert len(list(synthgen.generate(DOCUMENT, tmp_path))) == 0


def test_a_call_that_nobody_iterates_over_is_not_silent(tmp_path: Path) -> None:
    """A notebook shows how much is to come, and forgetting it is warned of."""
    making = synthgen.generate(DOCUMENT, tmp_path)
    assert f"{len(making)} receipts to come" in repr(making)
    assert bool(making) is True
    with pytest.warns(RuntimeWarning, match="generate"):
        del making
    assert not list(tmp_path.rglob("*.tar"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        synthgen.generate(DOCUMENT, tmp_path).result()


def test_nobody_knows_how_many_shards_a_dataset_has_before_it_is_packed(tmp_path: Path) -> None:
    """So it has no length, and a list can be made of it all the same."""
    run = synthgen.generate(PLAIN, tmp_path / "work")
    packing = synthgen.pack(run.result(), tmp_path / "dataset")
    with pytest.raises(TypeError, match="nobody knows yet"):
        len(packing)
    assert len(list(packing)) == 1


def test_bad_input_is_said_at_the_call(tmp_path: Path) -> None:
    """A manifest at fault, a folder of somebody else, a run that is none, a page that is none."""
    with pytest.raises(synthgen.ManifestError) as caught:
        synthgen.generate(DOCUMENT | {"seed": "x", "colour": 1}, tmp_path)
    assert len(caught.value.faults) == 2
    (tmp_path / "thesis.tex").write_text("mine")
    for verb in (synthgen.generate, synthgen.finetune):
        with pytest.raises(synthgen.InputError, match="not a synthgen run"):
            verb(DOCUMENT, tmp_path)
    with pytest.raises(synthgen.InputError, match=r"run\.json"):
        synthgen.pack(tmp_path, tmp_path / "out")
    with pytest.raises(synthgen.errors.InputError, match=r"run\.json.*provenance\.json"):
        synthgen.open(tmp_path)
    with pytest.raises(synthgen.SynthgenError, match=r"name it page\.html"):
        synthgen.preview(tmp_path, tmp_path / "page.pdf")
    with pytest.raises(synthgen.InputError, match=r"`curate\.quota`"):
        synthgen.top_up(DOCUMENT, tmp_path / "run")
    with pytest.raises(synthgen.ManifestError, match="YAML has no way to write"):
        synthgen.read_manifest({"name": object()})


SCORER = """
from typing import ClassVar
from synthgen.curate.scorers import Scorer
from synthgen.plan.manifest.settings import ScorerSettings

COLUMNS, TEXTS = {"one": "one"}, {}

class Settings(ScorerSettings):
    learns_labels: ClassVar[bool] = LEARNS

def open_scorer(settings, context):
    return Scorer({"method": "mine 1"}, lambda: lambda batch: {"one": [1.0] * len(batch.pixels)})
"""


@pytest.mark.parametrize("learns", [True, False])
def test_a_study_says_that_a_scorer_of_one_s_own_learned_from_labels(tmp_path: Path, learns: bool) -> None:
    """Of a run, whose plug-in it is, and of a dataset, which has no code."""
    (tmp_path / "mine.py").write_text(SCORER.replace("LEARNS", str(learns)))
    curate = {"scorers": {"mine": {}}, "keep": ["mine.one > 0"]}
    document = PLAIN | EVALUATE | {"plugins": {"scorers": {"mine": "mine.py"}}, "curate": curate}
    run = synthgen.generate(document, tmp_path / "run", base=tmp_path).result()
    synthgen.curate(run).result()
    dataset = synthgen.pack(run, tmp_path / "dataset").result()
    assert ("learns_labels" in dataset.provenance["curation"]) == learns
    for number, folder in enumerate((run, dataset)):
        task = synthgen.evaluate(document, tmp_path / f"report{number}", synthetic=folder, base=tmp_path)
        task.close()
        told = [note for note in task.job.notes if "learned from real images with their labels" in note.text]
        assert [note.serious for note in told] == [True] * learns


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"device": "gpu"}, "device 'gpu'.*auto, cpu, cuda, mps"),
        ({"dtype": "nope"}, "dtype 'nope'.*fp16"),
        ({"attention": "flash"}, "attention 'flash'.*sdpa"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"batch_size": -3}, "batch_size -3"),
        ({"batch_size": True}, "batch_size True"),
        ({"array": (5, 2)}, r"array \(5, 2\)"),
        ({"array": (0, 0)}, r"array \(0, 0\)"),
        ({"shards": 3}, "shards 3"),
        ({"shards": ("a", None)}, "shards"),
        ({"limit": 0}, "limit 0"),
        ({"workers": 0}, "workers 0"),
        ({"runner": "nope"}, "no runner `nope`"),
    ],
)
def test_an_option_that_can_not_be_is_said_at_the_call(tmp_path: Path, given: dict[str, Any], said: str) -> None:
    """In one line, and nothing is written, so that the run can be begun as meant."""
    verbs = [synthgen.generate]
    if not {"array", "shards", "limit"} & set(given):
        verbs += [synthgen.run]  # type: ignore[list-item]
    for verb in verbs:
        with pytest.raises(synthgen.InputError, match=said) as caught:
            verb(PLAIN | {"real": REAL}, tmp_path / "run", **given)
        assert len(caught.value.faults) == 1
        assert not (tmp_path / "run").exists()


def test_an_option_of_what_is_made_from_a_run_is_said_at_the_call(tmp_path: Path) -> None:
    """Workers, pictures and formats; and a runner that nothing is left for."""
    run = synthgen.generate(PLAIN, tmp_path / "run").result()
    with pytest.raises(synthgen.InputError, match="no runner `nope`"):
        synthgen.generate(PLAIN, tmp_path / "run", runner="nope")
    with pytest.raises(synthgen.InputError, match="workers 0"):
        synthgen.pack(run, tmp_path / "dataset", workers=0)
    with pytest.raises(synthgen.InputError, match="no format `nope`"):
        synthgen.pack(run, tmp_path / "dataset", format="nope")  # type: ignore[arg-type]
    with pytest.raises(synthgen.InputError, match="limit 0"):
        synthgen.fidelity(run, limit=0)
    with pytest.raises(synthgen.InputError, match="limit 0"):
        synthgen.preview(run, tmp_path / "page.html", limit=0)
    with pytest.raises(synthgen.InputError, match="workers 0"):
        synthgen.evaluate(PLAIN | EVALUATE, tmp_path / "report", workers=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run"]


def test_a_manifest_from_numpy_is_the_same() -> None:
    """Its numbers are taken as Python's; what is no value of YAML's is said with its key."""
    entry = {"strategy": "fake", "per_cell": np.int64(6), "settings": {"height": np.int32(32), "width": 32}}
    found = synthgen.plan(DOCUMENT | {"name": np.str_("small"), "seed": np.int64(7), "generate": (entry,)})
    assert found.digest == synthgen.plan(DOCUMENT).digest
    assert found.manifest.text == synthgen.plan(DOCUMENT).manifest.text
    entry = {"strategy": "fake", "per_cell": np.arange(3)}
    with pytest.raises(synthgen.ManifestError, match="YAML has no way to write a ndarray") as caught:
        synthgen.plan(DOCUMENT | {"generate": [entry]})
    assert [fault.path for fault in caught.value.faults] == ["generate[0].per_cell"]


def test_a_stop_keeps_what_is_made(tmp_path: Path) -> None:
    """Asked between batches; the error is the one that the command ends with."""
    made: list[Any] = []
    with pytest.raises(synthgen.errors.StoppedError):
        made.extend(synthgen.generate(DOCUMENT, tmp_path, stop=lambda: True))
    assert len(made) < synthgen.plan(DOCUMENT).shards


def test_what_was_stopped_has_no_result(tmp_path: Path) -> None:
    """A task that ended with an error never passes for one that is done."""
    task = synthgen.generate(DOCUMENT, tmp_path, stop=lambda: True)
    with pytest.raises(synthgen.errors.StoppedError):
        list(task)
    with pytest.raises(RuntimeError):
        task.result()


def test_functions_that_use_it_can_be_sent_elsewhere() -> None:
    """Ray and others pickle a notebook's function with the modules that it names."""
    cloudpickle = pytest.importorskip("ray.cloudpickle")
    again = cloudpickle.loads(cloudpickle.dumps(lambda: (synthgen.__version__, synthgen.generate)))
    assert again() == (synthgen.__version__, synthgen.generate)
    assert copy.deepcopy(synthgen.pack) is synthgen.pack


def test_publishing_says_what_would_go(tmp_path: Path) -> None:
    """A dry run, last what was compared."""
    run = synthgen.generate(PLAIN | {"publish": {"license": "apache-2.0"}}, tmp_path / "work").result()
    dataset = synthgen.pack(run, tmp_path / "dataset").result()
    last = synthgen.publish(dataset, "org/name", dry_run=True).result()
    assert last is not None
    assert last.changes.add  # type: ignore[union-attr]


def test_a_table_needs_pandas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says what to install."""
    run = synthgen.generate(DOCUMENT, tmp_path).result()
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(synthgen.SynthgenError, match="pip install pandas"):
        run.to_pandas()


def test_the_record_s_old_place_is_named_for_a_release() -> None:
    """A scorer that imports it from there is warned, and gets the same class."""
    from synthgen import sample

    with pytest.warns(DeprecationWarning, match=r"synthgen\.Record"):
        assert sample.Record is synthgen.Record
    with pytest.raises(AttributeError):
        _ = sample.Sample

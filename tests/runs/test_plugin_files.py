"""Plug-in files of a run: kept with it, pinned by it, and not run because somebody opens its folder."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import synthgen
from synthgen import finetune
from synthgen.cli import call
from synthgen.core import adapter_folder
from synthgen.errors import ManifestError
from synthgen.plan import manifest
from synthgen.plan.manifest.settings import Extensions

KEY = "plain-psoriasis-1-0000001"
STRATEGY = """
import os
import numpy as np
from synthgen.core import devices
from synthgen.core.devices import Environment
from synthgen.diffusion.maker import MadeImages
from synthgen.plan.manifest.settings import StrategySettings

open({marker!r}, "a").close()

class Settings(StrategySettings):
    grey: int

def environment(recipe, request, shard_samples):
    return Environment("cpu", "cpu", "float32", "none", 4, 1, "plain", devices.versions())

def maker(recipe, environment, start_image):
    def make(samples, *, precise=False):
        drawn = [np.random.default_rng(one.seed).integers(0, 90, (16, 16, 3)) for one in samples]
        return MadeImages((recipe.settings.grey + np.stack(drawn)).astype(np.uint8), np.ones(len(samples), bool))
    return make
"""
ENTRY = {"strategy": "plain", "per_cell": 2, "settings": {"height": 16, "width": 16, "grey": 100}}


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that the plug-in makes when it is imported; its name makes each test's plug-in another one."""
    return tmp_path / "imported"


@pytest.fixture
def written(write_manifest: Callable[..., Path], marker: Path) -> Path:
    """A manifest that names a plug-in file beside it."""
    path = write_manifest(plugins={"strategies": {"plain": "plain.py"}}, generate=[ENTRY])
    path.with_name("plain.py").write_text(STRATEGY.format(marker=str(marker)))
    return path


@pytest.fixture
def strangers(written: Path, tmp_path: Path, marker: Path, without_torch: list[str]) -> Path:
    """A run that somebody else made."""
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    command = [*without_torch, "generate", str(written), "--out", str(tmp_path / "run"), "-q"]
    subprocess.run(command, check=True, env=environment)
    marker.unlink()
    return tmp_path / "run"


@pytest.fixture
def own(written: Path, tmp_path: Path) -> Path:
    """A run of the user's."""
    assert call(["generate", str(written), "--out", str(tmp_path / "run"), "-q"]) == 0
    return tmp_path / "run"


COMMANDS = [
    ["verify", "{run}"],
    ["preview", "{run}", "--out", "{base}/page.html"],
    ["pack", "{run}", "--out", "{base}/dataset"],
    ["reproduce", "{run}", KEY, "--out", "{base}/again.png"],
]


def test_opening_a_folder_runs_no_code(
    strangers: Path, tmp_path: Path, marker: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stops with one line that names the file and says what to do; told so, it goes on."""
    commands = [[part.format(run=strangers, base=tmp_path) for part in command] for command in COMMANDS]
    for command in [*commands, ["curate", str(strangers)]]:
        assert call(command) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert str(strangers / "plugin_files/strategies/plain.py") in line
        assert "--trust-plugins" in line
    assert not marker.exists()
    for command in commands:
        assert call([*command, "--trust-plugins"]) == 0
    assert marker.exists()


def test_a_table_that_is_not_there_makes_nothing_trusted(strangers: Path, marker: Path) -> None:
    """Nor one that names another sha256: what is trusted is the file's own."""
    path = strangers / "run.json"
    document = json.loads(path.read_bytes())
    (row,) = document.pop("plugins")
    path.write_text(json.dumps(document))
    assert call(["verify", str(strangers)]) == 2
    path.write_text(json.dumps(document | {"plugins": [row | {"sha256": 64 * "0"}]}))
    assert call(["verify", str(strangers)]) == 2
    assert not marker.exists()


def test_naming_the_manifest_is_enough(strangers: Path, written: Path) -> None:
    """Once a command was given the manifest, its runs are opened like others."""
    assert call(["plan", str(written)]) == 0
    assert call(["verify", str(strangers)]) == 0


def test_a_run_is_moved_with_its_plugins(own: Path, written: Path, tmp_path: Path) -> None:
    """It needs neither the manifest nor the file that it names."""
    moved = tmp_path / "elsewhere" / "run"
    moved.parent.mkdir()
    shutil.move(own, moved)
    written.unlink()
    written.with_name("plain.py").unlink()
    assert call(["verify", str(moved)]) == 0
    assert call(["reproduce", str(moved), KEY, "--out", str(tmp_path / "again.png")]) == 0


def test_other_code_does_not_go_on(own: Path, written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The line names the plug-in and its file, and the run keeps the code that its images were made by."""
    file = written.with_name("plain.py")
    before = file.read_text()
    file.write_text(f"{before}# another\n")
    next(own.glob("plain/*.tar")).unlink()
    assert call(["generate", str(written), "--out", str(own)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "was begun with strategy plain sha256 " in line
    assert str(file) in line
    assert (own / "plugin_files/strategies/plain.py").read_text() == before
    file.write_text(before)
    assert call(["generate", str(written), "--out", str(own), "-q"]) == 0


METHOD = """
from typing import ClassVar
from synthgen.finetune.methods import TrainingSettings

class Settings(TrainingSettings):
    families: ClassVar[tuple[str, ...]] = ("StableDiffusion",)

def learner(pipe, settings, words):
    raise NotImplementedError
"""


def test_an_adapter_is_not_taken_for_one_of_other_code(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], tiny_model: Any
) -> None:
    """The line names adapter and file, and the run keeps the code that its weights were trained by."""
    path = write_manifest(
        model=str(tiny_model("sd")),
        plugins={"methods": {"mine": "mine.py"}},
        real={"source": "phantom", "count": 16},
        finetune=[{"name": "tuned", "method": "mine"}],
    )
    file, run = path.with_name("mine.py"), tmp_path / "run"
    file.write_text(METHOD)
    planned = synthgen.plan(path, run)
    job = finetune.prepare(planned, run)
    version = planned.manifest.plugins[0].version
    (adapter_plan,) = job.todo
    folder = run / "adapters" / "tuned"
    folder.mkdir(parents=True)
    facts = {"digest": adapter_plan.adapter.digest, "name": "tuned", "pool": {"ids": []}, "words": {}}
    adapter_folder.write(folder, facts | {"environment": {"versions": version}})
    assert finetune.prepare(planned, run).finished == ("tuned",)
    before = {one: one.read_bytes() for one in (run / "run.json", run / "plugin_files/methods/mine.py")}
    file.write_text(f"{METHOD}# another\n")
    for command in ("finetune", "generate"):
        assert call([command, str(path), "--out", str(run)]) == 2
        line = capsys.readouterr().err.splitlines()[-1]
        assert f"{folder} was trained by method mine sha256 " in line
        assert str(file) in line
    assert {one: one.read_bytes() for one in before} == before
    file.write_text(METHOD)
    assert finetune.prepare(synthgen.plan(path, run), run).finished == ("tuned",)


def test_what_scored_images_is_never_lost(write_manifest: Callable[..., Path], tmp_path: Path) -> None:
    """A scorer may change, and its images are scored again; the code of the scores before lies beside the new."""
    path = write_manifest(
        plugins={"scorers": {"mine": "mine.py"}}, curate={"scorers": {"mine": {}}, "keep": ["mine.one > 0"]}
    )
    text = (
        "from synthgen.curate.scorers import Scorer\nfrom synthgen.plan.manifest.settings import ScorerSettings\n"
        "COLUMNS, TEXTS = {'one': 'one'}, {}\nclass Settings(ScorerSettings):\n    pass\n"
        "def open_scorer(settings, context):\n"
        "    return Scorer({'method': 'mine 1'}, lambda: lambda batch: {'one': [1.0] * len(batch.pixels)})\n"
    )
    file, run = path.with_name("mine.py"), tmp_path / "run"
    for content in (text, f"{text}# another\n", f"{text}# one more\n"):
        file.write_text(content)
        assert call(["generate", str(path), "--out", str(run), "-q"]) == 0
        assert call(["curate", str(run), "-q"]) == 0
    kept = sorted((run / "plugin_files" / "scorers").iterdir())
    assert {one.read_text() for one in kept} == {text, f"{text}# another\n", f"{text}# one more\n"}
    assert (run / "plugin_files" / "scorers" / "mine.py").read_text() == f"{text}# one more\n"
    assert all(hashlib.sha256(one.read_bytes()).hexdigest() in one.name for one in kept if one.name != "mine.py")


def test_a_dataset_keeps_no_code(
    own: Path, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what it was; an image is made again as long as the file is where the user last named it."""
    dataset = tmp_path / "dataset"
    assert call(["pack", str(own), "--out", str(dataset), "-q"]) == 0
    assert not list(dataset.rglob("*.py"))
    (row,) = json.loads((dataset / "provenance.json").read_bytes())["plugins"]
    assert (row["kind"], row["name"], len(row["sha256"])) == ("strategies", "plain", 64)
    assert call(["verify", str(dataset)]) == 0
    assert call(["reproduce", str(dataset), KEY, "--out", str(tmp_path / "again.png")]) == 0
    assert "identical" in capsys.readouterr().out
    written.with_name("plain.py").unlink()
    for module in [name for name in sys.modules if name.startswith("synthgen_plugin_")]:  # as in another process
        monkeypatch.delitem(sys.modules, module)
    assert call(["verify", str(dataset)]) == 0
    assert call(["reproduce", str(dataset), KEY, "--out", str(tmp_path / "more.png")]) == 2
    assert f"the code of strategy `plain` (sha256 {row['sha256'][:12]}) is not here" in capsys.readouterr().err


PLAIN = {"strategies": {"plain": "plain.py"}}


@pytest.mark.parametrize(
    ("changes", "path", "kind"),
    [
        ({"plugins": {"strategies": {"plain": "gone.py"}}}, "plugins.strategies.plain", "not_found"),
        ({"plugins": {"strategies": {"fake": "plain.py"}}}, "plugins.strategies.fake", "conflict"),
        ({"plugins": {"strategies": {"plain": 3}}}, "plugins.strategies.plain", "wrong_type"),
        ({"plugins": {"strategy": {"plain": "plain.py"}}}, "plugins.strategy", "unknown_key"),
        ({"plugins": {"runners": {"mine": "plain.py"}}}, "plugins.runners.mine", "invalid"),
        ({"generate": [ENTRY | {"strategy": "plane"}]}, "generate[0].strategy", "not_found"),
        ({"generate": [ENTRY | {"settings": {"gray": 1}}]}, "generate[0].settings.gray", "unknown_key"),
        ({"generate": [ENTRY | {"settings": {}}]}, "generate[0].settings.grey", "missing"),
    ],
)
@pytest.mark.usefixtures("written")
def test_what_is_wrong_with_plugins_is_said(
    changes: dict[str, Any], path: str, kind: str, write_manifest: Callable[..., Path], extensions: Extensions
) -> None:
    """With its place, as any other fault of a manifest; settings of one's own are as strict as built-in ones."""
    with pytest.raises(ManifestError) as caught:
        manifest.read(write_manifest(**{"plugins": PLAIN, "generate": [ENTRY]} | changes), extensions)
    assert (path, kind) in [(fault.path, fault.kind) for fault in caught.value.faults]


SPREAD = """
from concurrent.futures import as_completed
from synthgen.core import processes
from synthgen.generate.runners import results

def run(work, items, workers, stop):
    with processes.pool(workers) as pool:
        for future in as_completed([pool.submit(results, work, [item]) for item in items]):
            yield from future.result()
"""


@pytest.mark.slow
@pytest.mark.usefixtures("workers_without_torch")
def test_workers_have_the_plugins_of_a_plan(own: Path, written: Path, tmp_path: Path, tars_in: Any) -> None:
    """Processes that have imported nothing make the same bytes by the same strategy."""
    document = yaml.safe_load(written.read_text())
    document["plugins"]["runners"] = {"spread": "spread.py"}
    written.write_text(yaml.safe_dump(document, sort_keys=False))
    (tmp_path / "spread.py").write_text(SPREAD)
    command = [
        "generate",
        str(written),
        "--out",
        str(tmp_path / "spread"),
        "--runner",
        "spread",
        "--workers",
        "2",
        "-q",
    ]
    assert call(command) == 0
    assert tars_in(tmp_path / "spread") == tars_in(own) != {}


FORMAT = """
def shard(part):
    return f"data/{{part.name}}.bin"

def pattern(split):
    return f"data/{{split}}-*.bin"

def write(job, part, samples):
    from synthgen.pack.read_sample import Placed
    {write}
    for sample in samples:
        yield Placed(sample.record, shard(part), 0)
"""


def test_a_dataset_in_a_format_of_ones_own_is_verified(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its files' sha256 alone: nobody else can read them, and what would have to says so."""
    path = write_manifest(plugins={"formats": {"bin": "bin.py"}}, pack={"format": "bin"})
    write = "(job.scratch.dataset / shard(part)).write_bytes(b'bytes')"
    path.with_name("bin.py").write_text(FORMAT.format(write=write))
    run, dataset = str(tmp_path / "run"), tmp_path / "dataset"
    assert call(["generate", str(path), "--out", run, "-q"]) == 0
    assert call(["pack", run, "--out", str(dataset), "-q"]) == 0
    assert call(["verify", str(dataset)]) == 0
    assert "24 images" in capsys.readouterr().out
    assert call(["preview", str(dataset), "--out", str(tmp_path / "page.html")]) == 2
    assert "in the format of a plug-in" in capsys.readouterr().err
    (shard,) = dataset.glob("data/*.bin")
    shard.write_bytes(b"other")
    assert call(["verify", str(dataset)]) == 1


def test_a_format_that_writes_nothing_is_said(
    write_manifest: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it said that a part lies, there has to be one."""
    path = write_manifest(plugins={"formats": {"none": "none.py"}})
    path.with_name("none.py").write_text(FORMAT.format(write="pass"))
    run = str(tmp_path / "run")
    assert call(["generate", str(path), "--out", run, "-q"]) == 0
    assert call(["pack", run, "--out", str(tmp_path / "dataset"), "--format", "none"]) == 1
    assert "format none: wrote no file data/train-00000-of-00001.bin" in capsys.readouterr().err
    assert call(["pack", run, "--out", str(tmp_path / "dataset"), "--format", "nine"]) == 2
    assert "no format `nine`; did you mean `none`?" in capsys.readouterr().err


def test_a_package_that_is_gone_is_named(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run whose strategy came with a package says which to install."""
    info = tmp_path / "site" / "mosaics-0.1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(written.with_name("plain.py"), info.with_name("mosaics.py"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mosaics\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[synthgen.strategies]\nplain = mosaics\n")
    written.write_text(yaml.safe_dump({k: v for k, v in yaml.safe_load(written.read_text()).items() if k != "plugins"}))
    with monkeypatch.context() as installed:
        installed.syspath_prepend(str(info.parent))
        installed.delitem(sys.modules, "mosaics", raising=False)
        assert call(["generate", str(written), "--out", str(tmp_path / "run"), "-q"]) == 0
        sys.modules.pop("mosaics")
    assert call(["verify", str(tmp_path / "run")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "strategy `plain`" in line
    assert "mosaics 0.1.0" in line
    assert "install" in line

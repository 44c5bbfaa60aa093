"""Every file behind a door keeps the door's promise, so adding a way is adding a file."""

import inspect
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from synthgen.core import model_folder
from synthgen.core.model_folder import ModelFacts
from synthgen.core.plugins import PluginFolder
from synthgen.curate import scorers
from synthgen.diffusion import strategies
from synthgen.errors import InputError, ManifestError, StoppedError
from synthgen.finetune import methods
from synthgen.generate import runners
from synthgen.generate.runners import local
from synthgen.plan.manifest.settings import MethodSettings, ScorerSettings, SourceSettings, StrategySettings
from synthgen.real import sources

STRATEGIES = strategies.door.names()
RUNNERS = runners.door.names()
SOURCES = sources.door.names()
METHODS = methods.door.names()
SCORERS = scorers.door.names()
DOORS = (strategies.door, runners.door, sources.door, methods.door, scorers.door)
EVERY = [(door, name) for door in DOORS for name in door.names()]


def parameters(function: object) -> list[str]:
    """The names of a function's parameters."""
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_the_doors_are_not_empty() -> None:
    """What ships includes the strategies, runners and sources that the manifest and the command promise."""
    assert {"fake", "text2img", "img2img", "inpaint", "outpaint"} <= set(STRATEGIES)
    assert set(SOURCES) == {"folder", "hub", "webdataset", "phantom"}
    assert {"local", "ray"} <= set(RUNNERS)
    assert {"lora", "full", "textual-inversion"} <= set(METHODS)


@pytest.mark.parametrize(("door", "name"), EVERY, ids=[name for _, name in EVERY])
def test_a_module_opens_with_its_help(door: PluginFolder, name: str) -> None:
    """The first docstring line is one sentence that tells the way."""
    text = door.help(name)
    assert text.endswith(".")
    assert 10 < len(text) < 120


@pytest.mark.parametrize(("door", "name"), EVERY, ids=[name for _, name in EVERY])
def test_a_name_can_be_written_in_a_manifest(door: PluginFolder, name: str) -> None:
    """Names are lower case, begin with a letter and are what the door finds modules by, hyphens as underscores."""
    module = name.replace("-", "_")
    assert module.isidentifier()
    assert name == name.lower()
    assert door.module(name).__name__.endswith(f".{module}")


@pytest.mark.parametrize("name", STRATEGIES)
def test_settings_are_valid_for_the_bundled_model_as_they_are(name: str) -> None:
    """A strategy's settings have a default each, and fitted to the bundled model they have a size."""
    kind = strategies.strategy(name).Settings
    assert issubclass(kind, StrategySettings)
    facts = model_folder.describe("phantom", Path())
    fitted = kind().fitted(facts)
    assert isinstance(fitted, kind)
    assert isinstance(fitted.height, int)
    assert isinstance(fitted.width, int)
    assert fitted.height % facts.multiple == fitted.width % facts.multiple == 0


@pytest.mark.parametrize("name", STRATEGIES)
def test_settings_refuse_what_they_do_not_know(name: str) -> None:
    """A strategy's settings are strict: unknown keys and text for numbers are faults."""
    kind = strategies.strategy(name).Settings
    for document in ({"no_such_setting": 1}, {"height": "64"}, {"height": True}):
        with pytest.raises(ValueError, match="validation error"):
            kind.model_validate(document)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_has_its_two_functions(name: str) -> None:
    """`environment` and `maker` take what the door says they are given."""
    module = strategies.door.module(name)
    assert parameters(module.environment) == ["recipe", "wish", "shard_samples"]
    assert parameters(module.maker) == ["recipe", "environment", "originals"]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_has_its_settings_and_its_function(name: str) -> None:
    """A method's settings fit the bundled model as they are, are strict, and `learner` takes what it is given."""
    module = methods.door.module(name)
    assert issubclass(module.Settings, MethodSettings)
    assert module.Settings().fitted(model_folder.describe("phantom", Path()), "text2img").resolution == 64
    with pytest.raises(ValueError, match="validation error"):
        module.Settings.model_validate({"learning_rate": "1e-4"})
    assert parameters(module.learner) == ["pipe", "settings", "words"]


@pytest.mark.parametrize("name", SOURCES)
def test_a_source_has_its_settings_and_its_function(name: str) -> None:
    """A source's settings are strict, and `open_source` takes what the door says it is given."""
    module = sources.door.module(name)
    assert issubclass(module.Settings, SourceSettings)
    with pytest.raises(ValueError, match="validation error"):
        module.Settings.model_validate({"no_such_setting": 1})
    assert parameters(module.open_source) == ["settings", "base", "cache", "labels"]


@pytest.mark.parametrize("name", SCORERS)
def test_a_scorer_has_its_settings_its_columns_and_its_function(name: str) -> None:
    """A scorer's settings are strict, each column has a sentence, and `open_scorer` takes what it is given."""
    module = scorers.door.module(name)
    assert issubclass(module.Settings, ScorerSettings)
    with pytest.raises(ValueError, match="validation error"):
        module.Settings.model_validate({"no_such_setting": 1})
    assert module.COLUMNS
    assert all(column.isidentifier() and said for column, said in {**module.COLUMNS, **module.TEXTS}.items())
    assert not set(module.COLUMNS) & {*module.TEXTS, "key", "label", "skin_tone"}
    assert parameters(module.open_scorer) == ["settings", "context"]


@pytest.mark.parametrize("name", RUNNERS)
def test_a_runner_has_its_function(name: str) -> None:
    """`run` takes what the door says it is given, and gives results as they come."""
    run = runners.door.module(name).run
    assert parameters(run) == ["work", "items", "workers", "stop"]
    assert inspect.isgeneratorfunction(run)


@pytest.mark.parametrize(("door", "name"), EVERY, ids=[name for _, name in EVERY])
def test_importing_a_module_loads_no_model_library(door: PluginFolder, name: str) -> None:
    """Settings can be checked and help printed without torch, diffusers, transformers or ray."""
    module = door.module(name).__name__
    heavy = "{'torch', 'diffusers', 'transformers', 'ray'}"
    code = f"import sys, {module}; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("door", "message"),
    [(strategies.door, "no strategy `fkae`"), (runners.door, "no runner `fkae`"), (sources.door, "no source `fkae`")],
)
def test_an_unknown_name_is_refused(door: PluginFolder, message: str) -> None:
    """A name that is not behind a door is bad input, called what it was meant to be."""
    with pytest.raises(InputError, match=message):
        door.module("fkae")


def test_an_unknown_name_lists_the_names_there_are() -> None:
    """Where no name is near, all are listed."""
    with pytest.raises(InputError) as caught:
        strategies.door.module("q")
    assert all(name in str(caught.value) for name in STRATEGIES)


@pytest.mark.parametrize("name", ["__init__", "../errors", "fake.Settings", "", "os"])
def test_only_names_behind_the_door_are_imported(name: str) -> None:
    """No name leads out of the door's folder."""
    with pytest.raises(InputError):
        strategies.strategy(name)


def test_a_new_file_is_behind_the_door(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file put in the folder is found, with its help, without another edit; a private one is not."""
    (tmp_path / "mine.py").write_text('"""My own way."""\n')
    (tmp_path / "_shared.py").write_text('"""No way."""\n')
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "synthgen.diffusion.strategies.mine", raising=False)
    assert set(strategies.door.names()) - set(STRATEGIES) == {"mine"}
    assert strategies.door.help("mine") == "My own way."
    monkeypatch.delitem(sys.modules, "synthgen.diffusion.strategies.mine")
    monkeypatch.delattr(strategies, "mine")


@pytest.mark.parametrize(
    ("settings", "facts", "fault"),
    [
        ({"height": 60, "width": 64}, {"sample_size": 64}, "height: must be a multiple of 8 for model `m`, found 60"),
        ({"height": 96, "width": 64}, {"multiple": 64}, "height: must be a multiple of 64"),
        ({"height": 64}, {}, "width: missing; `m` does not say its own size here"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(settings: dict[str, int], facts: dict[str, int], fault: str) -> None:
    """A size that the model can't make is a fault of that side."""
    with pytest.raises(ManifestError) as caught:
        StrategySettings(**settings).fitted(ModelFacts("m", "folder", **facts))  # type: ignore[arg-type]
    assert len(caught.value.faults) == 1
    assert caught.value.faults[0].startswith(fault)


def test_the_advised_size_fits() -> None:
    """The size that a fault calls near is one that the model takes."""
    with pytest.raises(ManifestError, match="56 is near"):
        StrategySettings(height=58, width=64).fitted(ModelFacts("m", "folder"))


def test_the_local_runner_is_map() -> None:
    """The local runner yields what the work yields, in order."""
    assert list(local.run(lambda items: (2 * item for item in items), [1, 2, 3], None, lambda: False)) == [2, 4, 6]


def test_the_local_runner_stops_between_items() -> None:
    """Once asked to stop, no further item is begun and what was done is kept."""
    seen = SimpleNamespace(done=[])
    with pytest.raises(StoppedError):
        seen.done.extend(local.run(lambda items: items, [1, 2, 3], 1, lambda: True))
    results = local.run(lambda items: items, [1, 2, 3], 1, lambda: bool(seen.done))
    seen.done.append(next(results))
    with pytest.raises(StoppedError):
        next(results)
    assert seen.done == [1]


def test_the_local_runner_is_one_worker() -> None:
    """More workers than one are refused with what to do instead."""
    with pytest.raises(InputError, match=r"--runner ray.*--array I/N"):
        list(local.run(lambda items: items, [1], 2, lambda: False))

"""Every built-in plug-in keeps the promise of its kind, so adding a way is adding a file; and what is none is said."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthgen.core import model_folder, trust
from synthgen.core.model_folder import ModelFacts
from synthgen.core.plugins import KINDS, FilePlugin, PluginFile, PluginFolder
from synthgen.curate import scorers
from synthgen.diffusion import strategies
from synthgen.errors import InputError, ManifestError, StoppedError
from synthgen.extensions import EXTENSIONS
from synthgen.finetune import methods
from synthgen.generate import runners
from synthgen.generate.runners import local
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.real import sources

STRATEGIES = strategies.plugins.names()
EVERY = [(folder, name) for folder in EXTENSIONS.folders for name in folder.built_in()]
every_plugin = pytest.mark.parametrize(("plugins", "name"), EVERY, ids=[name for _, name in EVERY])


def parameters(function: object) -> str:
    """A function's parameters as a promise writes them."""
    assert callable(function)
    found = [(name, one.kind) for name, one in inspect.signature(function).parameters.items()]
    first = next((place for place, (_, kind) in enumerate(found) if kind is inspect.Parameter.KEYWORD_ONLY), len(found))
    names = [name for name, _ in found]
    return ", ".join([*names[:first], *(["*"] if first < len(found) else []), *names[first:]])


def test_no_kind_is_empty() -> None:
    """What ships includes all that the manifest and the commands promise, and every kind is one of the manifest's."""
    assert {"fake", "text2img", "img2img", "inpaint", "outpaint"} <= set(STRATEGIES)
    assert set(sources.plugins.names()) == {"folder", "hub", "webdataset", "phantom"}
    assert {"local", "ray"} <= set(runners.plugins.names())
    assert {"lora", "full", "textual-inversion"} <= set(methods.plugins.names())
    assert {"near_copy", "quality", "skin_tone"} <= set(scorers.plugins.names())
    assert set(EXTENSIONS.formats.names()) == {"webdataset", "parquet", "imagefolder"}
    assert tuple(folder.kinds for folder in EXTENSIONS.folders) == KINDS


@every_plugin
def test_a_module_opens_with_its_help(plugins: PluginFolder, name: str) -> None:
    """The first docstring line is one sentence that tells the way."""
    text = plugins.help(name)
    assert text.endswith(".")
    assert 10 < len(text) < 120


@every_plugin
def test_a_name_can_be_written_in_a_manifest(plugins: PluginFolder, name: str) -> None:
    """Names are lower case, begin with a letter and are what modules are found by, hyphens as underscores."""
    module = name.replace("-", "_")
    assert module.isidentifier()
    assert name == name.lower()
    assert plugins.module(name).__name__.endswith(f".{module}")


@every_plugin
def test_a_module_keeps_the_promise_of_its_kind(plugins: PluginFolder, name: str) -> None:
    """It has all that a plug-in of its kind has, its functions with the very parameters; its settings are strict."""
    module, promise = plugins.module(name), plugins.promise
    assert promise.broken(module) == ""
    assert {one: parameters(getattr(module, one)) for one in promise.functions} == promise.functions
    if promise.settings:
        with pytest.raises(ValueError, match="validation error"):
            module.Settings.model_validate({"no_such_setting": 1})


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


@pytest.mark.parametrize("name", methods.plugins.names())
def test_the_settings_of_a_method_fit_the_bundled_model(name: str) -> None:
    """A method's settings have a default each, and take no text for a number."""
    kind = methods.method(name).Settings
    assert kind().fitted(model_folder.describe("phantom", Path()), "text2img").resolution == 64
    with pytest.raises(ValueError, match="validation error"):
        kind.model_validate({"learning_rate": "1e-4"})


@pytest.mark.parametrize("name", scorers.plugins.names())
def test_each_column_of_a_scorer_has_a_sentence(name: str) -> None:
    """Columns are names that a rule can say, and none is one that every file of scores has."""
    module = scorers.plugins.module(name)
    assert module.COLUMNS
    assert all(column.isidentifier() and said for column, said in {**module.COLUMNS, **module.TEXTS}.items())
    assert not set(module.COLUMNS) & {*module.TEXTS, "key", "label", "skin_tone"}


def test_runners_give_results_as_they_come() -> None:
    """`run` is a generator."""
    assert all(inspect.isgeneratorfunction(runners.runner(name).run) for name in runners.plugins.names())


def test_importing_a_module_loads_no_model_library() -> None:
    """Settings can be checked and help printed without torch, diffusers, transformers or ray."""
    names = [plugins.module(name).__name__ for plugins, name in EVERY]
    code = f"""import importlib, sys
for name in {names!r}:
    importlib.import_module(name)
    print(name, sorted({{'torch', 'diffusers', 'transformers', 'ray'}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [f"{name} []" for name in names]


@pytest.mark.parametrize(("plugins", "kind"), [(folder, folder.kind) for folder in EXTENSIONS.folders], ids=list(KINDS))
def test_an_unknown_name_is_refused(plugins: PluginFolder, kind: str) -> None:
    """A name that nothing has is bad input, called what it was meant to be."""
    with pytest.raises(InputError) as caught:
        plugins.module("fkae")
    (fault,) = caught.value.faults
    assert fault.kind == "not_found"
    assert fault.startswith(f"no {kind} `fkae`")


def test_an_unknown_name_lists_the_names_there_are() -> None:
    """Where no name is near, all are listed."""
    with pytest.raises(InputError) as caught:
        strategies.plugins.module("q")
    assert all(name in str(caught.value) for name in STRATEGIES)


@pytest.mark.parametrize("name", ["__init__", "../errors", "fake.Settings", "", "os"])
def test_only_names_in_the_folder_are_imported(name: str) -> None:
    """No name leads out of the folder."""
    with pytest.raises(InputError):
        strategies.strategy(name)


def test_a_new_file_is_a_plugin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A file put in the folder is found, with its help, without another edit; a private one is not."""
    (tmp_path / "mine.py").write_text('"""My own way."""\n')
    (tmp_path / "_shared.py").write_text('"""No way."""\n')
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "synthgen.diffusion.strategies.mine", raising=False)
    assert set(strategies.plugins.names()) - set(STRATEGIES) == {"mine"}
    assert strategies.plugins.help("mine") == "My own way."
    monkeypatch.delitem(sys.modules, "synthgen.diffusion.strategies.mine")
    monkeypatch.delattr(strategies, "mine")


@pytest.mark.parametrize(
    ("settings", "facts", "path", "kind"),
    [
        ({"height": 60, "width": 64}, {"sample_size": 64}, "height", "out_of_range"),
        ({"height": 96, "width": 64}, {"multiple": 64}, "height", "out_of_range"),
        ({"height": 64}, {}, "width", "missing"),
    ],
)
def test_a_size_that_does_not_fit_is_refused(
    settings: dict[str, int], facts: dict[str, int], path: str, kind: str
) -> None:
    """A size that the model can't make is a fault of that side."""
    with pytest.raises(ManifestError) as caught:
        StrategySettings(**settings).fitted(ModelFacts("m", "folder", **facts))  # type: ignore[arg-type]
    assert [(fault.path, fault.kind) for fault in caught.value.faults] == [(path, kind)]


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


# plug-ins of one's own

RUN = "def run(work, items, workers, stop):\n    yield from work(items)\n"
STRATEGY = """
from synthgen.plan.manifest.settings import StrategySettings
class Settings(StrategySettings):
    depth: int
def environment(recipe, request, shard_samples): ...
def maker(recipe, environment, start_image): ...
"""


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., PluginFile]:
    """A plug-in file of a text, which the user has named."""

    def make(text: str, kind: str = "runners", name: str = "mine") -> PluginFile:
        made = PluginFile(kind, name, "mine.py", tmp_path / "mine.py", text)
        made.path.write_text(text)
        trust.remember({made.sha256: made.path})
        return made

    return make


def loaded(file: PluginFile) -> Any:
    """The plug-in of a file."""
    return runners.plugins.with_files([file]).module("mine")


def test_a_file_is_a_plugin(file: Callable[..., PluginFile]) -> None:
    """Its functions are called, and it stands among the names; folders without it know nothing of it."""
    made = file(RUN)
    assert list(loaded(made).run(iter, [1, 2], None, lambda: False)) == [1, 2]
    assert "mine" in runners.plugins.with_files([made]).names()
    assert "mine" not in runners.plugins.names()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("a = 1\n", "has no function `run(work, items, workers, stop)`; see docs/plugins/runner.md"),
        (
            "def run(work, items):\n    yield 1\n",
            "`run(work, items)` can't be called as `run(work, items, workers, stop)`",
        ),
        ("def run(:\n", "line 1: SyntaxError: invalid syntax"),
        ("\nimport no_such_package\n", "line 2: ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(text: str, said: str, file: Callable[..., PluginFile]) -> None:
    """It names the file, what is missing, and where to read what a plug-in of that kind has."""
    made = file(text)
    with pytest.raises(InputError) as caught:
        loaded(made)
    (fault,) = caught.value.faults
    assert said in fault
    assert fault.startswith(f"plugins.runners.mine: {made.path}: ")
    assert "\n" not in fault


def test_settings_of_another_kind_are_refused(file: Callable[..., PluginFile]) -> None:
    """A strategy whose `Settings` are not a strategy's is told which class they are of."""
    made = file("from synthgen.plan.manifest.settings import SourceSettings as Settings\n", "strategies")
    with pytest.raises(InputError, match=r"Settings\(StrategySettings\).*docs/plugins/strategy\.md"):
        strategies.plugins.with_files([made]).module("mine")


@pytest.mark.parametrize(("name", "kind"), [("local", "conflict"), ("Mine", "invalid"), ("../mine", "invalid")])
def test_a_file_has_a_name_of_its_own(name: str, kind: str, file: Callable[..., PluginFile]) -> None:
    """It can't take the place of a built-in plug-in, nor lead out of a folder."""
    fault = runners.plugins.clash(file(RUN, name=name))
    assert fault is not None
    assert (fault.path, fault.kind) == (f"plugins.runners.{name}", kind)


def test_a_name_that_knows_its_file_is_a_text_like_another(file: Callable[..., PluginFile]) -> None:
    """Records and digests hold the name alone."""
    import json

    name = runners.plugins.with_files([file(RUN)]).named("mine")
    assert isinstance(name, FilePlugin)
    assert (name, json.dumps([name]), str(name), {name: 1}["mine"]) == ("mine", '["mine"]', "mine", 1)
    assert runners.runner(name).run


def test_another_process_finds_the_classes_of_a_file(file: Callable[..., PluginFile], tmp_path: Path) -> None:
    """A name and settings of its own class are unpickled where nobody has imported the file, nor could read it."""
    import pickle

    folder = strategies.plugins.with_files([file(STRATEGY, "strategies")])
    settings = folder.module("mine").Settings(depth=3)
    (tmp_path / "pickled").write_bytes(pickle.dumps((folder.named("mine"), settings)))
    (tmp_path / "mine.py").unlink()
    code = f"import pickle; print(pickle.load(open({str(tmp_path / 'pickled')!r}, 'rb')))"
    environment = {"PATH": "", "XDG_CONFIG_HOME": str(tmp_path), "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "('mine', Settings(height=None, width=None, depth=3))\n"


# trust


def test_code_that_nobody_has_named_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It runs once the user has named it, or says that every plug-in may; another text is another file."""
    marker = tmp_path / "ran"
    text = f"open({str(marker)!r}, 'w').close()\n{RUN}"
    made = PluginFile("runners", "mine", "mine.py", tmp_path / "mine.py", text)
    with pytest.raises(InputError) as caught:
        loaded(made)
    assert caught.value.faults[0].kind == "untrusted"
    assert not marker.exists()
    monkeypatch.setenv(trust.VARIABLE, "0")
    assert not trust.trusts(made.sha256)
    with trust.everything():
        assert loaded(made)
    assert marker.exists()
    assert not trust.trusts(made.sha256)
    monkeypatch.setenv(trust.VARIABLE, "1")
    assert trust.trusts(made.sha256)


def test_what_was_named_is_remembered(tmp_path: Path) -> None:
    """By another process too, with the place where the file was."""
    code = "from pathlib import Path; from synthgen.core import trust; trust.remember({'ab': Path('/x/mine.py')})"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert trust.trusts("ab")
    assert trust.last_seen("ab") == Path("/x/mine.py")
    assert not trust.trusts("cd")
    assert trust.last_seen("cd") is None


def test_a_home_that_can_not_be_written_is_no_hindrance(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the user names runs as long as the process lives."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    trust.remember({"ef": tmp_path / "mine.py"})
    assert trust.trusts("ef")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "synthgen").mkdir()
    (tmp_path / "synthgen" / "plugins.json").write_text("[")
    assert not trust.trusts("01")


# entry points


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a package of one module with an entry point, by its folder on `sys.path`."""

    def make(text: str, point: str, group: str = "synthgen.runners", package: str = "my-package") -> None:
        module = package.replace("-", "_")
        info = tmp_path / package / f"{module}-1.2.dist-info"
        info.mkdir(parents=True)
        (info.parent / f"{module}.py").write_text(text)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text(f"[{group}]\n{point} = {module}\n")
        monkeypatch.syspath_prepend(str(info.parent))
        monkeypatch.delitem(sys.modules, module, raising=False)

    return make


def test_an_entry_point_is_a_plugin(install: Callable[..., None]) -> None:
    """It is found by its name, is suggested for one mistyped, and what a run pins tells its package's version."""
    install(RUN, "mine")
    assert list(runners.runner("mine").run(iter, [1, 2], None, lambda: False)) == [1, 2]
    assert runners.plugins.versions("mine") == {"runner mine": "my-package 1.2"}
    assert runners.plugins.versions("local") == {}
    with pytest.raises(InputError, match="`mine`"):
        runners.runner("mime")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\n", "has no function `run(work, items, workers, stop)`; see docs/plugins/runner.md"),
        ("import no_such_package\n", "can't be imported; ModuleNotFoundError: No module named 'no_such_package'"),
    ],
)
def test_what_is_wrong_with_an_entry_point_is_one_line(text: str, said: str, install: Callable[..., None]) -> None:
    """It names the package."""
    install(text, "mine")
    with pytest.raises(InputError) as caught:
        runners.runner("mine")
    (fault,) = caught.value.faults
    assert fault == f"runner `mine` of my-package 1.2 (my_package): {said}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (RUN, ""),
        ("import no_such\n", "ModuleNotFoundError: No module named 'no_such'"),
        ("1 / 0\n", "ZeroDivisionError"),
    ],
)
def test_whether_an_entry_point_can_be_imported_is_told(text: str, said: str, install: Callable[..., None]) -> None:
    """On one line, whatever its code raises."""
    install(text, "mine")
    found = runners.plugins.import_fault("mine")
    assert found.startswith(said)
    assert bool(found) == bool(said)


def test_a_scorer_of_one_function_is_told_where_it_is_named(file: Callable[..., PluginFile]) -> None:
    """A file of just a function is no module of a scorer; the line says where it belongs."""
    one = file("def score(records, pixels): ...\n", "scorers", "red")
    with pytest.raises(InputError, match=r"curate\.scorers: \{NAME: \{file: \.\.\., columns: \[\.\.\.\]\}\}"):
        scorers.plugins.with_files([one]).module("red")


def test_two_of_one_name_are_refused(install: Callable[..., None], file: Callable[..., PluginFile]) -> None:
    """Nobody takes the place of a built-in plug-in, nor of another package's, nor a file that of a package's."""
    install(RUN, "local")
    install(RUN, "mine", package="other")
    install(RUN, "mine", package="third")
    for name, owners in (("local", "synthgen itself and my-package 1.2"), ("mine", "other 1.2 and third 1.2")):
        with pytest.raises(InputError, match=owners) as caught:
            runners.runner(name)
        assert caught.value.faults[0].kind == "conflict"
    fault = runners.plugins.clash(file(RUN))
    assert fault is not None
    assert "comes with other 1.2" in fault

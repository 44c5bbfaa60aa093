"""What every test stands on: an isolated user, the real extensions, and a small manifest that makes images at once."""

import gc
import importlib.util
import itertools
import logging
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from multiprocessing import forkserver, get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, settings

from synthgen import generate, plan
from synthgen.core.devices import DeviceRequest
from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan, manifest
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs.receipts import Receipt

os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported, which reads it once
# As synthgen.core.devices does it; here torch may be imported before.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# Whoever starts tests in the background may ignore signals, which every command then ignores too, as it should.
for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number == signal.SIGINT else signal.SIG_DFL)
# As the command line does: the collector of cycles looks seldom through all that torch and diffusers define.
gc.set_threshold(50_000, 10, 10)
settings.register_profile(
    "synthgen", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("synthgen")

SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 7,
    "labels": {"psoriasis": "psoriasis", "healthy": "healthy skin"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 3, 6]},
    "generate": [{"strategy": "fake", "per_cell": 4, "settings": {"height": 32, "width": 32}}],
    "output": {"image_format": "png", "shard_samples": 5},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let golden files be written anew: `make golden`."""
    parser.addoption("--rewrite-golden", action="store_true", help="write tests/golden instead of comparing")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what needs a CUDA device where there is none; torch is asked only if such a test was collected."""
    marked = [item for item in items if item.get_closest_marker("gpu")]
    if not marked:
        return
    import torch

    if not torch.cuda.is_available():
        for item in marked:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


_usual_threads: list[int] = []


def pytest_collection_finish() -> None:
    """Ask torch how many threads it takes by itself, if it is here before a test can have changed that."""
    torch = sys.modules.get("torch")
    if torch is not None:
        _usual_threads.append(torch.get_num_threads())


def _use_usual_threads(torch: Any) -> None:
    """Let torch take as many threads as by itself; asked of a new process where only a test imported it."""
    if not _usual_threads and os.environ.get("OMP_NUM_THREADS", "").isdecimal():
        _usual_threads.append(int(os.environ["OMP_NUM_THREADS"]))
    if not _usual_threads:
        code = "import torch; print(torch.get_num_threads())"
        _usual_threads.append(int(subprocess.check_output([sys.executable, "-c", code], text=True)))
    if torch.get_num_threads() != _usual_threads[0]:
        torch.set_num_threads(_usual_threads[0])


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Give back what a command or a model sets for the whole process: the log's level and torch's threads."""
    log = logging.getLogger("synthgen")
    level = log.level
    _pass_over_libraries()
    yield
    log.setLevel(level)
    torch = sys.modules.get("torch")
    if torch is not None:
        _use_usual_threads(torch)


_known_modules: list[int] = [0]


def _pass_over_libraries() -> None:
    """Take what was imported out of the collector's sight: a model that is let go of has it look through everything."""
    if len(sys.modules) - _known_modules[0] < 200:
        return
    _known_modules[0] = len(sys.modules)
    loaded_model = sys.modules.get("synthgen.diffusion.pipelines.loaded_model")
    if loaded_model is not None:
        loaded_model.release()  # a model is no library, and could not be let go of any more
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_power_cuts() -> Iterator[None]:
    """Let no file wait for the disk, since no power is cut here; tests of what is lost then bring an fsync."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", _sync_nothing)
        yield


def _sync_nothing(handle: int) -> None:
    """Do of an fsync what fails at once, where there is no such file, and nothing else."""
    os.fstat(handle)


@pytest.fixture(scope="session")
def _homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Folders that are not there yet; ``mktemp`` would look through all earlier ones for the next free number."""
    base = tmp_path_factory.mktemp("homes")
    return (base / str(number) for number in itertools.count())


@pytest.fixture
def tmp_path(request: pytest.FixtureRequest, _homes: Iterator[Path]) -> Path:
    """An empty folder, as pytest's own, named by its test; see ``_homes``."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    home = next(_homes)
    path = home.with_name(f"{name}-{home.name}")
    path.mkdir()
    return path


@pytest.fixture(autouse=True)
def _isolated_user(monkeypatch: pytest.MonkeyPatch, _homes: Iterator[Path]) -> None:
    """Give each test a cache and a configuration of its own, no network and nobody's token."""
    home = next(_homes)
    monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(home / "cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", os.fspath(home / "config"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for token in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(token, raising=False)
    for name in [one for one in os.environ if one.startswith("SLURM_") or one in ("RANK", "WORLD_SIZE", "LOCAL_RANK")]:
        monkeypatch.delenv(name)  # tests run in a cluster's job are no part of one


@pytest.fixture(scope="session")
def extensions() -> Extensions:
    """The extensions as the commands open them."""
    return EXTENSIONS


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model with random weights of a family: of ``tiny_models`` or of ``tiny_families``."""
    parts = _beside("tiny_models")
    others = _beside("tiny_families").FAMILIES
    found: dict[str, Path] = {}

    def build(family: str) -> Path:
        if family not in found:
            found[family] = tmp_path_factory.mktemp(family)
            if family in others:
                import torch

                torch.manual_seed(0)
                others[family](found[family], parts)
            else:
                parts.FAMILIES[family](found[family])
        return found[family]

    return build


@pytest.fixture(scope="session")
def tiny_controlnet(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The folder of a ControlNet with random weights for the tiny model of a family."""
    return _built("tiny_controlnets", tiny_model, tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_ip_adapter(
    tiny_model: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """The folder of an IP-Adapter with random weights for the tiny model of a family."""
    return _built("tiny_ip_adapters", tiny_model, tmp_path_factory)


@pytest.fixture(scope="session")
def without_torch() -> list[str]:
    """The command in a process of its own in which torch can't be imported.

    webdataset imports it where it is, which takes seconds that no test of the fake strategy needs.
    """
    code = "import sys; sys.modules['torch'] = None; from synthgen.cli import main; main()"
    return [sys.executable, "-c", code]


@pytest.fixture(scope="session")
def _fork_server() -> ForkServerContext:
    """A process that has imported ``preloaded.py``, to be forked."""
    folder = os.fspath(Path(__file__).parent)
    if folder not in sys.path:
        sys.path.append(folder)
    context = get_context("forkserver")
    context.set_forkserver_preload(["preloaded"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", folder, prepend=os.pathsep)
        forkserver.ensure_running()
    return context


@pytest.fixture
def in_a_fork(_fork_server: ForkServerContext) -> Iterator[Callable[..., BaseProcess]]:
    """Starts a function of ``killed.py`` in a process of its own, by its name and arguments; what is left is killed."""
    from killed import start

    started: list[BaseProcess] = []

    def run(name: str, *arguments: object) -> BaseProcess:
        started.append(_fork_server.Process(target=start, args=(dict(os.environ), name, *arguments)))
        started[-1].start()
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.join()
        process.close()


@pytest.fixture
def workers_without_torch(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Worker processes that this test starts can't import torch; see ``without_torch``."""
    folder = tmp_path_factory.mktemp("without-torch")
    (folder / "sitecustomize.py").write_text("import sys; sys.modules['torch'] = None")
    monkeypatch.setenv("PYTHONPATH", os.fspath(folder), prepend=os.pathsep)


@pytest.fixture
def write_manifest(tmp_path: Path) -> Callable[..., Path]:
    """Writes the small manifest; keywords take the place of its top keys, and ``None`` takes one out."""

    def write(**changes: Any) -> Path:
        path = tmp_path / "manifest.yaml"
        path.write_text(_text(changes), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def make_plan(extensions: Extensions, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Plan]:
    """Plans the small manifest; keywords as of ``write_manifest``, and ``prompts_text`` for templates of one's own."""
    base = tmp_path_factory.mktemp("base")

    def make(prompts_text: str | None = None, **changes: Any) -> Plan:
        text = _text(changes)
        return plan.Plan(manifest.parse(text, extensions, base=base, where="manifest.yaml", prompts_text=prompts_text))

    return make


@pytest.fixture(scope="session")
def make_images() -> Callable[..., list[Receipt]]:
    """Makes what a plan still lacks in a folder; returns the receipts of what was made."""

    def make(plan: Plan, root: Path, asked: DeviceRequest | None = None, **selection: Any) -> list[Receipt]:
        job = generate.prepare(plan, root, generate.Selection(**selection))
        return list(generate.generate(job, asked))

    return make


@pytest.fixture(scope="session")
def tars_in() -> Callable[[Path], dict[str, bytes]]:
    """Reads the bytes of every tar below a folder, by relative path."""

    def read(root: Path) -> dict[str, bytes]:
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*.tar"))}

    return read


def _built(name: str, tiny_model: Callable[[str], Path], factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Builds what a module beside this one builds for a tiny model, once a family."""
    builder, found = _beside(name), dict[str, Path]()

    def build(family: str) -> Path:
        if family not in found:
            found[family] = factory.mktemp(f"{name}-{family}")
            builder.build(tiny_model(family), found[family])
        return found[family]

    return build


def _beside(name: str) -> Any:
    """A module beside this one that holds no tests."""
    spec = importlib.util.spec_from_file_location(f"tests_{name}", Path(__file__).with_name(f"{name}.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _text(changes: dict[str, Any]) -> str:
    document = {key: value for key, value in (SMALL | changes).items() if value is not None}
    return yaml.safe_dump(document, sort_keys=False)

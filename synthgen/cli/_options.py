"""Options and arguments that several commands share."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from synthgen.cli._terminal import PlainFormatter, say
from synthgen.core import digits
from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.plan import Plan
    from synthgen.plan.manifest import Manifest as Manifest_

Function = TypeVar("Function", bound=Callable[..., Any])


class _Path(click.Path):
    """A path; an empty one, as an unset variable of a shell leaves it, is not the current folder."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; refused where it is empty."""
        if not str(value):
            self.fail("it is empty; give a path", param, ctx)
        return super().convert(value, param, ctx)


DIRECTORY = _Path(path_type=Path, file_okay=False)
FOLDER = _Path(path_type=Path, file_okay=False, exists=True)
FILE = _Path(path_type=Path, dir_okay=False)


class Manifest(click.ParamType[Path]):
    """A manifest: a file, or the bare name of one that ships."""

    name = "manifest"

    def convert(self, value: str | Path, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path or the name as given; raises InputError where there is no such file and none ships."""
        from synthgen.core import resources

        path = Path(value)
        if not resources.manifest(path)[0].is_file():
            names = ", ".join(resources.names("manifests"))
            raise InputError(f"MANIFEST: no file {value}, and none that ships has that name (there are: {names})")
        return path


def verbosity(function: Function) -> Function:
    """Give a command ``-v`` and ``-q``, and set the log up by them."""

    @click.option("-v", "--verbose", is_flag=True, help="Say more of what is going on.")
    @click.option("-q", "--quiet", is_flag=True, help="Say nothing but faults and what was asked for.")
    @wraps(function)
    def wrapped(*args: Any, verbose: bool, quiet: bool, **kwargs: Any) -> Any:
        level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.WARNING
        shown = logging.StreamHandler()
        shown.setFormatter(PlainFormatter("%(levelname)s: %(message)s"))
        logging.basicConfig(level=logging.WARNING, handlers=[shown])
        logging.addLevelName(logging.WARNING, "warning")
        logging.getLogger("synthgen").setLevel(level)
        with _each_line_once():
            return function(*args, quiet=quiet, **kwargs)

    return wrapped  # type: ignore[return-value]


class _Once(logging.Filter):
    """Lets a warning through the first time."""

    def __init__(self) -> None:
        super().__init__()
        self._said = set[str]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is new, or no warning."""
        line = record.getMessage()
        if record.levelno < logging.WARNING or line not in self._said:
            self._said.add(line)
            return True
        return False


@contextmanager
def _each_line_once() -> Iterator[None]:
    """Let the log warn of nothing twice while a command runs, whose parts look at the same manifest and data again."""
    filters = [(handler, _Once()) for handler in logging.getLogger().handlers]
    for handler, once in filters:
        handler.addFilter(once)
    try:
        yield
    finally:
        for handler, once in filters:
            handler.removeFilter(once)


def trust(function: Function) -> Function:
    """Give a command that opens folders ``--trust-plugins``."""

    def trusting(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        from synthgen.core import trust as plugins

        if value:
            ctx.with_resource(plugins.everything())

    return click.option(
        "--trust-plugins",
        is_flag=True,
        expose_value=False,
        callback=trusting,
        help="Run plug-in files that came with a folder; read them first. Those of a manifest you named run anyway.",
    )(function)


def device(function: Function) -> Function:
    """Give a command the options of the device and the runner, as :func:`synthgen.study.generate` takes them."""
    for option in reversed(_DEVICE_OPTIONS):
        function = option(function)
    return function


def accept_changes(function: Function) -> Function:
    """Give a command ``--accept-changes``."""
    return click.option(
        "--accept-changes",
        is_flag=True,
        help="Set aside what is made and the manifest plans no more, or otherwise; nothing is deleted.",
    )(function)


def mirror(what: str) -> Callable[[Function], Function]:
    """Give a command ``--mirror``; ``what`` says what it does with it."""
    return click.option("--mirror", metavar="ADDRESS", is_eager=True, help=what)


SENDS = (
    "Copy finished work shards to this address of fsspec's, as s3://bucket/run, and take what machines have put there."
)
BRINGS = "Bring from this address, where `generate --mirror` has copied them, the work shards that DIR lacks."


class FolderOrMirror(_Path):
    """A folder that is there, or may be new where ``--mirror`` says what is to come to lie in it."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; refused where it is not there, and nothing is to be brought."""
        self.exists = not (ctx and isinstance(ctx.params.get("mirror"), str))
        return super().convert(value, param, ctx)


class BatchSize(click.ParamType[int | None]):
    """``auto``, which is None, or a count."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The count, or None for ``auto``."""
        if value in ("auto", None):
            return None
        number = digits.whole(str(value))
        if number is None or not 1 <= number <= 65_536:
            self.fail(f"`{value}` is neither `auto` nor a whole number from 1 to 65536", param, ctx)
        return number


class Count(click.ParamType[int | str]):
    """``auto``, or a whole number from 1 on."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """The number, or ``auto``."""
        if value == "auto":
            return "auto"
        number = digits.whole(str(value))
        if number is None or number < 1:
            self.fail(f"`{value}` is neither `auto` nor a whole number from 1 on", param, ctx)
        return number


class Device(click.Choice[str]):
    """``auto``, ``cpu``, ``cuda``, ``mps``, or one of several GPUs as ``cuda:1``."""

    def __init__(self) -> None:
        super().__init__(["auto", "cpu", "cuda", "mps"])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The device as it is written."""
        kind, _, number = str(value).partition(":")
        return str(value) if kind == "cuda" and number.isdecimal() else super().convert(value, param, ctx)


_DEVICE_OPTIONS = (
    click.option(
        "--device",
        default="auto",
        show_default=True,
        type=Device(),
        help="cuda:1 for one of several GPUs, from cuda:0.",
    ),
    click.option(
        "--dtype",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "fp16", "bf16", "fp32"]),
        help="auto: fp16 on CUDA, bf16 on a CPU that has it, else fp32.",
    ),
    click.option(
        "--attention",
        default="auto",
        show_default=True,
        type=click.Choice(["auto", "sdpa", "cudnn", "flash-3", "xformers"]),
        help="auto: sdpa, PyTorch's scaled_dot_product_attention; cudnn and flash-3 for transformers (Flux) on CUDA.",
    ),
    click.option(
        "--batch-size",
        default="auto",
        show_default=True,
        metavar="auto|N",
        type=BatchSize(),
        help="Images denoised together; auto fits the device and halves when memory runs out.",
    ),
    click.option(
        "--memory",
        show_default="fit",
        type=click.Choice(["fit", "offload", "fp8"]),
        help="fit: all on the GPU; offload: the denoiser layer by layer, slower; fp8: its weights halved, other bytes.",
    ),
    click.option(
        "--runner",
        default="local",
        show_default=True,
        metavar="NAME",
        help="local, ray for many machines, or a plug-in.",
    ),
    click.option(
        "--workers",
        type=Count(),
        metavar="auto|N",
        help="Processes on this machine, one if left out; auto: one a GPU, or a core. Of Ray, one a GPU if left out.",
    ),
)


def withdrawn(run: Path, *, will: bool = False) -> None:
    """Say that the dataset of a run's study holds images that are set aside, or would be, and may be published."""
    from synthgen import study
    from synthgen.runs import study_layout

    held, dataset = study.withdrawn_images(run), study_layout.dataset_in(study_layout.home_of(run))
    if not held and not (will and dataset):
        return
    what = f"{held[1]:,} images that are set aside" if held else "images that would be set aside"
    say(
        f"{dataset} holds {what}: pack it again, and where it is published publish it again, which deletes there what "
        "is of it no more",
        err=True,
    )


def pack_next(run: Path) -> str:
    """The command that packs a run next, into the place that its study has for the dataset."""
    from synthgen.runs import study_layout

    return f"pack {run} --out {study_layout.home_of(run) / study_layout.DATASET}"


def plan(manifest: "Path | Manifest_", root: Path, *, quiet: bool) -> "Plan":
    """The plan of a manifest.

    Where it starts from real images, and the run's folder has no index of them yet, they are indexed with progress, and
    what has become of them is said.
    """
    from synthgen import study
    from synthgen.cli import _progress, _real_images, _signals

    read, opened = study.read_manifest(manifest), list[int]()
    with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:

        def progress(what: str, done: int, total: int) -> None:
            opened.append(done)
            stages(what, done, total)

        with _real_images.said_of_none(read, quiet=quiet):
            planned = study.plan(read, root, progress=progress)
    if planned.index and opened and not quiet:  # some were opened just now
        say("\n".join(_real_images.lines(planned.index, read, opened=True)), err=True)
    said = _real_images.of_words(planned.strange_words)
    said += _real_images.of_captions(planned.cut_captions, planned.manifest.prompts.max_caption_words)
    for line in [] if quiet else said:
        say(line, err=True)
    return planned

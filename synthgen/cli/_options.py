"""Options and arguments that several commands share."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from synthgen.errors import InputError

if TYPE_CHECKING:
    from synthgen.plan import Plan

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
        logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
        logging.addLevelName(logging.WARNING, "warning")
        logging.getLogger("synthgen").setLevel(level)
        return function(*args, quiet=quiet, **kwargs)

    return wrapped  # type: ignore[return-value]


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
        help="Run plug-in files that came with DIR; read them first. Those of a manifest that you named run anyway.",
    )(function)


def device(function: Function) -> Function:
    """Give a command the options of a :class:`synthgen.core.devices.DeviceRequest` and of the runner."""
    for option in reversed(_DEVICE_OPTIONS):
        function = option(function)
    return function


class BatchSize(click.ParamType[int | None]):
    """``auto``, which is None, or a count."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """The count, or None for ``auto``."""
        if value in ("auto", None):
            return None
        if not str(value).isdigit() or not 1 <= int(value) <= 65_536:
            self.fail(f"`{value}` is neither `auto` nor a whole number from 1 to 65536", param, ctx)
        return int(value)


_DEVICE_OPTIONS = (
    click.option("--device", default="auto", show_default=True, type=click.Choice(["auto", "cpu", "cuda", "mps"])),
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
        type=click.Choice(["auto", "sdpa", "xformers"]),
        help="auto: PyTorch's scaled_dot_product_attention, itself memory-efficient.",
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
        "--runner", default="local", show_default=True, metavar="NAME", help="local, ray for many GPUs, or a plug-in."
    ),
    click.option("--workers", type=click.IntRange(min=1), metavar="N", help="Ray actors; left out, one a GPU."),
)


def wish(options: dict[str, Any]) -> Any:
    """Take the options that make a Wish out of a command's options."""
    from synthgen.core.devices import DeviceRequest

    return DeviceRequest(**{name: options.pop(name) for name in ("device", "dtype", "attention", "batch_size")})


def plan(manifest: Path, root: Path, *, quiet: bool) -> "Plan":
    """The plan of a manifest.

    Where it starts from real images, and the run's folder has no index of them yet, they are indexed with progress, and
    what has become of them is said.
    """
    from synthgen.cli import _progress, _real_images
    from synthgen.errors import StoppedError
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import load_plan

    with _progress.stoppable() as stop, ExitStack() as shown:
        bars, done = list[_progress.Progress](), [0]

        def progress(opened: int, total: int) -> None:
            if stop():
                raise StoppedError("stopped by a signal while indexing real images; run the same command again")
            if not bars:
                bars.append(shown.enter_context(_progress.Progress(total, 0, quiet=quiet)))
            done.append(opened)
            if opened == total or opened - done[0] >= total / 20:
                bars[0].step(opened - done[0], "indexing real images")
                done[:] = [opened]

        planned = load_plan.read(manifest, EXTENSIONS, root, progress)
    if planned.index and done[-1] and not quiet:  # some were opened just now
        click.echo("\n".join(_real_images.lines(planned.index.account(), opened=True)), err=True)
    for line in [] if quiet else _real_images.of_words(planned.strange_words):
        click.echo(line, err=True)
    return planned

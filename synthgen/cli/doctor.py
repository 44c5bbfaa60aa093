"""``synthgen doctor``: what this machine has, and what its device does."""

import platform
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from synthgen.cli import _options
from synthgen.cli._terminal import say
from synthgen.core import digits, hub


class _Letters(click.ParamType[str]):
    """Letters of steps, as ``A,C``."""

    name = "A,C"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The letters alone, in capitals."""
        from synthgen.benchmark.steps import STEPS

        letters, known = str(value).upper().replace(",", "").replace(" ", ""), "".join(one.letter for one in STEPS)
        if not letters or set(letters) - set(known):
            self.fail(f"`{value}`: give letters of {known[0]} to {known[-1]}, as A,C", param, ctx)
        return letters


class _Size(click.ParamType[tuple[int, int]]):
    """Width and height in pixels, as ``1024x768``."""

    name = "WIDTHxHEIGHT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Both as numbers."""
        sides = [digits.whole(one) for one in str(value).lower().split("x")]
        if len(sides) != 2 or not all(one and 8 <= one <= 8192 for one in sides):
            self.fail(f"`{value}`: give width and height from 8 to 8192 pixels, as 1024x768", param, ctx)
        return sides[0] or 0, sides[1] or 0


@click.command("doctor")
@click.option("--benchmark", is_flag=True, help="Then try the device in thirteen steps, about ten minutes on a GPU.")
@click.option("--device", type=_options.Device(), default="auto", show_default=True,
              help="What --benchmark runs on; on a CPU networks are reduced to tiny ones.")  # fmt: skip
@click.option("--out", type=_options.DIRECTORY, default=Path(), show_default="the current folder",
              help="Where --benchmark writes gpu-report.md and gpu-report.json.")  # fmt: skip
@click.option("--steps", type=_Letters(), help="Only these steps of --benchmark, by their letters.")
@click.option("--seconds", type=click.IntRange(min=10), default=600, show_default=True,
              help="What --benchmark may take; steps for which no time is left are skipped.")  # fmt: skip
@click.option("--model", metavar="NAME", help="Say of this model, a Hub id or a folder, which cards it fits.")
@click.option("--size", type=_Size(), help="The images that --model is asked for; the model's own size if left out.")
@_options.verbosity
def command(*, benchmark: bool, device: str, out: Path, steps: str | None, seconds: int, model: str | None,
            size: tuple[int, int] | None, quiet: bool) -> int:  # fmt: skip
    """Say what synthgen would use here: device, dtype, attention, versions, and whether the Hub knows you.

    With --model, say whether a model can be loaded, what its weights take, and how many images at once fit cards of
    16, 24, 40 and 80 GB, before anything of it is downloaded but its listing and its small JSON files.

    With --benchmark, try the device with full-size networks of random weights, without a network: whether images are
    right and the same to the byte, what fits, how fast it is, whether a killed run goes on. Each step is a process of
    its own; one that fails is a line, and the others go on. Exit code 1: something failed.

    Example: synthgen doctor --model stabilityai/stable-diffusion-xl-base-1.0 --size 1024x1024
    """
    if model and benchmark:
        raise click.UsageError("--model is for no --benchmark; ask one at a time")
    if size and not model:
        raise click.UsageError("--size is for --model; give that too, or leave it out")
    if benchmark:
        return _benchmark(device, out, steps or "", seconds, quiet=quiet)
    given = click.get_current_context().get_parameter_source
    for option in ("device", "out", "steps", "seconds"):
        if given(option) is not ParameterSource.DEFAULT:
            raise click.UsageError(f"--{option} is for --benchmark; give that too, or leave it out")
    if model:
        return _fits(model, size, quiet=quiet)
    _say_what_is_here(quiet=quiet)
    return 0


def _fits(model: str, size: tuple[int, int] | None, *, quiet: bool) -> int:
    """Say what is known of a model, and what of it fits here and on cards of several sizes."""
    from synthgen.core import devices
    from synthgen.diffusion import memory, model_check
    from synthgen.errors import InputError, ManifestError

    width, height = size or (None, None)
    try:
        report = model_check.check_model(model, height=height, width=width)
    except ManifestError as error:
        if not size and all(fault.kind == "missing" for fault in error.faults):
            raise InputError(f"--size: {model} does not say its own size; give one, as 1024x1024") from None
        raise
    for line in () if quiet else report.lines():
        say(line)
    device = devices.describe()
    if not quiet and device.kind == "cuda" and report.footprint:
        fits = report.footprint.batch_size(device.free_memory, memory.MAX_BATCH)
        say(f"  here ({device.name}, {device.free_memory / memory.GIB:.1f} GiB free): {fits or 'no'} at once")
    return 1 if report.note else 0


def _benchmark(device: str, out: Path, steps: str, seconds: int, *, quiet: bool) -> int:
    """Run the steps, each told of as it ends, and write the report after each, so that none is lost."""
    from synthgen import benchmark
    from synthgen.core import devices

    described = devices.describe(device)
    name = f"{described.kind} ({described.name})"
    reduced = described.kind != "cuda"
    found = list[benchmark.StepResult]()
    commands = benchmark.commands(described.kind, reduced=reduced, only=steps, limit=seconds)
    for result in benchmark.run(commands, seconds):
        found.append(result)
        if not quiet:
            say(benchmark.line(result))
        written = benchmark.write(found, out, device=name, reduced=reduced)
    for line in benchmark.summary(found):
        say(line)
    say(f"wrote {written[0]} and {written[1]}")
    return 1 if benchmark.failed(found) else 0


def _say_what_is_here(*, quiet: bool) -> None:
    """A row for each thing that matters."""
    from synthgen.core import devices

    device = devices.describe()
    choice = devices.decide(device, devices.DeviceRequest(), pixels=512 * 512, shard_samples=48, model_revision="")
    rows: dict[str, str | list[str]] = {
        "device": f"{device.kind} ({device.name}), {device.free_memory / 2**30:.1f} GiB free, {device.threads} threads",
        "dtype": choice.dtype,
        "attention": f"{choice.attention}; xformers: {_xformers(device)}",
        "batch size at 512 x 512": str(choice.batch_size),
        "ray": "installed" if find_spec("ray") else "not installed (pip install 'synthgen-images[ray]')",
        "python": platform.python_version(),
        **choice.versions,
        "plug-ins": _plugins(),
        "hub": _hub(),
    }
    width = max(map(len, rows))
    for name, value in () if quiet else rows.items():
        first, *more = [value] if isinstance(value, str) else value
        say(f"{name:<{width}}  {first}")
        for line in more:
            say(f"{'':<{width}}  {line}")


def _plugins() -> list[str]:
    """The plug-ins that installed packages bring, by kind, a line each."""
    from synthgen.extensions import EXTENSIONS

    found = []
    for folder in EXTENSIONS.folders:
        for name in sorted(folder.installed()):
            fault = folder.import_fault(name)
            line = f"{folder.kind} {name} ({', '.join(folder.packages(name))})"
            found.append(f"{line}: can't be imported: {fault}" if fault else line)
    return found or ["none installed (docs/plugins)"]


def _xformers(device: object) -> str:
    if not getattr(device, "xformers", False):
        return "not installed (pip install 'synthgen-images[cuda]')"
    return "usable" if getattr(device, "kind", "") == "cuda" else "installed, but needs a CUDA device"


def _hub() -> str:
    """Whether there is a login, and whose; never the token."""
    from huggingface_hub import get_token, whoami
    from huggingface_hub.errors import HfHubHTTPError

    if get_token() is None:
        return "not logged in (`hf auth login`, or HF_TOKEN)"
    try:
        return f"logged in as {whoami()['name']}"
    except HfHubHTTPError:
        return "there is a token, and the Hub refuses it; log in again with `hf auth login`"
    except (hub.http_error(), OSError):
        return "there is a token; the Hub can't be reached to check it"

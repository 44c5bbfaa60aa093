"""``synthgen doctor``: what this machine has."""

import platform
from importlib.util import find_spec

import click

from synthgen.cli import _options
from synthgen.core import hub


@click.command("doctor")
@_options.verbosity
def command(*, quiet: bool) -> None:
    """Say what synthgen would use here: device, dtype, attention, versions, and whether the Hub knows you.

    Example: synthgen doctor
    """
    from synthgen.core import devices

    device = devices.describe()
    choice = devices.decide(device, devices.DeviceRequest(), pixels=512 * 512, shard_samples=48, model_revision="")
    rows: dict[str, str | list[str]] = {
        "device": f"{device.kind} ({device.name}), {device.free_memory / 2**30:.1f} GiB free, {device.threads} threads",
        "dtype": choice.dtype,
        "attention": f"{choice.attention}; xformers: {_xformers(device)}",
        "batch size at 512 x 512": str(choice.batch_size),
        "ray": "installed" if find_spec("ray") else "not installed (pip install 'synthgen[ray]')",
        "python": platform.python_version(),
        **choice.versions,
        "plug-ins": _plugins(),
        "hub": _hub(),
    }
    width = max(map(len, rows))
    for name, value in () if quiet else rows.items():
        first, *more = [value] if isinstance(value, str) else value
        click.echo(f"{name:<{width}}  {first}")
        for line in more:
            click.echo(f"{'':<{width}}  {line}")


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
        return "not installed (pip install 'synthgen[cuda]')"
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

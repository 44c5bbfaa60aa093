"""The environment that a run pins for each entry, since another would make other bytes."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from synthgen.core import releases
from synthgen.core.devices import DTYPES, DeviceRequest, Environment
from synthgen.errors import PlanMismatchError, UnavailableError
from synthgen.runs.run_file import check_seal, locked, read, write

_log = logging.getLogger(__name__)


def pinned(root: Path, entry: str) -> Environment | None:
    """The environment that a run pins for an entry; ``None`` before its first image."""
    environment = read(root)["entries"][entry]["environment"]
    return Environment(**environment) if environment else None


def apply_pin(pin: Environment | None, request: DeviceRequest) -> DeviceRequest:
    """The request with what it leaves open set as the run pins it.

    Raises:
        PlanMismatchError: Something was asked for that the run does not have; mixing them would change bytes.
    """
    if pin is None:
        return request
    asked = {
        "--device": (request.device, pin.device, "auto"),
        "--dtype": (DTYPES.get(request.dtype, request.dtype), pin.dtype, "auto"),
        "--attention": (request.attention, pin.attention, "auto"),
        "--batch-size": (request.batch_size, pin.batch_size, None),
        "--memory": (request.memory and _held_as(request.memory), _held_as(pin.memory), None),
    }
    faults = [
        f"{option} {value}: this run was begun with {begun}; leave it out, or use another --out"
        for option, (value, begun, unset) in asked.items()
        if value not in (unset, begun)
    ]
    if faults:
        raise PlanMismatchError(*faults)
    return DeviceRequest(
        device=pin.device, dtype=pin.dtype, attention=pin.attention, batch_size=pin.batch_size,
        memory="fp8" if pin.memory == "fp8" else request.memory or pin.memory or None, pinned=True,
    )  # fmt: skip


def _held_as(memory: str) -> str:
    """What of ``--memory`` decides bytes: whether weights are in fp8, and not where they lie."""
    return "fp8" if memory == "fp8" else "fit"


def pin(root: Path, entry: str, environment: Environment) -> Environment:
    """The environment that a run pins for an entry: the one that is pinned already, or else this one, pinned now.

    Its version of synthgen is the one that the run was begun with, as long as that makes the same bytes as this one.
    An adapter that the entry came to use later is pinned beside those that it had.

    Raises:
        UnavailableError: Versions, device or model are not those that the run was begun with.
        InputError: The run's file is not what was written, so it is not sealed anew.
    """
    with locked(root):
        document = read(root)
        held = document["entries"][entry]["environment"]
        if held is None:
            check_seal(root)
            version = str(document.get("generator", "")).removeprefix("synthgen ")
            if releases.same_bytes(version, environment.versions.get("synthgen", "")):
                environment = replace(environment, versions=environment.versions | {"synthgen": version})
            document["entries"][entry]["environment"] = environment.to_dict()
            write(root, document)
            return environment
        begun = Environment(**held)
        faults = _drift(root, begun, environment)
        if faults:
            raise UnavailableError(*faults)
        if added := {name: sha256 for name, sha256 in environment.adapters.items() if name not in begun.adapters}:
            check_seal(root)
            begun = replace(begun, adapters=begun.adapters | added)
            document["entries"][entry]["environment"] = held | {"adapters": begun.adapters}
            write(root, document)
    if begun.device_name != environment.device_name:
        _log.warning(
            "run was begun on %s, this is %s: images will be equal within a PSNR tolerance, not to the byte",
            begun.device_name, environment.device_name,
        )  # fmt: skip
    return replace(begun, memory=environment.memory)


def lower_batch_size(root: Path, entry: str, batch_size: int) -> None:
    """Pin a smaller batch, where the first one did not fit and nothing has been made with it.

    Raises:
        InputError: The run's file is not what was written, so it is not sealed anew.
    """
    with locked(root):
        document = read(root)
        check_seal(root)
        document["entries"][entry]["environment"]["batch_size"] = batch_size
        write(root, document)


def drift(
    root: Path, begun: Mapping[str, str], now: Mapping[str, str], files: Mapping[str, Path] | None = None
) -> list[str]:
    """What is not of the version that a run was begun with, a line each.

    Args:
        root: The run.
        begun: The versions that it pins.
        now: Those here.
        files: Where the plug-in files among them were read.
    """
    return [
        f"{root} was begun with {package} {short(version)}, here is {short(now.get(package))}; "
        f"{_restore(version, (files or {}).get(package))}, or use another --out"
        for package, version in begun.items()
        if not _same(package, version, now.get(package))
    ]


def _same(package: str, begun: str, now: str | None) -> bool:
    """Whether a version makes the bytes of another: its own alone, or of synthgen those that are known to."""
    return begun == now or (package == "synthgen" and now is not None and releases.same_bytes(begun, now))


def _drift(root: Path, begun: Environment, now: Environment) -> list[str]:
    faults = drift(root, begun.versions, now.versions)
    if begun.device != now.device:
        faults.append(f"{root} was begun on {begun.device}, this is {now.device}; use another --out")
    for name, sha256 in begun.adapters.items():
        if now.adapters.get(name) != sha256:
            faults.append(
                f"{root}: adapter {name} is not the one that the run was begun with (weights {sha256[:12]} then, "
                f"{now.adapters.get(name, 'none')[:12]} now); restore it, or use another --out"
            )
    for key in dict.fromkeys([*begun.parts, *now.parts]):
        then, here = begun.parts.get(key, "none"), now.parts.get(key, "none")
        if then != here:
            faults.append(
                f"{root}: `{key}` is not what the run was begun with ({then[:19]} then, {here[:19]} now); "
                "restore it, or use another --out"
            )
    if begun.model_revision != now.model_revision:
        faults.append(
            f"{root}: the model has changed since the run was begun "
            f"({begun.model_revision} then, {now.model_revision} now); restore it, or use another --out"
        )
    return faults


def short(version: str | None) -> str:
    """A version as messages say it; of a plug-in file's sha256 the first digits."""
    what, _, digest = str(version).partition(" ")
    return f"{what} {digest[:12]}" if what == "sha256" else str(version)


def _restore(version: str, file: Path | None) -> str:
    if not version.startswith("sha256 "):
        return "install that version"
    return f"put {file} back as it was" if file else "put that file back"

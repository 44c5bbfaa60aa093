"""A run's own file, ``run.json``: the manifest it follows, the digests it was claimed for, the environment it pins."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from synthgen import __version__, adapters, durable, manifest, real, top_ups
from synthgen.devices import DTYPES, Environment, Wish
from synthgen.doors import Doors
from synthgen.errors import IncompleteError, InputError, ManifestError, PlanMismatchError, UnavailableError
from synthgen.plan import EntryPlan, Plan
from synthgen.real import Index
from synthgen.sample import Recipe

_FORMAT = 1
_log = logging.getLogger(__name__)


def is_run(root: Path) -> bool:
    """Whether a folder is a run."""
    return (root / "run.json").is_file()


def claim(root: Path, plan: Plan) -> None:
    """Make a folder this plan's, or check that it is; entries that are new to it, or of which nothing is made, are set.

    Raises:
        PlanMismatchError: It holds another plan of an entry, or an entry that this plan lacks.
        InputError: It is not empty and no run, so nothing is written to it.
    """
    root.mkdir(parents=True, exist_ok=True)
    if not (root / ".lock").exists():
        check_ours(root)
    with _locked(root):
        check_ours(root)
        durable.sweep(root, "run.json")
        old = _read(root)["entries"] if is_run(root) else {}
        _check_same(root, _begun(root, old), plan)
        entries = {
            name: {
                "digest": entry.digest,
                "samples": entry.samples,
                "shards": entry.shards,
                "environment": _kept(old.get(name, {}), entry.digest),
            }
            for name, entry in plan.entries.items()
        }
        document = {
            "format": _FORMAT,
            "generator": f"synthgen {__version__}",
            "name": plan.manifest.document.name,
            "plan": plan.digest,
            "manifest": plan.manifest.text,
            "prompts": plan.manifest.prompts_text,
            "base": str(plan.manifest.base),
            "adapters": adapters.table(plan.adapters.values()),
            "entries": entries,
        }
        if not is_run(root) or _read(root) != document:
            _write(root, document)


def read_plan(root: Path, doors: Doors) -> Plan:
    """The plan that a run follows, from the manifest that it keeps.

    Raises:
        InputError: The folder is no run, or its manifest can't be read any more.
        PlanMismatchError: This version of synthgen plans other images from it.
    """
    if not is_run(root):
        raise InputError(f"{root}: no run here (no run.json); give the folder that `generate` made")
    document = _read(root)
    try:
        read = manifest.parse(
            document["manifest"],
            doors,
            base=Path(document["base"]),
            where=f"{root}/run.json: manifest",
            prompts_text=document["prompts"],
        )
    except ManifestError as error:
        raise InputError(*(f"{root}/run.json: {fault}" for fault in error.faults)) from None
    path = root / real.FILE
    index = Index.read(path) if read.starts_from_real and path.exists() else None
    plan = Plan(read, index, top_ups.read(root))
    _check_same(root, document["entries"], plan)
    return plan


def pinned(root: Path, entry: str) -> Environment | None:
    """The environment that a run pins for an entry; ``None`` before its first image."""
    environment = _read(root)["entries"][entry]["environment"]
    return Environment(**environment) if environment else None


def honour(pin: Environment | None, wish: Wish) -> Wish:
    """The wish with everything that was left open set as the run pins it.

    Raises:
        PlanMismatchError: Something was asked for that the run does not have; mixing them would change bytes.
    """
    if pin is None:
        return wish
    asked = {
        "--device": (wish.device, pin.device, "auto"),
        "--dtype": (DTYPES.get(wish.dtype, wish.dtype), pin.dtype, "auto"),
        "--attention": (wish.attention, pin.attention, "auto"),
        "--batch-size": (wish.batch_size, pin.batch_size, None),
    }
    faults = [
        f"{option} {value}: this run was begun with {begun}; leave it out, or use another --out"
        for option, (value, begun, unset) in asked.items()
        if value not in (unset, begun)
    ]
    if faults:
        raise PlanMismatchError(*faults)
    return Wish(device=pin.device, dtype=pin.dtype, attention=pin.attention, batch_size=pin.batch_size)


def pin(root: Path, entry: str, environment: Environment) -> Environment:
    """Pin an environment for an entry, or check that it is the one pinned; returns the pinned one.

    Raises:
        UnavailableError: Versions, device or model are not those that the run was begun with.
    """
    with _locked(root):
        document = _read(root)
        begun = document["entries"][entry]["environment"]
        if begun is None:
            document["entries"][entry]["environment"] = environment.to_dict()
            _write(root, document)
            return environment
    begun = Environment(**begun)
    faults = _drift(root, begun, environment)
    if faults:
        raise UnavailableError(*faults)
    if begun.device_name != environment.device_name:
        _log.warning(
            "run was begun on %s, this is %s: images will be equal within a PSNR tolerance, not to the byte",
            begun.device_name, environment.device_name,
        )  # fmt: skip
    return begun


def located(recipe: Recipe, root: Path | None) -> Recipe:
    """The recipe with the folder that its adapter lies in, in a run or elsewhere.

    Raises:
        IncompleteError: The adapter is not trained yet, or nobody says which run holds it.
        DamagedError: Another lies in its place.
    """
    if recipe.adapter is None:
        return recipe
    if root is None and recipe.adapter.folder is None:
        raise IncompleteError(
            f"made by adapter {recipe.adapter}, which is never packed; say which run has it: --work RUN"
        )
    return replace(recipe, adapter=recipe.adapter.located(root or Path()))


def weights_of(entry: EntryPlan, root: Path) -> dict[str, str]:
    """The sha256 of the weights of every adapter that an entry's images are made with, by what records call it.

    Raises:
        IncompleteError: One of them is not trained yet.
        DamagedError: Another lies in its place.
    """
    used = {str(one): one.located(root) for one in entry.adapters.values() if one}
    return {name: adapters.weights_sha256(one.folder) for name, one in used.items() if one.folder}


def lower_batch_size(root: Path, entry: str, batch_size: int) -> None:
    """Pin a smaller batch, where the first one did not fit and nothing has been made with it."""
    with _locked(root):
        document = _read(root)
        document["entries"][entry]["environment"]["batch_size"] = batch_size
        _write(root, document)


def _drift(root: Path, begun: Environment, now: Environment) -> list[str]:
    faults = []
    for package, version in begun.versions.items():
        if now.versions.get(package) != version:
            faults.append(
                f"{root} was begun with {package} {version}, here is {now.versions.get(package)}; "
                f"install that version, or use another --out"
            )
    if begun.device != now.device:
        faults.append(f"{root} was begun on {begun.device}, this is {now.device}; use another --out")
    for name, sha256 in begun.adapters.items():
        if now.adapters.get(name) != sha256:
            faults.append(
                f"{root}: adapter {name} is not the one that the run was begun with (weights {sha256[:12]} then, "
                f"{now.adapters.get(name, 'none')[:12]} now); restore it, or use another --out"
            )
    if begun.model_revision != now.model_revision:
        faults.append(
            f"{root}: the model has changed since the run was begun "
            f"({begun.model_revision} then, {now.model_revision} now); restore it, or use another --out"
        )
    return faults


def _check_same(root: Path, old: dict[str, Any], plan: Plan) -> None:
    faults = []
    for name, entry in old.items():
        if name not in plan.entries:
            faults.append(f"{root} holds entry `{name}`, which the manifest lacks; put it back, or use another --out")
        elif plan.entries[name].digest != entry["digest"]:
            faults.append(
                f"{root} holds another plan of entry `{name}` (there {entry['digest'][:12]}, "
                f"asked {plan.entries[name].digest[:12]}): use another --out, rename the entry, or undo the change"
            )
    if faults:
        raise PlanMismatchError(*faults)


def _kept(old: dict[str, Any], digest: str) -> dict[str, Any] | None:
    """What an entry pins, as long as it is the same entry."""
    return old["environment"] if old.get("digest") == digest else None


def _begun(root: Path, entries: dict[str, Any]) -> dict[str, Any]:
    """The entries of which anything has been made; the others can still change."""
    return {name: entry for name, entry in entries.items() if any((root / name).glob("**/*.tar"))}


def check_ours(root: Path) -> None:
    """Check that a folder is a run, empty, or not there.

    Raises:
        InputError: It holds something else, so nothing is written to it.
    """
    ours = (".lock", ".run", "sources", f".{real.FILE}")
    foreign = root.exists() and [path.name for path in root.iterdir() if not path.name.startswith(ours)]
    if foreign and not is_run(root):
        raise InputError(f"{root} is not empty and not a synthgen run; choose another folder")


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """Hold the run's lock, which the system lets go of when a process dies."""
    from filelock import FileLock

    with FileLock(root / ".lock"):
        yield


def _read(root: Path) -> dict[str, Any]:
    path = root / "run.json"
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != _FORMAT:
            raise InputError(f"{path}: written by another version of synthgen")
        for entry in document["entries"].values():
            if entry["environment"]:
                Environment(**entry["environment"])
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a run's file: {error}") from None
    return dict(document)


def _write(root: Path, document: dict[str, Any]) -> None:
    durable.write(root / "run.json", json.dumps(document, indent=1).encode())

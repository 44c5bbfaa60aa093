"""What makes two ``run.json`` one run or two: the plan that they follow, and what they pin."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from synthgen.core import releases, yaml_documents
from synthgen.errors import PlanMismatchError
from synthgen.runs import run_file

_MOST_NAMED = 4
_LONGEST = 60
_PINNED = (
    "dtype",
    "attention",
    "batch_size",
    "model_revision",
    "variant",
    "fused",
    "parts",
    "redo_batch_size",
    "flags",
)
_RULED = ("curate", "pack", "publish", "evaluate", "name")  # which decide no image
_PLANNED = ("digest", "samples", "shards", "layout")
_IDENTITY = ("plan", run_file.ROUNDS, run_file.FORMER, run_file.EXCLUDED, run_file.INDEX)


def identity(document: Mapping[str, Any]) -> str:
    """The sha256, in hex, over all that says which images a run has and where they lie."""
    entries = {name: {key: one.get(key) for key in _PLANNED} for name, one in document["entries"].items()}
    said = [entries, *(document.get(key) for key in _IDENTITY)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def keys(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The keys of their manifests that set two runs apart, with both values, or else their entries."""
    before, after = (yaml_documents.parse(str(one.get("manifest", "")), "run.json", kept=True) for one in (there, here))
    found = list(_apart(before, after, "")) if isinstance(before, dict) and isinstance(after, dict) else []
    found = [one for one in found if not one.startswith(_RULED)]
    if found:
        return "; ".join(found[:_MOST_NAMED]) + (f"; {len(found) - _MOST_NAMED} more" if found[_MOST_NAMED:] else "")
    entries = [name for name, one in here["entries"].items() if one["digest"] != _digest(there, name)]
    named = ", ".join(f"`{name}`" for name in entries[:_MOST_NAMED])
    return f"other prompts or real images of {named}" if named else "it has grown otherwise"


def rules(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """The keys of their manifests that decide no image and set two runs apart, with both values; empty for none."""
    before, after = (yaml_documents.parse(str(one.get("manifest", "")), "run.json", kept=True) for one in (there, here))
    found = [one for one in _apart(before, after, "") if one.startswith(_RULED)]
    return "; ".join(found[:_MOST_NAMED])


def _digest(document: Mapping[str, Any], name: str) -> object:
    return document["entries"].get(name, {}).get("digest")


def _apart(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from _apart(before.get(key), after.get(key), f"{path}.{key}" if path else str(key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for place, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _apart(one, other, f"{path}[{place}]")
    elif before != after:
        yield f"{path}: {_short(before)} there, {_short(after)} here"


def _short(value: object) -> str:
    said = "nothing" if value is None else json.dumps(value, default=str)
    return said if len(said) <= _LONGEST else f"{said[:_LONGEST]}..."


def pins(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a run pins for each entry that it has begun."""
    return {name: one["environment"] for name, one in document["entries"].items() if one["environment"]}


def with_pins(
    document: dict[str, Any], other: Mapping[str, Any], before: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """A run's file with the environments that another of the same run pins and it does not.

    Args:
        document: The one.
        other: The other.
        before: What both had pinned when they last met: what has changed since on one side alone counts.
        name: The mirror that one of them is of.

    Raises:
        PlanMismatchError: Both pin an entry, and otherwise: their images would not be the same to the byte.
    """
    entries, faults, pinned = dict(document["entries"]), list[str](), False
    for entry, held in document["entries"].items():
        theirs = other["entries"].get(entry, {})
        there, here = theirs.get("environment"), held["environment"]
        if theirs.get("digest") != held["digest"] or not there or there in (here, before.get(entry)):
            continue
        if here is None or here == before.get(entry):
            entries[entry], pinned = held | {"environment": there}, True
        elif differing := [*_otherwise(here, there)]:
            faults.append(
                f"{name}: entry `{entry}` was begun otherwise elsewhere ({'; '.join(differing[:_MOST_NAMED])}), so "
                "images would not be the same to the byte; use another --mirror or --out"
            )
        elif added := {key: one for key, one in _adapters(there).items() if key not in _adapters(here)}:
            entries[entry] = held | {"environment": here | {"adapters": _adapters(here) | added}}
    if faults:
        raise PlanMismatchError(*faults)
    if entries == document["entries"]:
        return document
    signed = {"generator": other["generator"]} if pinned and not pins(document) and "generator" in other else {}
    return document | {"entries": entries} | signed


def _otherwise(one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[str]:
    """What two environments have that makes other bytes; of devices of one type the model is told elsewhere."""
    if one["device"] != other["device"]:
        yield f"device {other['device']} there, {one['device']} here"
    if one["device"] == "cpu" and one["threads"] != other["threads"]:
        yield f"threads {other['threads']} there, {one['threads']} here"
    for key in _PINNED:
        there, here = other.get(key), one.get(key)
        if (there or None) != (here or None):
            yield f"{key.replace('_', ' ')} {_short(there)} there, {_short(here)} here"
    if (one.get("memory") == "fp8") != (other.get("memory") == "fp8"):
        yield f"memory {_short(other.get('memory'))} there, {_short(one.get('memory'))} here"
    for package in dict.fromkeys([*one["versions"], *other["versions"]]):
        there, here = other["versions"].get(package), one["versions"].get(package)
        same = package == "synthgen" and there and here and releases.same_bytes(there, here)
        if there != here and not same:
            yield f"{package} {there} there, {here} here"
    for adapter, sha256 in _adapters(one).items():
        if _adapters(other).get(adapter, sha256) != sha256:
            yield f"adapter {adapter} has other weights"


def _adapters(environment: Mapping[str, Any]) -> dict[str, str]:
    return dict(environment.get("adapters", {}))

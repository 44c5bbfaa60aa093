"""A record as a dataset has it: without the names of real images, and without folders of the machine that made it."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from synthgen.plan import Plan
from synthgen.plan.manifest import plugin_files
from synthgen.plan.sample import PARTS, Record
from synthgen.plan.source_names import Pseudonyms

# A path from the root, from a home, from a drive or a share, which tells of the machine and whose it is.
ABSOLUTE = re.compile(r"(?i)/|~|file:|[a-z]:[\\/]|\\\\")


def last_name(written: str) -> str:
    """What an absolute path is called without the folders before it; any other text as it is."""
    if not ABSOLUTE.match(written):
        return written
    return PurePosixPath(written.replace("\\", "/")).name or "model"


def last_names(value: Any) -> Any:
    """A value whose texts are as :func:`last_name` gives them."""
    match value:
        case str():
            return last_name(value)
        case list() | tuple():
            return [last_names(one) for one in value]
        case Mapping():
            return {name: last_names(one) for name, one in value.items()}
    return value


def names_folders(model: str, attributes: str) -> bool:
    """Whether a record of such fields may name a folder."""
    return ABSOLUTE.match(model) is not None or any(f'"{part}"' in attributes for part in PARTS)


def names_of(plan: Plan) -> list[str]:
    """Every name of a model, of a part of one, or of a plug-in's file that a dataset of a plan tells."""
    recipes = [entry.recipe for entry in plan.entries.values()]
    models = [part.model.name for recipe in recipes for part in (recipe, *recipe.parts.values())]
    return models + [one["file"] for one in plugin_files.table(plan.manifest.plugins)]


def withholds(value: Any) -> bool:
    """Whether :func:`last_names` leaves anything out of a value."""
    match value:
        case str():
            return ABSOLUTE.match(value) is not None
        case list() | tuple():
            return any(withholds(one) for one in value)
        case Mapping():
            return any(withholds(one) for one in value.values())
    return False


def public(record: Record, names: Pseudonyms | None, *, private: bool) -> Record:
    """A record as a dataset has it.

    Args:
        record: The run's.
        names: What the dataset calls real images and their groups; ``None`` for their own names.
        private: Whether folders are left out of the names of models.

    Raises:
        DamagedError: Its key has the name of a real image in a place that no key has it in.
    """
    shown = record if names is None else names.record(record)
    if not private or not names_folders(shown.model, shown.attributes):
        return shown
    said = json.loads(shown.attributes) if shown.attributes else {}
    kept = said | {name: last_name(str(said[name])) for name in PARTS if name in said}
    attributes = json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept != said else shown.attributes
    return replace(shown, model=last_name(shown.model), attributes=attributes)

"""A record as a dataset has it: without the names of real images, and without folders of the machine that made it."""

from dataclasses import replace

from synthgen.plan import Plan
from synthgen.plan.manifest import plugin_files
from synthgen.plan.model_names import attributes_without_folders, last_name, names_folders
from synthgen.plan.sample import Record
from synthgen.plan.source_names import Pseudonyms


def names_of(plan: Plan) -> list[str]:
    """Every name of a model, of a part of one, or of a plug-in's file that a dataset of a plan tells."""
    recipes = [entry.recipe for entry in plan.entries.values()]
    models = [part.model.name for recipe in recipes for part in (recipe, *recipe.parts.values())]
    return models + [one["file"] for one in plugin_files.table(plan.manifest.plugins)]


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
    return replace(shown, model=last_name(shown.model), attributes=attributes_without_folders(shown.attributes))

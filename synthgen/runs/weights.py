"""The adapters that a run's images are made with, where they lie."""

from dataclasses import replace
from pathlib import Path

from synthgen import adapters
from synthgen.errors import IncompleteError
from synthgen.plan import EntryPlan
from synthgen.sample import Recipe


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

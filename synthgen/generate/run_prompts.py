"""All prompts of a run that one model reads: those of every entry that is made with it."""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from synthgen.diffusion.pipelines import RunPrompts
from synthgen.plan import Plan
from synthgen.plan.sample import Recipe


def run_prompts(plan: Plan, root: Path, recipe: Recipe) -> RunPrompts:
    """The prompts of every sample that a recipe's model and adapter make, at its first attempt.

    A prompt of a later attempt, which a black image leads to, is encoded when it comes where it is none of them.

    Args:
        plan: The run's plan.
        root: The run's folder.
        recipe: What reads them.
    """
    sizes = "\n".join(f"{entry.digest} {entry.samples}" for entry in plan.entries.values())
    return RunPrompts(root, sha256(sizes.encode()).hexdigest(), lambda: _texts(plan, recipe))


def _texts(plan: Plan, recipe: Recipe) -> Iterator[str]:
    for entry in plan.entries.values():
        if _encoded_alike(entry.recipe) != _encoded_alike(recipe):
            continue
        guided = getattr(entry.recipe.settings, "guidance_scale", 2.0) > 1 and not recipe.model.distilled
        for prompt in entry.prompts_with(recipe.adapter):
            yield prompt.text
            if guided:
                yield prompt.negative


def _encoded_alike(recipe: Recipe) -> tuple[object, ...]:
    return recipe.model, recipe.revision, recipe.accelerator

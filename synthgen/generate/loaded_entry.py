"""An entry of a plan with its model loaded and its environment pinned."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import strategies
from synthgen.diffusion.maker import ImageMaker
from synthgen.plan import EntryPlan
from synthgen.plan.manifest import Output
from synthgen.plan.sample import Recipe
from synthgen.runs import run_folder
from synthgen.runs.receipts import Ledger
from synthgen.runs.start_images import StartImages
from synthgen.vision.images.codec import Encoding


@dataclass
class LoadedEntry:
    """An entry with its model loaded; ``started`` counts the shards whose images this process has made."""

    plan: EntryPlan
    recipe: Recipe
    ledger: Ledger
    environment: Environment
    maker: ImageMaker
    encoding: Encoding
    started: int = 0


def load_entry(
    plan: EntryPlan, recipe: Recipe, *, root: Path, request: DeviceRequest, output: Output, start_images: StartImages
) -> LoadedEntry:
    """An entry, its model loaded in the environment that its run pins or, where it pins none yet, that is pinned now.

    Args:
        plan: The entry.
        recipe: How the samples at hand are made; of an entry with several adapters, with one of them.
        root: The run's folder.
        request: What the user asks of the environment.
        output: How images are stored.
        start_images: Reads the images that samples start from.

    Raises:
        PlanMismatchError: The request is another than the run was begun with.
        UnavailableError: What was asked for can't be had on this device.
    """
    wanted = run_folder.apply_pin(run_folder.pinned(root, plan.name), request)
    environment = strategies.environment(recipe, wanted, plan.shard_samples)
    environment = dataclasses.replace(environment, adapters=run_folder.weights_of(plan, root))
    environment = run_folder.pin(root, plan.name, environment)
    run_folder.apply_pin(environment, request)  # another process may have pinned in between
    ledger = Ledger(root, plan.name, plan.digest_of)
    ledger.sweep()
    return LoadedEntry(
        plan=plan,
        recipe=recipe,
        ledger=ledger,
        environment=environment,
        maker=strategies.strategy(recipe.strategy).maker(run_folder.located(recipe, root), environment, start_images),
        encoding=Encoding(output.image_format, output.quality or 95),
    )

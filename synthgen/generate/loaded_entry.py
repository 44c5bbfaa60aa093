"""An entry of a plan with its model loaded and its environment pinned."""

from dataclasses import dataclass, replace
from pathlib import Path

from synthgen.core import devices
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import strategies
from synthgen.diffusion.maker import ImageMaker
from synthgen.diffusion.pipelines import RunPrompts, prompts_of
from synthgen.diffusion.sampler_settings import measured_batch_size, proves_itself, shown
from synthgen.plan import EntryPlan
from synthgen.plan.manifest import Output
from synthgen.plan.sample import Recipe, Sample
from synthgen.runs import run_folder
from synthgen.runs.receipts import Ledger
from synthgen.runs.start_images import StartImages
from synthgen.vision.images.codec import Encoding


@dataclass
class LoadedEntry:
    """An entry with its model loaded; ``started`` counts the shards whose images this process has made.

    ``other_device`` is the name of the device where it is another than the one that the run was begun on, else empty.
    """

    plan: EntryPlan
    recipe: Recipe
    ledger: Ledger
    environment: Environment
    maker: ImageMaker
    encoding: Encoding
    output: Output
    started: int = 0
    other_device: str = ""


def load_entry(
    plan: EntryPlan, recipe: Recipe, *, root: Path, request: DeviceRequest, output: Output, start_images: StartImages,
    sample: Sample | None = None, prompts: RunPrompts | None = None,
) -> LoadedEntry:  # fmt: skip
    """An entry, its model loaded in the environment that its run pins or, where it pins none yet, that is pinned now.

    Args:
        plan: The entry.
        recipe: How the samples at hand are made; of an entry with several adapters, with one of them.
        root: The run's folder.
        request: What the user asks of the environment.
        output: How images are stored.
        start_images: Reads the images that samples start from.
        sample: One of the samples at hand, what it starts from read, by which the batch is measured where that is left
            to us; ``None`` for a batch by rule.
        prompts: The prompts of the run, whose embeddings are kept in it; ``None`` to encode them as they come.

    Raises:
        PlanMismatchError: The request is another than the run was begun with.
        UnavailableError: What was asked for can't be had on this device.
        OutOfMemoryError: Not one image fits.
    """
    begun = run_folder.pinned(root, plan.name)
    wanted = run_folder.apply_pin(begun, request)
    environment = strategies.environment(recipe, wanted, plan.shard_samples)
    environment = replace(environment, adapters=run_folder.weights_of(plan, root))
    strategy, located = strategies.strategy(recipe.strategy), run_folder.located(recipe, root)
    if begun is None and proves_itself(located, environment):
        strategy.maker(located, environment, start_images)
        environment = replace(environment, proof=shown(located, environment))
    if begun is None and wanted.batch_size is None and sample and devices.measures_batch(environment.device):
        own = replace(sample, recipe=located)
        with prompts_of(prompts):
            maker = strategy.maker(located, environment, start_images)
        batch_size = measured_batch_size(located, environment, maker, own, plan.shard_samples)
        environment = replace(environment, batch_size=batch_size)
    device_name = environment.device_name
    environment = run_folder.pin(root, plan.name, environment)
    run_folder.apply_pin(environment, request)  # another process may have pinned in between
    ledger = Ledger(root, plan.name, plan.digest_of)
    ledger.sweep()
    with prompts_of(prompts):
        maker = strategy.maker(located, environment, start_images)
    return LoadedEntry(
        plan=plan,
        recipe=recipe,
        ledger=ledger,
        environment=environment,
        maker=maker,
        encoding=Encoding(output.image_format, output.quality or 95),
        output=output,
        other_device="" if environment.device_name == device_name else device_name,
    )

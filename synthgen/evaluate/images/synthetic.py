"""The synthetic images of a run or a packed dataset: what a study's design knows of each, and where its bytes lie."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synthgen.core import model_folder
from synthgen.core.yaml_documents import near
from synthgen.errors import InputError
from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan import Plan, skin_tones
from synthgen.plan.manifest.evaluate import ModelSaw, Strategy
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index
from synthgen.plan.sample import Record
from synthgen.runs import dataset_folder, pseudonyms, verdicts
from synthgen.runs.folders import Dataset, Run, open_folder
from synthgen.runs.pseudonyms import Originals
from synthgen.runs.stored_images import Location

Pools = Mapping[str, frozenset[str] | None]


@dataclass(frozen=True)
class SyntheticListing:
    """Synthetic images, none of them decoded.

    Attributes:
        images: What the design knows of them.
        places: Where each lies, by the key of its record; of a dataset of pseudonyms by the key that the run has.
        curation: What verdicts say that they follow from, as in ``verdicts.parquet`` and ``provenance.json``, and
            which scorers learn from labels, where that is known; empty where nothing was judged.
    """

    images: tuple[SyntheticImage, ...]
    places: Mapping[str, Location]
    curation: Mapping[str, Any] = field(default_factory=dict)


def list_synthetic(
    root: Path,
    extensions: Extensions,
    *,
    scale: str,
    strategy_of: Mapping[str, str],
    pools: Pools,
    uncurated: bool = False,
    names: Originals | None = None,
    model_saw: ModelSaw | Mapping[str, ModelSaw] = "unknown",
    training: Collection[str] = (),
) -> SyntheticListing:
    """The images of a run or a packed dataset, by their records alone; those that a run rejects are left out.

    Of a dataset of pseudonyms keys and sources are the run's own, so that a study of it is the study of its run.

    Args:
        root: The folder.
        extensions: The strategies there are.
        scale: The study's skin-tone scale; a tone on another one is unknown.
        strategy_of: The name of the strategy of entries that don't stand for themselves.
        pools: The real images that each adapter was trained on, by the records' ``adapter``.
        uncurated: Whether all that a run planned is listed too, as images of uncurated strategies.
        names: What real images are called in the run that a dataset of pseudonyms is of; ``None`` for as they are.
        model_saw: What base models saw of the real images, or what each did by its name; of the model that ships, none.
        training: The ids of the real training images.

    Raises:
        InputError: The folder is neither, a model is named that made no image, or there is no image that was rejected
            where ``uncurated`` needs them.
        IncompleteError: Work shards of the run are missing, or it is not judged as its manifest asks.
        DamagedError: A shard can't be read, or the run has no real image that a pseudonym stands for.
    """
    folder = open_folder(root, extensions)
    models, trained = set[str](), frozenset(training)
    if names is not None:
        pools = {key: pool and frozenset(map(names.image, pool)) for key, pool in pools.items()}
    plan = folder.plan if isinstance(folder, Run) else None
    if uncurated:
        _check_rejected(root, plan)
    tones = {skin_tones.name(scale, value): value for value in skin_tones.NAMES[scale]}

    def design_of(record: Record) -> SyntheticImage:
        tone = tones.get(record.skin_tone, 0) if record.skin_tone_scale == scale else 0
        strategy = Strategy(strategy_of.get(record.entry, record.entry))
        pool = pools.get(record.adapter) if record.adapter else frozenset[str]()
        models.add(record.model)
        saw = _saw(record.model, model_saw)
        if saw == "train" and pool is not None:
            pool |= trained
        key, source_id = record.key, record.source_id
        if names is not None:
            key, source_id = names.key(key, source_id), names.image(source_id)
        return SyntheticImage(key, strategy, record.label, tone, source_id, record.image_sha256, pool, saw == "unknown")

    images, all_planned, places, judged = list[SyntheticImage](), list[SyntheticImage](), dict[str, Location](), None
    for record, place in folder.located():
        judged = judged or _Judged(folder)  # once it is sure that no shard is missing
        image = design_of(record)
        if judged.accepted(record.key):
            images.append(image)
            places[image.record_key] = place
        if uncurated and plan and _planned(plan, record):
            all_planned.append(image.uncurated)
            places[image.record_key] = place
    if isinstance(model_saw, Mapping):
        unknown = [
            f"evaluate.model_saw: no image is of `{name}`; {near(name, models)}"
            for name in model_saw
            if name not in models
        ]
        if unknown:
            raise InputError(*unknown)
    return SyntheticListing((*images, *all_planned), places, judged.facts if judged else {})


def _saw(model: str, said: ModelSaw | Mapping[str, ModelSaw]) -> ModelSaw:
    """What a base model saw of the real images: one that is not there, or ships, none of them."""
    if isinstance(said, str):
        return "none" if model in ("", model_folder.BUNDLED) else said
    return said.get(model, "none" if model in ("", model_folder.BUNDLED) else "unknown")


def names_behind(root: Path, extensions: Extensions, name: str, index: Index) -> Originals | None:
    """The run's own names of real images, where a folder is a dataset of pseudonyms; ``None`` where none are needed.

    Without them nobody could tell what was made from an image that a study tests on. A dataset of other real images
    needs none: that its images are not in the index is what the study says of them.

    Args:
        root: The folder of a run or a packed dataset.
        extensions: The plug-ins there are.
        name: The study's name.
        index: The study's real images.

    Raises:
        InputError: The dataset was made from the study's real images, and the run that has their names is not there.
    """
    folder = open_folder(root, extensions)
    if not isinstance(folder, Dataset) or not pseudonyms.is_pseudonymous(folder):
        return None
    found = pseudonyms.originals(folder)
    if found is None and _of_these(folder.provenance, name, {source.dataset for source in index.sources}):
        raise InputError(
            f"{root}: goes by pseudonyms of real images, so none can be told that the study tests on; give the run "
            "that it was packed from, with --synthetic RUN or as `work` beside it"
        )
    return found


def _of_these(provenance: Mapping[str, Any], name: str, datasets: Collection[str]) -> bool:
    """Whether a dataset may be made from a study's own real images: it has the study's name, or one of theirs."""
    made_from = {str(one.get("dataset")) for one in provenance.get("sources", ())}
    return provenance.get("name") == name or not made_from.isdisjoint(datasets)


def _planned(plan: Plan, record: Record) -> bool:
    """Whether an image was planned, and not made beyond the plan to make up for rejected ones."""
    entry = plan.entries[record.entry]
    index = entry.find(record.key)
    return index is not None and index < entry.base.samples


class _Judged:
    """What was judged of a run, or of the run that a dataset was packed from: a dataset holds no rejected image."""

    def __init__(self, folder: Run | Dataset) -> None:
        self.accepted: Callable[[str], bool] = lambda _: True
        if isinstance(folder, Dataset):
            dataset_folder.check_seal(folder.root)
            self.facts: Mapping[str, Any] = folder.provenance.get("curation", {})
            return
        found = verdicts.check(folder.root, folder.digest, folder.plan.manifest.document.curate)
        self.facts = asdict(found) if found else {}
        asked = folder.plan.manifest.curation
        if found and asked:
            self.facts = {**self.facts, "learns_labels": asked.learns_labels}
        self.accepted = verdicts.acceptance_in_order(folder.root, found)


def _check_rejected(root: Path, plan: Plan | None) -> None:
    if plan is None:
        raise InputError(
            f"evaluate.uncurated: {root} is a dataset, which holds no rejected image; give the run instead"
        )
    if plan.manifest.curation is None:
        raise InputError(f"evaluate.uncurated: the run {root} has no `curate:`, so nothing of it is rejected")

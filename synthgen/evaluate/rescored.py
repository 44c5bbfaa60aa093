"""What of a study a changed manifest changes without a training: how its predictions are compared and claimed from."""

import logging
from collections.abc import Iterator
from dataclasses import replace

from synthgen.errors import Fault, InputError
from synthgen.evaluate.analysis.predictions import Predictions, StudyFacts
from synthgen.evaluate.prepare import labels_of
from synthgen.plan.manifest import Manifest
from synthgen.plan.manifest.evaluate import Evaluate

_log = logging.getLogger(__name__)


def following(predictions: Predictions, manifest: Manifest) -> Predictions:
    """The same predictions as a study of a manifest: by its primary family and its pairs of strategies.

    Raises:
        InputError: The manifest has no study, or one that takes other trainings; a line for each key that says so.
    """
    held, settings = predictions.study, manifest.document.evaluate
    if settings is None:
        raise InputError(Fault.at("evaluate", "missing; --rescore follows this block of the manifest", "missing"))
    faults = [
        Fault.at(key, f"the predictions are of {before}, not of {asked}; run the same without --rescore", "conflict")
        for key, before, asked in _trained_otherwise(held, manifest, settings)
    ]
    if faults:
        raise InputError(*faults)
    _warn(predictions, settings)
    primary = settings.primary.model_dump(exclude_none=True) if settings.primary else {}
    target = settings.target.model_dump() if settings.target else {}
    study = replace(held, against=settings.against, primary=primary, target=target)
    return predictions if study == held else replace(predictions, study=study)


def _trained_otherwise(held: StudyFacts, manifest: Manifest, settings: Evaluate) -> Iterator[tuple[str, str, str]]:
    """Each key that takes other trainings, with what the predictions are of and what it asks for."""
    pairs = (
        ("name", held.name, manifest.document.name),
        ("evaluate.labels", ", ".join(held.labels), ", ".join(labels_of(manifest))),
        ("evaluate.protocol", held.protocol, settings.protocol),
        ("evaluate.generator_pool", held.generator_pool, settings.generator_pool),
    )
    yield from (one for one in pairs if one[1] != one[2])


def _warn(predictions: Predictions, settings: Evaluate) -> None:
    """Say which arms and seeds nothing was trained of, so that nobody looks for them in the report."""
    arms, seeds = {one.arm for one in predictions.trials}, {one.seed for one in predictions.trials}
    missing = [arm for arm in settings.arms if arm not in arms]
    if missing:
        _log.warning("evaluate.arms: the predictions have none of %s, and --rescore trains nothing", ", ".join(missing))
    if settings.seeds > len(seeds):
        _log.warning("evaluate.seeds: the predictions are of %d, and --rescore trains nothing", len(seeds))

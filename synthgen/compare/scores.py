"""What existing scorers measure of each compared image of a run; scored a work shard at a time, so a kill loses one.

The parts lie where ``curate`` keeps its own, and are shared with it; the scores that a run was judged by stay as they
are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthgen.curate import scoring_job
from synthgen.curate.fidelity import subject
from synthgen.curate.scorers import module
from synthgen.errors import InputError, UnavailableError, one_line
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.vision import near_duplicates

if TYPE_CHECKING:
    from synthgen.compare.matching import Asked, Generator
    from synthgen.core.types import Doubles
    from synthgen.curate.scoring import Scoring

SCORERS = ("agreement", "skin_tone", "near_copy")
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class ImageScores:
    """What was measured of the images of one generator.

    Attributes:
        columns: Each measure: float64, shape (images,), NaN where it is not known of one; truth values are 0 and 1.
        missing: Why there is nothing of a measure, for those that there are none of.
    """

    columns: Mapping[str, Doubles]
    missing: Mapping[str, str]

    def known(self, measure: str) -> int:
        """Of how many images a measure is known."""
        return int(np.count_nonzero(~np.isnan(self.columns[measure])))


def settings(generators: Sequence[Generator]) -> dict[str, ScorerSettings]:
    """The settings of the scorers, as the manifests' ``curate.scorers`` have them; the usual ones where none does.

    Raises:
        InputError: Two manifests have other ones.
    """
    found = dict[str, ScorerSettings]()
    for name in SCORERS:
        said = [
            (one, curation.scorers[name])
            for one in generators
            if (curation := one.run.plan.manifest.curation) and name in curation.scorers
        ]
        for one, given in said[1:]:
            if given != said[0][1]:
                raise InputError(
                    f"{one.run.root}: curate.scorers.{name}: {_text(given)} here, {_text(said[0][1])} in "
                    f"{said[0][0].run.root}; images that are compared are measured alike"
                )
        found[name] = said[0][1] if said else module(name).Settings()
    return found


def _text(given: ScorerSettings) -> str:
    return str(given.model_dump(mode="json", exclude_defaults=True))


def measure(
    generator: Generator,
    images: Sequence[Asked],
    scorers: Mapping[str, ScorerSettings],
    *,
    rules: bool,
    device: str,
    progress: Progress,
) -> ImageScores:
    """The measures of every compared image of a generator; what is scored already is not looked at again.

    Args:
        generator: The generator.
        images: The images.
        scorers: The settings of each scorer.
        rules: Whether all generators were judged by the same rules, so that what is kept can be compared.
        device: What networks of scorers compute on.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        DamagedError: A shard can't be read.
    """
    columns, missing = dict[str, "Doubles"](), dict[str, str]()
    for scoring in _scorings(generator, scorers, missing, device, partial(progress, "indexing real images")):
        _columns(scoring.name, _scored(generator, images, scoring, progress), columns)
    if generator.run.plan.manifest.real is None:
        columns.pop("near_copies", None)
        missing["near_copies"] = "the manifest names no real images (`real:`)"
    if not getattr(scorers["near_copy"], "others", True):
        columns.pop("near_duplicates", None)
        missing["near_duplicates"] = "`curate.scorers.near_copy.others` is false"
    if "tone_distance" in columns and np.isnan(columns["tone_distance"]).all():
        missing["tone_distance"] = missing["tone_in_range"] = (
            "no tone asked for has a range of angles, or no skin is seen"
        )
    _kept(generator, images, columns, missing, rules=rules)
    return ImageScores(columns, missing)


def _scorings(
    generator: Generator,
    scorers: Mapping[str, ScorerSettings],
    missing: dict[str, str],
    device: str,
    told: Callable[[int, int], None],
) -> Sequence[Scoring]:
    """The scorers, ready; without ``agreement`` where real images can't teach it and no manifest asks for it.

    Raises:
        UnavailableError: A scorer can't be had here.
    """
    run, curation = generator.run, generator.run.plan.manifest.curation
    try:
        return scoring_job(run.plan, run.root, generator.shards, scorers, progress=told, device=device).scorings
    except UnavailableError as error:
        if "agreement" not in scorers or (curation and "agreement" in curation.scorers):
            raise
        others = {name: given for name, given in scorers.items() if name != "agreement"}
        missing["agreement"] = one_line(error)
        return _scorings(generator, others, missing, device, told)


def _scored(generator: Generator, images: Sequence[Asked], scoring: Scoring, progress: Progress) -> dict[str, Doubles]:
    """The numbers that a scorer gives, in the order of the images."""
    shards = generator.shards
    todo, done = scoring.unscored(shards), 0
    total = sum(shard.images for shard in todo)
    what = f"scoring {generator.name} by {scoring.name}"
    if todo:
        progress(what, 0, total)
    for one in scoring.score(todo, lambda: False):
        done += one.images
        progress(what, done, total)
    table = scoring.table(shards)
    rows = {key: row for row, key in enumerate(table["key"].to_pylist())}
    order = np.array([rows[image.key] for image in images], np.int64)
    return {name: table[name].to_numpy()[order] for name in module(scoring.name).COLUMNS}


def _columns(scorer: str, found: Mapping[str, Doubles], columns: dict[str, Doubles]) -> None:
    """The measures of a comparison that follow from what a scorer gives."""
    if scorer == "agreement":
        columns["agreement"] = (found["margin"] > 0).astype(np.float64)
    elif scorer == "skin_tone":
        columns["tone_distance"] = found["distance"]
        columns["tone_in_range"] = np.where(np.isnan(found["distance"]), np.nan, found["distance"] == 0)
    else:
        for name, column in (("near_duplicates", "other_similarity"), ("near_copies", "similarity")):
            columns[name] = (found[column] >= near_duplicates.THRESHOLD).astype(np.float64)


def _kept(
    generator: Generator,
    images: Sequence[Asked],
    columns: dict[str, Doubles],
    missing: dict[str, str],
    *,
    rules: bool,
) -> None:
    judged = subject.read_accepted_keys(generator.run)
    if judged.accepted is None:
        missing["kept"] = judged.reason or "the manifest has no `curate:`, so nothing says what to keep"
    elif not rules:
        missing["kept"] = "the manifests' rules (`curate:`) are not the same"
    else:
        columns["kept"] = np.array([image.key in judged.accepted for image in images], np.float64)


def same_rules(generators: Sequence[Generator]) -> bool:
    """Whether all generators' images are judged by the same rules; how many are wanted is no matter."""
    wanted = {"quota", "top_up_rounds", "parity"}
    blocks = [one.run.plan.manifest.document.curate for one in generators]
    return len({block.model_dump_json(exclude=wanted) if block else "" for block in blocks}) == 1

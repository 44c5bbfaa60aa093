"""One seed of a study: its draw of real images, its choice of synthetic ones, and the trials that they make."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

from synthgen.evaluate.design import arms, choose_synthetic, feasibility
from synthgen.evaluate.design.arms import Condition
from synthgen.evaluate.design.trials import SyntheticImage, Trial, digest
from synthgen.plan.manifest.evaluate import Evaluate
from synthgen.plan.real_index import Index, Source
from synthgen.plan.real_pools import Draw

TOO_FEW_REAL = "real-more: there are not as many real training images"
NOT_ALLOWED = "no synthetic image of the entry is made from, and by a generator that saw, only the trial's real images"
TOO_FEW_EACH = "the entry has fewer images of each real image than the ratio asks for"
SET_ASIDE = "too many of the entry's images are set aside"
SLACK = 0.1  # of the images that a trial should have, this share may be missing where it was set aside


@dataclass(frozen=True)
class DesignInputs:
    """What all seeds have in common.

    Attributes:
        settings: What is asked.
        index: The real images.
        synthetic: The synthetic images that carry nothing of an image held out.
        seed: The manifest's seed.
        labels: The study's labels.
        entries: The entries that synthetic images are of, those with none left included.
        set_aside: The synthetic images that do.
    """

    settings: Evaluate
    index: Index
    synthetic: tuple[SyntheticImage, ...]
    seed: int
    labels: tuple[str, ...]
    entries: tuple[str, ...]
    set_aside: tuple[SyntheticImage, ...] = ()

    def held(self, split: str) -> list[Source]:
        """The images of a split that show a label of the study, sorted by id."""
        return [source for source in self.index.usable(split) if source.label in self.labels]

    @cached_property
    def rows(self) -> list[Condition]:
        """The trials of each seed, by their counts."""
        return arms.conditions(self.settings, self.entries)

    @cached_property
    def each(self) -> dict[str, int]:
        """The most images that a real image has in an entry, by entries whose images are all made from real ones."""
        children: dict[str, Counter[str]] = {}
        for image in (*self.synthetic, *self.set_aside):
            children.setdefault(image.entry, Counter())[image.source_id] += 1
        return {entry: max(counts.values()) for entry, counts in children.items() if "" not in counts}

    @cached_property
    def real_marks(self) -> dict[str, str]:
        """What a real image teaches, by its id: its label and bytes."""
        return {source.id: f"{source.label} {source.sha256}" for source in self.index.usable("train")}

    @cached_property
    def synthetic_marks(self) -> dict[str, str]:
        """What a synthetic image teaches, by its key: its label and bytes."""
        return {image.key: f"{image.label} {image.sha256}" for image in self.synthetic}

    @cached_property
    def content(self) -> str:
        """The digest of what decides every result: the learner, the labels, and what it is tuned and tested on."""
        learner = self.settings.learner.model_dump(exclude={"optimizer_steps", "epochs"})
        held = {
            split: [(one.id, one.label, one.sha256) for one in self.held(split)] for split in ("validation", "test")
        }
        return digest([str(self.seed), json.dumps(learner, sort_keys=True), *self.labels, json.dumps(held)])


class SeedDesign:
    """One seed of a study.

    Args:
        study: What all seeds have in common.
        drawn: The seed's draw of real images.
    """

    def __init__(self, study: DesignInputs, drawn: Draw) -> None:
        settings = study.settings
        self._study, self._drawn = study, drawn
        arrange = partial(
            choose_synthetic.candidates_in_turn, drawn=drawn, pool=settings.generator_pool, seed=study.seed
        )
        self._cells, self._set_aside = arrange(study.synthetic), arrange(study.set_aside)
        self._chosen = choose_synthetic.choose_all(self._cells, *arms.synthetic_sizes(settings))

    @property
    def allowed(self) -> set[str]:
        """The keys of all images that some trial may have."""
        largest = max(self._study.settings.n_real)
        return {one.key for candidates in self._cells.values() for one in candidates if one.least <= largest}

    def hindrance(self, row: Condition) -> str:
        """Why there can't be a trial, for no fault of what was asked; empty where there can."""
        if row.real > min(map(len, self._drawn.order.values())):
            return TOO_FEW_REAL
        if not row.among:
            return ""
        if not any(self._counts(row).values()):
            return NOT_ALLOWED
        each = self._study.each.get(row.strategy, row.each)
        if each < row.each and self._study.settings.generator_pool == "n":
            return TOO_FEW_EACH
        label, missing = self.missing(row)
        if missing <= SLACK * row.among * row.each or not self._excused(row, label, missing):
            return ""
        return SET_ASIDE

    def missing(self, row: Condition) -> tuple[str, int]:
        """How many synthetic images a trial lacks of the label that lacks most, and that label."""
        label, found = min(self._counts(row).items(), key=lambda item: item[1])
        return label, row.among * row.each - found

    def shortages(self) -> Iterator[tuple[str, int, str]]:
        """Trials that lack images nobody has set aside: the entry, how many a label lacks, and the fault."""
        for row in self._study.rows:
            if not row.among or self.hindrance(row):
                continue
            label, missing = self.missing(row)
            if missing > 0 and not self._excused(row, label, missing):
                asked, found = (self._drawn.number, row.among, row.each), row.among * row.each - missing
                yield (
                    row.strategy,
                    missing,
                    feasibility.shortage(self._study.settings, row.strategy, label, found, asked),
                )

    def _excused(self, row: Condition, label: str, missing: int) -> bool:
        """Whether images are missing that were set aside, or that an entry with so many a real image can't have."""
        aside = self._set_aside.get((row.strategy, label), [])
        return row.strategy in self._study.each or missing <= sum(one.least <= row.among for one in aside)

    def trial(self, row: Condition) -> Trial:
        """The trial of a row."""
        study = self._study
        real = self._drawn.first(row.real)
        synthetic = tuple(sorted(key for label in study.labels for key in self._of(row, label))) if row.among else ()
        marks = [*map(study.real_marks.__getitem__, real), *map(study.synthetic_marks.__getitem__, synthetic)]
        mix = str(study.settings.mix) if real and synthetic else ""
        return Trial(
            row.arm,
            row.strategy,
            row.n_real,
            row.ratio,
            self._drawn.number,
            real,
            synthetic,
            row.augmented,
            row.duplicated,
            arms.optimizer_steps(study.settings, row.counted * len(study.labels)),
            digest([study.content, mix, *marks]),
        )

    def _of(self, row: Condition, label: str) -> frozenset[str]:
        chosen = self._chosen.get((row.strategy, label), {})
        return chosen.get((row.among, row.each), frozenset())

    def _counts(self, row: Condition) -> dict[str, int]:
        return {label: len(self._of(row, label)) for label in self._study.labels}

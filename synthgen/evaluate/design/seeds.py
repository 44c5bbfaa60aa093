"""One seed of a study: its draw of real images, its choice of synthetic ones, and the trials that they make."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import NamedTuple

from synthgen.core.hashing import stable_hash
from synthgen.evaluate.design import arms, choose_synthetic, feasibility
from synthgen.evaluate.design.arms import Condition
from synthgen.evaluate.design.trials import SyntheticImage, Trial, digest
from synthgen.plan.manifest.evaluate import Evaluate, Strategy
from synthgen.plan.real_index import Index, Source
from synthgen.plan.real_pools import Draw, draw

TOO_FEW_REAL = "real-more: there are not as many real training images"
NOT_ALLOWED = "no synthetic image of the entry is made from, and by a generator that saw, only the trial's real images"
TOO_FEW_PER_SOURCE = "the entry has fewer images of each real image than the ratio asks for"
SET_ASIDE = "too many of the entry's images are set aside"
SLACK = 0.1  # of the images that a trial should have, this share may be missing where it was set aside


@dataclass(frozen=True)
class DesignInputs:
    """The settings and images that all seeds of a study have in common.

    Attributes:
        settings: What is asked.
        index: The real images.
        synthetic: The synthetic images that carry nothing of an image held out.
        seed: The manifest's seed.
        labels: The study's labels.
        strategies: What synthetic images are of, those with none left included.
        set_aside: The synthetic images that carry something of an image held out.
    """

    settings: Evaluate
    index: Index
    synthetic: tuple[SyntheticImage, ...]
    seed: int
    labels: tuple[str, ...]
    strategies: tuple[Strategy, ...]
    set_aside: tuple[SyntheticImage, ...] = ()

    def held(self, split: str) -> list[Source]:
        """The images of a split that show a label of the study, sorted by id."""
        return [source for source in self.index.usable(split) if source.label in self.labels]

    @cached_property
    def conditions(self) -> list[Condition]:
        """The trials of each seed, by their counts."""
        return arms.conditions(self.settings, self.strategies)

    @cached_property
    def most_per_source(self) -> dict[Strategy, int]:
        """The greatest number of images made from one real image, by strategy.

        A strategy that has images made from prompts alone is not in it.
        """
        per_source: dict[Strategy, Counter[str]] = {}
        for image in (*self.synthetic, *self.set_aside):
            per_source.setdefault(image.strategy, Counter())[image.source_id] += 1
        return {strategy: max(counts.values()) for strategy, counts in per_source.items() if "" not in counts}

    @cached_property
    def real_marks(self) -> dict[str, str]:
        """The label and bytes of each real image, which are what it teaches, as one text by its id."""
        return {source.id: f"{source.label} {source.sha256}" for source in self.index.usable("train")}

    @cached_property
    def synthetic_marks(self) -> dict[str, str]:
        """The label and bytes of each synthetic image, which are what it teaches, as one text by its key."""
        return {image.key: f"{image.label} {image.sha256}" for image in self.synthetic}

    @cached_property
    def label_of(self) -> dict[str, str]:
        """The label of each synthetic image, by its key."""
        return {image.key: image.label for image in self.synthetic}

    @cached_property
    def tone_of(self) -> dict[str, int]:
        """The skin tone of each synthetic image, by its key; 0 is unknown."""
        return {image.key: image.tone for image in self.synthetic}

    @cached_property
    def content(self) -> str:
        """The digest of what decides every result: the classifier, the labels, and what it is tuned and tested on."""
        classifier = self.settings.learner.model_dump(exclude={"optimizer_steps", "epochs"})
        held = {
            split: [(one.id, one.label, one.sha256) for one in self.held(split)] for split in ("validation", "test")
        }
        return digest([str(self.seed), json.dumps(classifier, sort_keys=True), *self.labels, json.dumps(held)])


class Shortage(NamedTuple):
    """The label of which a trial lacks most synthetic images, and how many it lacks."""

    label: str
    missing: int


class SeedDesign:
    """One seed of a study.

    Args:
        inputs: What all seeds have in common.
        drawn: The seed's draw of real images.
    """

    def __init__(self, inputs: DesignInputs, drawn: Draw) -> None:
        settings = inputs.settings
        self._inputs, self._drawn = inputs, drawn
        pools = choose_synthetic.Pools(settings.generator_pool, settings.source_pool)
        in_turn = partial(choose_synthetic.candidates_in_turn, drawn=drawn, pools=pools, seed=inputs.seed)
        self._candidates, self._set_aside = in_turn(inputs.synthetic), in_turn(inputs.set_aside)
        held = inputs.held("validation")
        self._tuned = draw(held, inputs.labels, inputs.seed, drawn.number) if settings.validation == "n" else None
        self._chosen = choose_synthetic.choose_all(self._candidates, *arms.synthetic_sizes(settings))

    @property
    def allowed(self) -> set[str]:
        """The keys of all images that some trial may have."""
        largest = max(self._inputs.settings.n_real)
        return {one.key for found in self._candidates.values() for one in found if one.smallest_n <= largest}

    def reason_left_out(self, condition: Condition) -> str:
        """The reason why there can't be a trial, for no fault of what was asked; empty where there can."""
        if condition.real_images > min(map(len, self._drawn.order.values())):
            return TOO_FEW_REAL
        if not condition.synthetic_n:
            return ""
        if not any(self._counts(condition).values()):
            return NOT_ALLOWED
        most = self._inputs.most_per_source.get(condition.strategy, condition.synthetic_ratio)
        if most < condition.synthetic_ratio and self._inputs.settings.source_pool == "n":
            return TOO_FEW_PER_SOURCE
        short = self.shortage(condition)
        if short.missing <= SLACK * condition.synthetic_images or not self._tolerated(condition, short):
            return ""
        return SET_ASIDE

    def shortage(self, condition: Condition) -> Shortage:
        """The label of which a trial lacks most synthetic images, and how many; 0 where it lacks none."""
        label, found = min(self._counts(condition).items(), key=lambda item: item[1])
        return Shortage(label, condition.synthetic_images - found)

    def faults(self) -> Iterator[tuple[Strategy, int, str]]:
        """Trials that lack images nobody has set aside: the strategy, how many a label lacks, and the fault."""
        for condition in self._inputs.conditions:
            if not condition.synthetic_n or self.reason_left_out(condition):
                continue
            short = self.shortage(condition)
            if short.missing > 0 and not self._tolerated(condition, short):
                found = condition.synthetic_images - short.missing
                settings = self._inputs.settings
                fault = feasibility.of_shortage(settings, condition, self._drawn.number, short.label, found)
                yield condition.strategy, short.missing, fault

    def _tolerated(self, condition: Condition, short: Shortage) -> bool:
        """Whether what is missing was set aside or looks like others, or no real image has enough of the strategy."""
        stratum, n = (condition.strategy, short.label), condition.synthetic_n
        there = sum(one.smallest_n <= n for one in self._set_aside.get(stratum, []))
        there += sum(one.unless_alike <= n < one.smallest_n for one in self._candidates.get(stratum, []))
        return condition.strategy in self._inputs.most_per_source or short.missing <= there

    def trial(self, condition: Condition) -> Trial:
        """The trial of a condition."""
        inputs = self._inputs
        real = self._drawn.first(condition.real_images)
        keys = (key for label in inputs.labels for key in self._keys(condition, label))
        synthetic = tuple(sorted(keys)) if condition.synthetic_n else ()
        marks = [*map(inputs.real_marks.__getitem__, real), *map(inputs.synthetic_marks.__getitem__, synthetic)]
        mix = str(inputs.settings.mix) if real and synthetic else ""
        augment = tuple(inputs.settings.augment) if condition.augmented else ()
        return Trial(
            condition.arm,
            condition.strategy,
            condition.n_real,
            condition.ratio,
            self._drawn.number,
            real,
            synthetic,
            condition.augmented,
            condition.duplicated,
            arms.optimizer_steps(inputs.settings, condition.counted_images * len(inputs.labels)),
            digest([inputs.content, mix, *marks]),
            tuned=self._tuned.first(condition.n_real) if self._tuned else (),
            taught=self._permuted(synthetic) if condition.permuted else (),
            augment=augment if augment != ("classic",) else (),
        )

    def _permuted(self, keys: Sequence[str]) -> tuple[str, ...]:
        """The labels of some synthetic images, permuted at random within each skin tone, in the order of the keys."""
        inputs, by_tone = self._inputs, defaultdict[int, list[str]](list)
        for key in keys:
            by_tone[inputs.tone_of[key]].append(key)
        taught: dict[str, str] = {}
        for members in by_tone.values():
            orders = (
                sorted(members, key=lambda key: stable_hash(inputs.seed, "permuted", which, self._drawn.number, key))
                for which in ("to", "from")
            )
            taught |= {key: inputs.label_of[other] for key, other in zip(*orders, strict=True)}
        return tuple(taught[key] for key in keys)

    def _keys(self, condition: Condition, label: str) -> frozenset[str]:
        """The keys of a trial's synthetic images of one label."""
        chosen = self._chosen.get((condition.strategy, label), {})
        return chosen.get((condition.synthetic_n, condition.synthetic_ratio), frozenset())

    def _counts(self, condition: Condition) -> dict[str, int]:
        """The number of a trial's synthetic images, by label."""
        return {label: len(self._keys(condition, label)) for label in self._inputs.labels}

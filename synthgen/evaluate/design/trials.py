"""The synthetic image that may train a trial, and the trial: one classifier to train and test."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from synthgen.core.hashing import stable_hash
from synthgen.plan.manifest.evaluate import Strategy


@dataclass(frozen=True, slots=True)
class SyntheticImage:
    """One synthetic image, as far as a study's design depends on it.

    Attributes:
        record_key: The key of its record. An image can be in a study twice, of a strategy with curation and without.
        strategy: What it is an image of in the study.
        label: What it shows, which is what a classifier learns of it.
        tone: On the manifest's scale; 0 is unknown.
        source_id: The real image that it was made from in the end; empty for none.
        sha256: Of the file's bytes, in hex.
        pool: The ids of the real images that its generator was trained on; ``None`` where that is unknown.
        saw_more: Whether its generator may have seen more of them, nobody knows which.
        looks_like: The ids of the real training images that it looks like without being made from them.
    """

    record_key: str
    strategy: Strategy
    label: str
    tone: int
    source_id: str
    sha256: str
    pool: frozenset[str] | None
    saw_more: bool = False
    looks_like: frozenset[str] = frozenset()

    @property
    def key(self) -> str:
        """Its name, unique in the study: that of its record, with ``uncurated`` before it where its strategy is."""
        return self.strategy.prefix + self.record_key

    @property
    def uncurated(self) -> Self:
        """The same image as one of the same strategy without curation."""
        return replace(self, strategy=self.strategy.uncurated)


@dataclass(frozen=True)
class Trial:
    """One classifier to train and test.

    Attributes:
        arm: The name of its arm.
        strategy: What its synthetic images are of; empty for none.
        n_real: Real training images a label that the trial is about. In ``synthetic-only`` they train nothing, but
            bound what the generator may have seen; in ``substitute`` it is the fixed total a label.
        ratio: Images added for each real one, of whatever kind the arm adds; 0 for none. In ``substitute`` it is the
            share of the total that is synthetic: 0.5 or 1.
        seed: The number of the draw.
        real: The ids of its real training images, sorted.
        synthetic: The keys of its synthetic training images, sorted.
        augmented: Whether its images are flipped, rotated, cropped and recoloured in training.
        duplicated: How many times each real image is in its training set; 1 for once.
        optimizer_steps: How long it trains, at most.
        tuned: The ids of the validation images that it is tuned on, sorted; empty for all of them.
        taught: The label that each of its synthetic images is taught with, where that is not its own; else empty.
        augment: The names of its augmentations, the best of which validation chooses, where that is not ``classic``
            alone; else empty.
        content: The digest of its images' bytes and of all that decides a result beside the fields here.
    """

    arm: str
    strategy: Strategy
    n_real: int
    ratio: float
    seed: int
    real: tuple[str, ...]
    synthetic: tuple[str, ...]
    augmented: bool
    duplicated: int
    optimizer_steps: int
    content: str = ""
    tuned: tuple[str, ...] = ()
    taught: tuple[str, ...] = ()
    augment: tuple[str, ...] = ()

    @property
    def n_train(self) -> int:
        """How many images it trains on, duplicates counted."""
        return len(self.real) * self.duplicated + len(self.synthetic)

    @cached_property
    def training(self) -> str:
        """The digest of all that decides its result; trials of two arms that share it are one and the same training."""
        facts = [str(self.seed), str(self.augmented), str(self.duplicated), str(self.optimizer_steps), self.content]
        later = {"validation": self.tuned, "taught": self.taught, "augment": self.augment}  # no fact where empty
        facts += [text for name, values in later.items() if values for text in (name, *values)]
        return digest([*facts, "real", *self.real, "synthetic", *self.synthetic])

    @cached_property
    def key(self) -> str:
        """The digest of its training and of its place in the study, which is its name in tables."""
        return digest([self.training, self.arm, str(self.strategy), str(self.n_real), str(float(self.ratio))])


def digest(parts: Iterable[str]) -> str:
    """A digest of texts in their order, 32 hex digits; no two lists of texts read the same."""
    return stable_hash(json.dumps(list(parts)), size=16).hex()

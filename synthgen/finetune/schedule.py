"""Which images, by which words, each batch of a training shows: known before its first step, so only these are encoded.

A pool may have a hundred thousand photographs in eight variants each, and a training of a thousand steps looks at four
thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from synthgen.finetune import step_seeds
from synthgen.finetune.settings import TrainingSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch shows.

    Attributes:
        rows: A row for each place: ``image * variants + variant``.
        texts: The prompt of each; empty where the image is shown without.
    """

    rows: tuple[int, ...]
    texts: tuple[str, ...]


class Schedule:
    """The batches of one process, by their numbers.

    Args:
        digest: The adapter's digest.
        what: Which images: ``own`` or ``prior``.
        texts: The prompts of each image.
        variants: How many variants of each image there are.
        settings: The training's settings.
        accelerator: accelerate's, which knows this process's number and how many train together.
    """

    def __init__(
        self,
        digest: str,
        what: str,
        texts: Sequence[tuple[str, ...]],
        *,
        variants: int,
        settings: TrainingSettings,
        accelerator: Any,
    ) -> None:
        self._digest, self._what, self._texts, self._variants = digest, what, texts, variants
        self._settings = settings
        self._process, self._processes = accelerator.process_index, accelerator.num_processes
        self._order = lru_cache(maxsize=4)(self._shuffled)

    def __getitem__(self, number: int) -> Batch:
        """The batch of that number, counted over the whole training."""
        rng = step_seeds.generator(self._digest, self._what, number, self._process)
        images = self._images(number)
        rows = tuple(image * self._variants + int(rng.integers(self._variants)) for image in images)
        texts = [self._texts[image][int(rng.integers(len(self._texts[image])))] for image in images]
        empty = rng.random(len(texts)) < self._settings.proportion_empty_prompts
        return Batch(rows, tuple("" if one else text for one, text in zip(empty, texts, strict=True)))

    def every(self, steps: int) -> Iterator[Batch]:
        """The batches of so many optimizer steps."""
        return map(self.__getitem__, range(steps * self._settings.gradient_accumulation_steps))

    def _images(self, number: int) -> list[int]:
        """The images of a batch: passes over all of them, each in an order of its own, cut into batches."""
        size, count = self._settings.train_batch_size, len(self._texts)
        first = (number * self._processes + self._process) * size
        return [int(self._order(place // count)[place % count]) for place in range(first, first + size)]

    def _shuffled(self, one: int) -> NDArray[np.int64]:
        return step_seeds.generator(self._digest, self._what, "pass", one).permutation(len(self._texts))

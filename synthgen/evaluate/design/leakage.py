"""The reasons why a synthetic image may train no trial: all that it can carry of a validation or test image."""

from collections.abc import Collection
from functools import cache

from synthgen.evaluate.design.trials import SyntheticImage
from synthgen.plan.real_index import FaultKind, Index

HELD_OUT = ("validation", "test")
CHILD = "made from a validation or test image"
SIBLING = "made from an image of a group, or a copy of an image, in validation or test"
SEEN = "its generator was trained on a validation or test image, or one of their groups"
COPY = "the same file as a validation or test image"
NEAR = "a near-copy of a validation or test image"
LABEL = "its label is none of the study's"


class LeakCheck:
    """The reason why a synthetic image may train no trial; a child of an image that can't be tested on counts too.

    Args:
        index: The real images.
        labels: The study's labels.
        near_copies: The record keys of synthetic images that look like a validation or test image.
    """

    def __init__(self, index: Index, labels: Collection[str], near_copies: Collection[str] = ()) -> None:
        held = [source for source in index.sources if source.split in HELD_OUT]
        tested = [source for source in held if not source.fault]
        self._labels, self._near = frozenset(labels), frozenset(near_copies)
        self._ids = frozenset(source.id for source in held)
        self._files = frozenset(source.sha256 for source in tested) - {""}
        groups = {source.group for source in tested} - {""}
        self._siblings = self._ids | {
            source.id
            for source in index.sources
            if source.group in groups or source.sha256 in self._files or source.fault_kind is FaultKind.LOOK_ALIKE
        }
        self._seen = cache(lambda pool: not self._siblings.isdisjoint(pool))  # a pool is shared by many images

    def reason(self, image: SyntheticImage) -> str:
        """The reason why an image may train no trial; empty where it may."""
        found = {
            LABEL: image.label not in self._labels,
            CHILD: image.source_id in self._ids,
            SIBLING: image.source_id in self._siblings,
            SEEN: image.pool is not None and self._seen(image.pool),
            COPY: image.sha256 in self._files,
            NEAR: image.record_key in self._near,
        }
        return next((reason for reason, true in found.items() if true), "")

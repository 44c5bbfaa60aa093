"""Images that are the same file: one of them stays."""

from collections.abc import Iterable
from dataclasses import replace

from synthgen.indexing.grouping import HELD_BACK
from synthgen.real import Source


def marked(sources: Iterable[Source]) -> list[Source]:
    """The same images, where of those with equal bytes only one is without a fault.

    It is one that is in test, or else in validation, so that nothing that a model is judged on is trained on too.
    """
    images = list(sources)
    first: dict[str, Source] = {}
    for source in sorted(images, key=_preference):
        if not source.fault:
            first.setdefault(source.sha256, source)
    return [
        source if source.fault or first[source.sha256].id == source.id else _same(source, first[source.sha256])
        for source in images
    ]


def _preference(source: Source) -> tuple[int, str]:
    return [*HELD_BACK, source.split].index(source.split), source.id


def _same(source: Source, kept: Source) -> Source:
    fault = f"same file as {kept.id}"
    differing = [name for name in ("label", "tone", "group") if getattr(source, name) != getattr(kept, name)]
    if differing:
        fault += f", with another {' and '.join(differing)}"
    return replace(source, fault=fault)

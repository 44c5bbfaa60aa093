"""Ids, groups and splits of images: unique, and the same however the rows are ordered."""

import json
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from synthgen.core.hashing import stable_hash
from synthgen.plan.manifest.settings import Split, Stratify
from synthgen.plan.real_index import Source, split_of
from synthgen.real.indexing import stratified
from synthgen.real.indexing.rows import Draft
from synthgen.real.sources import text

HELD_BACK: tuple[Split, ...] = ("test", "validation", "train")
_LONGEST = 60


def sources(
    drafts: Sequence[Draft],
    seed: int,
    fractions: Mapping[Split, float],
    dataset: str,
    stratify: Sequence[Stratify] | None = None,
) -> list[Source]:
    """The images of drafts, sorted by id; no group has usable images in two splits."""
    # never the id, whose number depends on what other rows there are
    groups = [draft.group or slug(draft.name if draft.named else draft.row.origin) for draft in drafts]
    drawn = dict[str, Split]()
    if stratify:
        open_ = {group for group, draft in zip(groups, drafts, strict=True) if not draft.fault}
        open_ -= {group for group, draft in zip(groups, drafts, strict=True) if draft.split}
        sound = [(group, (one.label, one.tone)) for group, one in zip(groups, drafts, strict=True) if not one.fault]
        drawn = _stratified([one for one in sound if one[0] in open_], stratify, fractions, seed)
    found = []
    for draft, name, group in zip(drafts, _ids(drafts), groups, strict=True):
        found.append(
            Source(
                id=name,
                label=draft.label,
                tone=draft.tone,
                group=group,
                split=draft.split or drawn.get(group) or split_of(seed, group, fractions),
                license=draft.license,
                dataset=dataset,
                location=draft.row.location,
                mask=draft.row.mask,
                fault=draft.fault,
                caption=draft.caption,
                attributes=json.dumps(draft.attributes, ensure_ascii=False, sort_keys=True) if draft.attributes else "",
            )
        )
    return _apart(sorted(found, key=lambda source: source.id))


def _stratified(
    images: Iterable[tuple[str, tuple[str, int]]],
    stratify: Sequence[Stratify],
    fractions: Mapping[Split, float],
    seed: int,
) -> dict[str, Split]:
    """The split of each group, by the label and skin tone of each of its images."""
    members = defaultdict[str, list[tuple[str, int]]](list)
    for group, image in images:
        members[group].append(image)
    return stratified.draw(members, stratify, fractions, seed)


def _ids(drafts: Sequence[Draft]) -> list[str]:
    """An id for each draft; of several with one name all but the first get ``-2``, ``-3`` and so on.

    The first is so by what the rows say and where the images are, never by the order that the rows came in.
    """
    rivals = defaultdict[str, list[int]](list)
    for number, draft in enumerate(drafts):
        rivals[slug(draft.name)].append(number)
    ids = [""] * len(drafts)
    for name, numbers in rivals.items():
        if len(numbers) > 1:
            numbers.sort(key=lambda number: _order(drafts[number]))
        ids[numbers[0]] = name
        suffix = 2
        for number in numbers[1:]:
            while f"{name}-{suffix}" in rivals:
                suffix += 1
            ids[number] = f"{name}-{suffix}"
            suffix += 1
    return ids


def _order(draft: Draft) -> tuple[str, str, list[tuple[str, str]], str]:
    values = sorted((name, text(value)) for name, value in draft.row.values.items())
    return draft.name, draft.row.stem, values, draft.row.location


def slug(name: str) -> str:
    """A name in ``[a-z0-9-]``; one that loses all its letters, or is long, is told apart by a hash."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if slug and len(slug) <= _LONGEST:
        return slug
    mark = stable_hash(name, size=6).hex()
    return f"{slug[: _LONGEST - 13]}-{mark}".strip("-")


def _apart(found: Iterable[Source]) -> list[Source]:
    """Keep a group that the data put into several splits in the one that is held back most."""
    images = list(found)
    held = defaultdict[str, set[str]](set)
    for source in images:
        if not source.fault:
            held[source.group].add(source.split)
    kept = {group: next(split for split in HELD_BACK if split in splits) for group, splits in held.items()}
    return [
        source
        if source.fault or source.split == kept[source.group]
        else replace(source, fault=f"group `{source.group}` is in {kept[source.group]} too")
        for source in images
    ]


def regrouped(
    before: Iterable[Source],
    images: Iterable[Source],
    seed: int,
    fractions: Mapping[Split, float] | None,
    stratify: Sequence[Stratify] | None = None,
) -> list[Source]:
    """Images whose groups have grown, each group in one split.

    Args:
        before: The same images as they were grouped before.
        images: Them.
        seed: The manifest's seed.
        fractions: The shares by which a group that has grown is drawn again; ``None`` where the data say the splits.
        stratify: What is to be even, by which all groups are drawn again.
    """
    if stratify and fractions is not None:
        held = list(images)
        sound = [(one.group, (one.label, one.tone)) for one in held if not one.fault]
        drawn = _stratified(sound, stratify, fractions, seed)
        return _apart(replace(one, split=drawn.get(one.group, one.split)) for one in held)
    found = [
        one if fractions is None or one.group == old.group else replace(one, split=split_of(seed, one.group, fractions))
        for old, one in zip(before, images, strict=True)
    ]
    return _apart(found)


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

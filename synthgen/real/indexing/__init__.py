"""Indexes real images: what a dataset's metadata say, and what its files are."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from synthgen.errors import DamagedError, InputError
from synthgen.plan import real_account, real_index
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Index, Source
from synthgen.real.indexing import look_alikes, rows, splits
from synthgen.real.indexing.unused_columns import UnusedColumns
from synthgen.real.sources import Reader
from synthgen.real.sources._promised import open_source

Progress = Callable[[int, int], None]
_CACHE = "sources"
_THREADS = 16
_BATCH = 1000


def scan(
    source: str,
    settings: SourceSettings,
    *,
    labels: Mapping[str, str],
    scale: str,
    tones: Sequence[int],
    seed: int,
    base: Path,
) -> Index:
    """The index by the metadata alone: no image is opened, no sha256 and size is known.

    Args:
        source: The name of the plug-in that reads it.
        settings: Its ``Settings``.
        labels: The manifest's labels and their words.
        scale: The manifest's skin-tone scale.
        tones: The values of it that the manifest wants.
        seed: The manifest's seed.
        base: The folder that relative paths start from: the manifest's.

    Raises:
        InputError: There is no such data, or they lack what the settings name; one line a fault.
    """
    reader = open_source(source, settings, base, None, labels=labels)
    return _listed(reader, settings, labels=labels, scale=scale, tones=tones, seed=seed)


def build(
    source: str,
    settings: SourceSettings,
    *,
    labels: Mapping[str, str],
    scale: str,
    tones: Sequence[int],
    seed: int,
    base: Path,
    root: Path,
    recipe: str = "",
    file: str = real_index.FILE,
    progress: Progress | None = None,
) -> Index:
    """The whole index: every image is opened once, and ``ROOT/sources.parquet`` written.

    Args:
        source: The name of the plug-in; the others up to ``base`` as for :func:`scan`.
        settings: Its ``Settings``.
        labels: The manifest's labels and their words.
        scale: The manifest's skin-tone scale.
        tones: The values of it that the manifest wants.
        seed: The manifest's seed.
        base: The folder that relative paths start from.
        root: The run's folder.
        recipe: The digest of the settings, which the index keeps.
        file: The name of its file.
        progress: Told how many images were opened, of how many; may raise to stop.

    Raises:
        InputError: There is no such data, or they lack what the settings name, or can't be reached.
    """
    reader = open_source(source, settings, base, root / _CACHE, labels=labels)
    listed = _listed(reader, settings, labels=labels, scale=scale, tones=tones, seed=seed)
    images = splits.marked(_opened(reader, _kept(reader, listed.sources), progress))
    if settings.near_duplicates:
        alike = look_alikes.grouped(images, lambda image: reader.read(image.location), scale, progress)
        # Splits that the data say stay, so that a group in two of them is left with one.
        shares = None if settings.columns.split else settings.splits
        images = splits.regrouped(images, alike, seed, shares, settings.stratify)
    index = replace(listed, sources=tuple(images), recipe=recipe, file=file)
    root.mkdir(parents=True, exist_ok=True)
    index.write(root / file)
    return index


def open_images(source: str, settings: SourceSettings, base: Path, root: Path) -> Callable[[Source], bytes]:
    """What reads the bytes of an indexed image, and refuses those that are not what was indexed.

    It raises InputError with a line that names the image; it may be called from several threads.
    """
    reader = open_source(source, settings, base, root / _CACHE)
    return lambda image: _read(reader, image.id, image.location, image.sha256)


def open_masks(source: str, settings: SourceSettings, base: Path, root: Path) -> Callable[[Source], bytes]:
    """What reads the bytes of an indexed image's mask, and refuses others, as :func:`open_images` does."""
    reader = open_source(source, settings, base, root / _CACHE)
    return lambda image: _read(reader, f"{image.id}'s mask", image.mask, image.mask_sha256)


def _read(reader: Reader, what: str, location: str, sha256: str) -> bytes:
    """The bytes that were indexed: an index that does not say which, as a stranger's run may have, opens no file."""
    if not sha256:
        raise InputError(
            f"real image {what} has no sha256 in the index, so it is not read; index again in another folder"
        )
    try:
        content = reader.read(location)
    except DamagedError as error:
        raise InputError(f"real image {what} can't be read any more ({error}); put the file back") from None
    if hashlib.sha256(content).hexdigest() != sha256:
        raise InputError(
            f"real image {what} ({location}) has changed since it was indexed; "
            f"put the file back, or start anew in another folder"
        )
    return content


def _listed(
    reader: Reader,
    settings: SourceSettings,
    *,
    labels: Mapping[str, str],
    scale: str,
    tones: Sequence[int],
    seed: int,
) -> Index:
    """The index by the metadata alone."""
    understanding = rows.understand(reader.columns, settings, labels, scale, tones)
    left_out, drafts = defaultdict[str, Counter[str]](Counter), list[rows.Draft]()
    unused = UnusedColumns(reader.columns, settings, labels)
    for row in reader.rows():
        draft = understanding.draft(row)
        unused.look(row.values, is_image=bool(row.location))
        if isinstance(draft, rows.LeftOut):
            left_out[draft.reason][real_account.value_of(draft.value)] += 1
        else:
            drafts.append(draft)
    images = splits.sources(drafts, seed, settings.splits, settings.dataset or reader.name, settings.stratify)
    counts = {reason: values.total() for reason, values in sorted(left_out.items())}
    notes = unused.notes(has_images=bool(drafts))
    return Index(tuple(images), counts, left_out_values=dict(left_out), notes=notes)


def _kept(reader: Reader, images: Sequence[Source]) -> list[Source]:
    """The images at the places where their bytes can be read in any order."""
    wanted = {place for image in images if not image.fault for place in (image.location, image.mask) if place}
    moved = reader.keep(wanted)
    return [
        replace(image, location=moved.get(image.location, image.location), mask=moved.get(image.mask, image.mask))
        for image in images
    ]


def _opened(reader: Reader, images: Sequence[Source], progress: Progress | None) -> list[Source]:
    """The images with what opening each has shown."""
    from synthgen.vision.images import marks, untrusted

    def opened(image: Source) -> Source:
        if image.fault:
            return image
        try:
            content = reader.read(image.location)
            height, width, _ = untrusted.open_photograph(content).shape
        except DamagedError as error:
            return replace(image, fault=str(error))
        found = replace(
            image,
            sha256=hashlib.sha256(content).hexdigest(),
            width=int(width),
            height=int(height),
            marks=",".join(marks.marks(content)),
        )
        try:
            if image.mask:
                content = reader.read(image.mask)
                untrusted.open_mask(content)
                found = replace(found, mask_sha256=hashlib.sha256(content).hexdigest())
        except DamagedError as error:
            return replace(found, fault=f"mask: {error}")
        return found

    pool = ThreadPoolExecutor(min(_THREADS, 2 * (os.cpu_count() or 1)))
    found = []
    try:
        for first in range(0, len(images), _BATCH):
            for image in pool.map(opened, images[first : first + _BATCH]):
                found.append(image)
                if progress:
                    progress(len(found), len(images))
    finally:
        pool.shutdown(cancel_futures=True)
    return found

"""Which images readers see: as many of each cell, chosen and ordered by a hash, so that no place tells what one is."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from synthgen.core.hashing import stable_hash
from synthgen.errors import InputError
from synthgen.plan import skin_tones
from synthgen.plan.real_index import Source
from synthgen.plan.sample import Record
from synthgen.real import indexing
from synthgen.runs import load_plan
from synthgen.runs.folders import Run
from synthgen.runs.stored_images import ImageReader, Location
from synthgen.vision.images import codec, untrusted

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

PHOTOGRAPH, SYNTHETIC = "photograph", "synthetic"
_SPLITS = ("test", "validation", "train")  # what no generator has learned from comes first


@dataclass(frozen=True, slots=True)
class Shown:
    """An image that readers see, and what is known of it.

    Attributes:
        kind: ``photograph`` or ``synthetic``.
        key: The sample's key, or the real image's id.
        entry: The entry that made it; empty for a photograph.
        label: What was asked for, or what the photograph was labelled.
        skin_tone: As records write it.
        read: Gives its pixels, all at one size.
    """

    kind: str
    key: str
    entry: str
    label: str
    skin_tone: str
    read: Callable[[], Pixels]


def choose(
    run: Run, per_cell: int, *, photographs: bool = True, progress: load_plan.Progress | None = None
) -> list[Shown]:
    """The images that readers see, in the order in which they see them.

    Of a patient, a lesion or a photograph there is one image at the most, be it a photograph or made from one: two
    would be judged alike, and would tell which is which.

    Args:
        run: The run; of one that was judged only what is accepted.
        per_cell: Of each entry, label and skin tone at the most so many; of each label and skin tone as many
            photographs as synthetic images, as far as there are, of the test split first.
        photographs: Whether there are any among them.
        progress: Told of real images as they are indexed, where that was not done yet.

    Raises:
        InputError: The run has no image yet.
    """
    synthetic = list(_synthetic(run, per_cell))
    if not synthetic:
        raise InputError(f"{run.root}: no image here yet that is accepted")
    sizes = Counter((record.height, record.width) for record, _ in synthetic)
    height, width = max(sizes, key=lambda size: (sizes[size], size))
    encoding = run.plan.manifest.document.output
    as_stored = codec.Encoding(encoding.image_format, encoding.quality or 95)
    wanted = Counter((one.label, one.skin_tone) for one, _ in synthetic)
    seen = {_group(record) for record, _ in synthetic}
    real = list(_photographs(run, wanted, seen, progress)) if photographs else []
    reader = ImageReader(_opener(run) if real else _nothing, {record.key: place for record, place in synthetic})

    def made(key: str) -> Pixels:
        return untrusted.fit(reader.synthetic(key), height, width, "crop")

    def taken(source: Source) -> Pixels:  # through the format that synthetic images are stored in, which leaves traces
        fitted = untrusted.fit(reader.real(source), height, width, "crop")
        return codec.decode(codec.encode(fitted, as_stored))

    found = [
        Shown(SYNTHETIC, one.key, one.entry, one.label, one.skin_tone, partial(made, one.key)) for one, _ in synthetic
    ]
    scale = run.plan.manifest.document.skin_tones.scale
    found += [
        Shown(PHOTOGRAPH, one.id, "", one.label, skin_tones.name(scale, one.tone), partial(taken, one)) for one in real
    ]
    return sorted(found, key=lambda one: _rank(run, "order", one.kind, one.key))


def _rank(run: Run, *what: str) -> bytes:
    return stable_hash("reader study", run.plan.digest, *what)


def _synthetic(run: Run, per_cell: int) -> Iterator[tuple[Record, Location]]:
    """The chosen records and where their images lie."""
    rejected = {one.key for one in run.verdicts() if not one.accepted}
    cells = defaultdict[tuple[str, str, str], list[tuple[Record, Location]]](list)
    for record, place in run.located(partial=True):
        if record.key not in rejected:
            cells[record.entry, record.label, record.skin_tone].append((record, place))
    seen = set[str]()
    for cell in sorted(cells):
        left = per_cell
        for record, place in sorted(cells[cell], key=lambda one: _rank(run, "choice", one[0].key)):
            if left and (group := _group(record)) not in seen:
                left -= 1
                seen.add(group)
                yield record, place


def _group(record: Record) -> str:
    """Whom an image is of: the patient or lesion of the photograph that it was made from, or nobody but itself."""
    return f"source {record.source_group or record.source_id}" if record.source_id else f"sample {record.key}"


def _photographs(
    run: Run, wanted: Counter[tuple[str, str]], seen: set[str], progress: load_plan.Progress | None
) -> Iterator[Source]:
    """As many photographs of each label and skin tone as are wanted, as far as there are of groups not seen yet."""
    manifest = run.plan.manifest
    if manifest.real is None:
        return
    index, scale = load_plan.index(manifest, manifest.real, run.root, progress), manifest.document.skin_tones.scale
    cells = defaultdict[tuple[str, str], list[Source]](list)
    for split in _SPLITS:
        for source in sorted(index.usable(split), key=lambda one: _rank(run, "choice", one.id)):
            cells[source.label, skin_tones.name(scale, source.tone)].append(source)
    for cell, count in sorted(wanted.items()):
        left = count
        for source in cells[cell]:
            if left and (group := f"source {source.group or source.id}") not in seen:
                left -= 1
                seen.add(group)
                yield source


def _opener(run: Run) -> Callable[[Source], bytes]:
    manifest = run.plan.manifest
    if manifest.real is None:
        raise LookupError("the manifest says nothing of real images")
    return indexing.open_images(manifest.real.source, manifest.real.settings, manifest.base, run.root)


def _nothing(source: Source) -> bytes:
    raise LookupError(source.id)

"""The images that samples start from: real photographs, or images of an earlier entry, at the size that is made."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.errors import DamagedError, InputError
from synthgen.plan import EntryPlan, Plan
from synthgen.plan.sample import Sample
from synthgen.real import indexing
from synthgen.real.indexing.by_content import ByContent
from synthgen.runs import dataset_folder, tar_samples
from synthgen.runs.own_files import own_file
from synthgen.runs.receipts import Ledger, check_tar
from synthgen.vision.images import codec, untrusted

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.core.types import Pixels
    from synthgen.plan.real_index import Source

ReadParent = Callable[[EntryPlan, Sample], bytes | None]
_READERS = 4
_SHARDS_HELD = 16  # of an entry whose samples come in another order


class StartImages:
    """Finds the image that a sample starts from; call it with a sample that was fetched, and not released since.

    Args:
        plan: The plan.
        root: The run's folder, where images of a source that can be read only once are kept.
        read_parent: Finds the stored bytes of a generated image; ``None`` where it could not be made.
        photographs: The folder that real images are found in by their bytes; where the manifest says if left out.
    """

    def __init__(self, plan: Plan, root: Path, read_parent: ReadParent, photographs: Path | None = None) -> None:
        self._plan, self._root, self._read_parent, self._photographs = plan, root, read_parent, photographs
        self._found: dict[str, StartImage | None] = {}

    def __call__(self, sample: Sample) -> StartImage:
        """The image that a sample starts from.

        Raises:
            LookupError: It was not fetched, or could not be made.
        """
        found = self._found[sample.key]
        if found is None:
            raise LookupError(f"{sample.parent} could not be made, so {sample.key} has nothing to start from")
        return found

    def has(self, sample: Sample) -> bool:
        """Whether a sample has what it needs to be made: nothing, or an image that could be made itself."""
        return not _starts(sample) or self._found[sample.key] is not None

    def fetch(self, samples: Iterable[Sample]) -> None:
        """Read the images that samples start from, and hold them.

        Raises:
            InputError: A real image is not the one that was indexed, or can't be read any more.
        """
        wanted = [sample for sample in samples if _starts(sample)]
        if not wanted:
            return
        with ThreadPoolExecutor(_READERS) as readers:
            self._found |= dict(zip([one.key for one in wanted], readers.map(self._read, wanted), strict=True))

    def release(self, samples: Iterable[Sample]) -> None:
        """Let go of the images that samples start from."""
        for sample in samples:
            self._found.pop(sample.key, None)

    def _read(self, sample: Sample) -> StartImage | None:
        entry = self._plan.entries[sample.recipe.entry]
        if sample.parent:
            content = self._read_parent(entry, sample)
            if content is None:
                return None
            pixels = codec.decode(content)
        elif sample.source:
            pixels = untrusted.open_photograph(self._read_photograph(sample.source))
        else:
            raise LookupError(f"{sample.key} starts from no image")
        fitted = untrusted.fit(pixels, *_size(entry))
        if sample.mask_source:
            mask = untrusted.open_mask(self._read_mask(sample.mask_source))
            return StartImage(fitted, untrusted.fit_mask(mask, *_size(entry)))
        masked = sample.source if sample.recipe.settings.reads_mask else None
        return StartImage(fitted, self._mask(entry, masked) if masked else None)

    def _mask(self, entry: EntryPlan, source: Source) -> untrusted.Mask | None:
        """A real image's mask, brought to an entry's size by the way that its image went there."""
        if not source.mask:
            return None
        before = self._mask(self._plan.entries[entry.parent], source) if entry.parent else None
        mask = untrusted.open_mask(self._read_mask(source)) if before is None else before
        return untrusted.fit_mask(mask, *_size(entry))

    @cached_property
    def _read_photograph(self) -> Callable[[Source], bytes]:
        return self._by_content.image if self._by_content else indexing.open_images(*self._real, self._root)

    @cached_property
    def _read_mask(self) -> Callable[[Source], bytes]:
        return self._by_content.mask if self._by_content else indexing.open_masks(*self._real, self._root)

    @cached_property
    def _by_content(self) -> ByContent | None:
        return ByContent(self._photographs) if self._photographs else None

    @property
    def _real(self) -> tuple[str, Any, Path]:
        real = self._plan.manifest.real
        if real is None:
            raise InputError("the manifest says nothing of real images any more")
        return real.source, real.settings, self._plan.manifest.base


def of_run(plan: Plan, root: Path, photographs: Path | None = None) -> StartImages:
    """The originals of a run's samples: what earlier entries made is in its work shards."""
    shards: OrderedDict[tuple[str, int], dict[str, bytes]] = OrderedDict()
    lock = threading.Lock()

    def read_parent(entry: EntryPlan, sample: Sample) -> bytes | None:
        parent = plan.entries[str(entry.parent)]
        index = parent.find(sample.parent)
        if index is None:
            raise LookupError(f"entry `{parent.name}` plans no image `{sample.parent}`")
        place = (parent.name, parent.shard_of(index))
        with lock:
            if place not in shards:
                ledger = Ledger(root, parent.name, parent.digest_of)
                path, receipt = ledger.tar(place[1]), ledger.trusted(place[1])
                if receipt is None:
                    raise DamagedError(f"{path}: not whole any more; run `synthgen generate` again, which makes it")
                check_tar(path, receipt.sha256)
                shards[place] = {one.key: one.image for one in tar_samples.read(path)}
            shards.move_to_end(place)
            while len(shards) > (1 if entry.places.sizes == parent.places.sizes else _SHARDS_HELD):
                shards.popitem(last=False)
            return shards[place].get(sample.parent)

    return StartImages(plan, root, read_parent, photographs)


def of_dataset(plan: Plan, root: Path, samples: Iterable[Sample], photographs: Path | None = None) -> StartImages:
    """The originals of some samples of a packed dataset: what earlier entries made is in its shards.

    Finding one raises InputError where the dataset does not hold the image that a sample was made from.
    """
    stored = _stored(root, {sample.parent for sample in samples if sample.parent})

    def read_parent(_: EntryPlan, sample: Sample) -> bytes:
        if sample.parent not in stored:
            raise InputError(
                f"{root}: `{sample.key}` was made from `{sample.parent}`, which this dataset does not hold"
            )
        return stored[sample.parent]

    return StartImages(plan, root, read_parent, photographs)


def _stored(root: Path, keys: Collection[str]) -> dict[str, bytes]:
    """Images of a packed dataset by key: one is found through the metadata, several on one way through the shards."""
    if not keys:
        return {}
    if len(keys) == 1:
        found = dataset_folder.read_sample(root, *keys)
        return {found.key: found.image} if found else {}
    paths = [own_file(root, name) for name in dataset_folder.shards(dataset_folder.read_provenance(root))]
    samples = (sample for path in paths for sample in dataset_folder.read_shard(path))
    return {sample.key: sample.image for sample in samples if sample.key in keys}


def _size(entry: EntryPlan) -> tuple[int, int, untrusted.Fit]:
    """The height and width of an entry's images, and how others are brought to it."""
    settings: Any = entry.recipe.settings
    return settings.height, settings.width, getattr(settings, "fit", "crop")


def _starts(sample: Sample) -> bool:
    return bool(sample.source or sample.parent)


@dataclass(frozen=True, slots=True)
class StartImage:
    """The image that a sample starts from, at the size that is made.

    Attributes:
        pixels: uint8 RGB, shape (height, width, 3).
        mask: True where its own mask is set, or another image's that it is painted in, shape (height, width); ``None``
            where it has none.
    """

    pixels: Pixels
    mask: npt.NDArray[np.bool_] | None = None


FindStartImage = Callable[[Sample], StartImage]


def no_start_image(sample: Sample) -> StartImage:
    """The originals of samples that start from no image.

    Raises:
        LookupError: Always; nothing should ask.
    """
    raise LookupError(f"{sample.key} starts from no image")

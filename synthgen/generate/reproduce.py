"""Makes one image again from its record, and says whether it is the same to the byte."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthgen.core import adapter_folder, releases
from synthgen.core.devices import DeviceRequest, Environment
from synthgen.diffusion import strategies
from synthgen.diffusion.maker import ImageMaker
from synthgen.errors import Fault, InputError, UnavailableError
from synthgen.generate import retry, stated_origin
from synthgen.generate.retry import pad
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record, Sample
from synthgen.runs import dataset_folder, pseudonyms, run_folder, study_layout
from synthgen.runs.folders import Dataset, Run, open_folder
from synthgen.runs.start_images import StartImages
from synthgen.runs.tar_samples import TarSample
from synthgen.vision.images import codec
from synthgen.vision.images.codec import Encoding

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

TOLERANCE = 40.0
_OURS = "package synthgen"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Reproduction:
    """One image made again.

    Attributes:
        content: The new file's bytes.
        identical: Whether they are the stored ones.
        psnr: Peak signal-to-noise ratio in dB between the two images, both as stored; infinite if equal.
        record: The record it was made from.
    """

    content: bytes
    identical: bool
    psnr: float
    record: Record

    @property
    def within_tolerance(self) -> bool:
        """Whether the images are the same, or as near as another machine makes them: 40 dB."""
        return self.identical or self.psnr >= TOLERANCE


def reproduce(
    root: Path,
    key: str,
    extensions: Extensions,
    work: Path | None = None,
    *,
    real: Path | None = None,
    exact: bool = False,
) -> Reproduction:
    """Make the image with that key again, in the environment its run pinned as far as it can be had here.

    On a GPU a kernel may sum in another order at another place of a batch. With ``exact`` the image is made where the
    run had it: at its place, beside the images that it was beside, whatever these start from read as well.

    Args:
        root: A run, or a packed dataset.
        key: The image's key.
        extensions: The plug-ins there are.
        work: For an image of a packed dataset, the run that holds what is never packed: the adapter that made it, or
            the name of the real image that it was made from. That beside a dataset of pseudonyms is found by itself.
        real: The folder that real images are in, which are told by their bytes; where the manifest says if left out.
        exact: Whether all batches of its work shard up to its own are made, as the plan lays the shard out.

    Raises:
        IncompleteError: The adapter that made it is not there.
        InputError: The folder holds no such image, or its manifest now plans another one under that key; or it was made
            from a real image under a pseudonym, and nobody says which run has that; or that image is not where it was,
            or not in ``real``.
        UnavailableError: Its model can't be had here.
    """
    folder = open_folder(root, extensions)
    stored, pin = folder.stored(key)
    record = Record.from_json(stored.files["json"])
    if isinstance(folder, Dataset) and pseudonyms.is_pseudonymous(folder) and (record.source_id or record.adapter):
        return _from_run(folder, stored, record, pin, work=work, real=real, exact=exact)
    if isinstance(folder, Dataset) and not _plans_here(folder, work):
        folder, work = _run_of(root, work, extensions), None
    sample = _planned(folder.plan, record.key, record)
    recipe = run_folder.located(sample.recipe, folder.root if isinstance(folder, Run) else work)
    beside = _beside(folder.plan, sample) if exact else ()
    found = _starts(folder, [sample, *beside], real)
    return _compare(stored, record, _make(folder.plan, replace(sample, recipe=recipe), pin, found, beside))


def _plans_here(dataset: Dataset, work: Path | None) -> bool:
    """Whether a dataset's manifest tells where models and adapters lie, and they are there.

    Raises:
        InputError: They are not, and nobody says which run has them.
    """
    if dataset_folder.withholds_places(dataset.root):
        return False
    try:
        return bool(dataset.plan.entries)
    except InputError:  # as of a relative path, which starts from the folder of the manifest that was given
        if run_folder.is_run(work or study_layout.run_of(dataset.root)):
            return False
        raise


def _run_of(dataset: Path, work: Path | None, extensions: Extensions) -> Run:
    """The run that says where a model or a plug-in lies, which its dataset withholds.

    Raises:
        InputError: Nobody says which it is.
    """
    root = work or study_layout.run_of(dataset)
    if not run_folder.is_run(root):
        said = "does not tell where its model or a plug-in lies, which is on another machine; say which run has it"
        raise InputError(f"{dataset}: its manifest {said}: --work RUN")
    return Run(root, extensions)


def _from_run(
    dataset: Dataset, stored: TarSample, record: Record, pin: Environment, *, work: Path | None, real: Path | None,
    exact: bool,
) -> Reproduction:  # fmt: skip
    """The image of a dataset of pseudonyms, from the run that has the names behind them, and adapters."""
    found = pseudonyms.originals(dataset, work)
    if found is None:
        what = "from a real image, which goes by a pseudonym here" if record.source_id else "by an adapter"
        others = ", whatever --real has: its bytes and its seed are withheld here" if record.source_id and real else ""
        raise InputError(f"{dataset.root}: `{record.key}` was made {what}; say which run has it: --work RUN{others}")
    run = found.run
    sample = _planned(run.plan, found.key(record.key, record.source_id), record)
    sample = replace(sample, recipe=run_folder.located(sample.recipe, run.root))
    beside = _beside(run.plan, sample) if exact else ()
    starts = _starts(run, [sample, *beside], real)
    return _compare(stored, record, _make(run.plan, sample, pin, starts, beside))


def _beside(plan: Plan, sample: Sample) -> Sequence[Sample]:
    """The samples of the work shard of a sample, its own among them."""
    entry = plan.entries[sample.recipe.entry]
    return entry.shard(entry.shard_of(sample.index))


def _starts(folder: Run | Dataset, samples: Sequence[Sample], real: Path | None) -> StartImages:
    """What samples start from, read.

    Raises:
        InputError: A real image is not where it was, or not in the folder that was given.
    """
    found = folder.start_images(samples, real)
    try:
        found.fetch(samples)
    except InputError as error:
        if real is not None or not any(one.source or one.mask_source for one in samples):
            raise
        *others, last = error.faults
        said = f"{last}; where it lies elsewhere now, --real FOLDER finds it by its bytes"
        raise InputError(*others, Fault(said, path=last.path, kind=last.kind)) from None
    return found


def _planned(plan: Plan, key: str, record: Record) -> Sample:
    """The sample of a key that a record is of; a seed of 0 is one that the record does not tell."""
    first = plan.find(key)
    if first is None:
        raise InputError(f"the manifest plans no image `{record.key}`")
    sample = plan.entries[first.recipe.entry].sample(first.index, record.attempt)
    if sample.prompt != record.prompt or record.seed not in (sample.seed, 0):
        raise InputError(f"the manifest plans another image as `{record.key}` than the one stored")
    return sample


def _make(plan: Plan, sample: Sample, pin: Environment, found: StartImages, beside: Sequence[Sample] = ()) -> bytes:
    """The file of a sample's image, made again alone or beside the samples of its work shard."""
    shard_samples = plan.manifest.document.output.shard_samples
    request = DeviceRequest(pin.device, pin.dtype, pin.attention, pin.batch_size, pin.memory or None, pinned=True)
    try:
        here = strategies.environment(sample.recipe, request, shard_samples)
    except UnavailableError as error:
        here = strategies.environment(
            sample.recipe,
            DeviceRequest(batch_size=pin.batch_size, memory="fp8" if pin.memory == "fp8" else None, pinned=True),
            shard_samples,
        )
        _log.warning("%s; made with %s on %s instead", error, here.dtype, here.device_name)
    here = replace(here, threads=pin.threads, adapters=_weights(sample, pin), variant=pin.variant, fused=pin.fused,
                   redo_batch_size=pin.redo_batch_size, flags=pin.flags, proof=pin.proof)  # fmt: skip
    for what, there, now in _differences(pin, here):
        _log.warning("made with %s %s, here it is %s", what, there, now)
    maker = strategies.strategy(sample.recipe.strategy).maker(sample.recipe, here, found)
    pixels = _among(plan, sample, here, maker, [one for one in beside if found.has(one)])
    if pixels is None:
        painted = maker(pad([sample], here.batch_size))
        if not painted.finite[0]:
            painted = maker(pad([sample], pin.redo_batch_size or here.batch_size), precise=True)
        pixels = painted.pixels[0]
    output = plan.manifest.document.output
    encoding = Encoding(output.image_format, output.quality or 95)
    made_by = stated_origin.made_by(sample, output, pin.model_revision, pin.parts)
    return codec.encode(pixels, encoding, stated_origin.source_type(sample), made_by)


def _among(plan: Plan, sample: Sample, here: Environment, maker: ImageMaker, shard: Sequence[Sample]) -> Pixels | None:
    """The image of a sample as it comes out of its work shard; ``None`` where no shard is given."""
    if not shard:
        return None
    entry = plan.entries[sample.recipe.entry]

    def located(one: Sample) -> Sample:
        return replace(one, recipe=sample.recipe)

    made = retry.make(
        [located(one) for one in shard],
        maker,
        here.batch_size,
        lambda one, attempt: located(entry.sample(one.index, attempt)),
        redo_batch_size=here.redo_batch_size,
    )
    own = next(one for one in made if one.sample.key == sample.key)
    if own.pixels is None:
        raise InputError(f"`{sample.key}` could not be made this time: {', '.join(own.outcomes)}")
    return own.pixels


def _weights(sample: Sample, pin: Environment) -> dict[str, str]:
    """The pinned weights of adapters, that of the sample's own as it lies here."""
    adapter = sample.recipe.adapter
    own = {str(adapter): adapter_folder.weights_sha256(adapter.folder)} if adapter and adapter.folder else {}
    return pin.adapters | own


def _differences(pin: Environment, here: Environment) -> list[tuple[str, Any, Any]]:
    """What is not as it was, by name."""
    there, now = pin.to_dict(), here.to_dict()
    there |= {f"package {name}": number for name, number in there.pop("versions").items()}
    now |= {f"package {name}": number for name, number in now.pop("versions").items()}
    found = [(what, there[what], now.get(what)) for what in there if there[what] != now.get(what)]
    return [one for one in found if one[0] != _OURS or not releases.same_bytes(str(one[1]), str(one[2]))]


def _compare(stored: TarSample, record: Record, content: bytes) -> Reproduction:
    identical = hashlib.sha256(content).hexdigest() == record.image_sha256
    psnr = codec.psnr(codec.decode(stored.image), codec.decode(content))
    return Reproduction(content, identical, psnr, record)

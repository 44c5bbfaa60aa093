"""Re-reads every byte of a run or a packed dataset, and says what is whole, missing or damaged."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError
from synthgen.plan.manifest.schema import LAYOUTS
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.sample import Record, mask_sha256
from synthgen.runs import dataset_folder, run_file, signature, tar_samples, verify_beside
from synthgen.runs.folders import Dataset, Run, is_either, open_folder
from synthgen.runs.own_files import own_file
from synthgen.runs.receipts import Ledger
from synthgen.runs.tar_samples import TarSample
from synthgen.vision.images import codec


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one file.

    Attributes:
        path: The file, relative to the folder verified.
        state: What it is.
        samples: Images that are there and whole.
        failed: Images that could not be made, and are recorded as that.
        message: What is wrong with it; empty where nothing is.
    """

    path: str
    state: Literal["whole", "missing", "damaged"]
    samples: int = 0
    failed: int = 0
    message: str = ""


def verify(root: Path, extensions: Extensions) -> Iterator[Finding]:
    """Verify a run, a packed dataset or a report; yields a finding for each shard and file.

    Of what lies beside a run's work shards only what is damaged is told. A run's damaged shards are
    marked, so that the next ``generate`` makes them again; their bytes stay until then. Shards of which everything is
    set aside are read too, and may be gone.

    Raises:
        InputError: The folder is none of them.
    """
    if (root / verify_beside.STUDY).is_file() and not is_either(root):
        damaged = dict(verify_beside.of_report(root))
        yield from (Finding(name, "damaged", message=said) for name, said in damaged.items())
        yield from (Finding(name, "whole") for name in verify_beside.files_of_report(root) if name not in damaged)
        return
    match open_folder(root, extensions):
        case Run() as run:
            yield from _verify_run(run)
        case Dataset() as dataset:
            yield from _verify_dataset(dataset)


def _verify_run(run: Run) -> Iterator[Finding]:
    held = dict[str, Iterator[Finding]]()
    for name, entry in run.plan.entries.items():
        ledger, laid_out = Ledger(run.root, name, entry.digest_of), entry.layout is not None
        for number in entry.numbers:
            yield _told(ledger, number, _verify_shard(run.root, ledger, number, entry.keys_of(number), more=laid_out))
        held[name] = _verify_aside(run.root, ledger, set(range(entry.next_shard)) - set(entry.numbers))
    for name, layout in run_file.former(run_file.read(run.root)).items():
        held[name] = _verify_aside(run.root, Ledger(run.root, name, layout.digest_of), range(layout.next_shard))
    for findings in held.values():
        yield from findings
    yield from (Finding(name, "damaged", message=said) for name, said in verify_beside.of_run(run.root, run.plan))


def _verify_aside(root: Path, ledger: Ledger, numbers: Iterable[int]) -> Iterator[Finding]:
    """The shards of which everything is set aside, as far as they are there: whoever deletes one may do so."""
    for number in sorted(numbers):
        if not ledger.tar(number).is_file():
            continue
        finding = _verify_shard(root, ledger, number, [], more=True)
        if finding.state == "damaged":
            said = f"{finding.message}; all of it is set aside: remove it, or put back a copy"
            finding = replace(finding, message=said)
        if finding.state != "missing":  # no receipt: it was never finished
            yield _told(ledger, number, finding)


def _told(ledger: Ledger, number: int, finding: Finding) -> Finding:
    """What was found of a shard, once it is marked where it is damaged."""
    if finding.state != "damaged" or _marked(ledger, number):
        return finding
    said = f"{finding.message}; can't be marked in a folder that can't be written, so generate won't see it"
    return replace(finding, message=said)


def _marked(ledger: Ledger, number: int) -> bool:
    """Whether a damaged shard could be marked, so that the next ``generate`` makes it again."""
    try:
        ledger.mark_rotten(number)
    except OSError:
        return False
    return True


def _verify_shard(root: Path, ledger: Ledger, number: int, planned: Sequence[str], *, more: bool) -> Finding:
    """Check a work shard.

    Args:
        root: The run.
        ledger: The shards of its entry.
        number: Its number.
        planned: The keys of the samples that the plan has there.
        more: Whether it may hold others, which are set aside.
    """
    path = ledger.tar(number).relative_to(root).as_posix()
    state, receipt, message = ledger.inspect(number)
    if receipt is None or state != "whole":
        return Finding(path, state, message=message)
    listed = [outcome.key for outcome in receipt.samples]
    if listed != planned and (not more or set(planned) - set(listed) or len(set(listed)) < len(listed)):
        return Finding(path, "damaged", message="its receipt lists other samples than the plan")
    made = {outcome.key: outcome.sha256 for outcome in receipt.samples if outcome.status == "made"}
    try:
        found = {sample.key: check(sample).image_sha256 for sample in tar_samples.read(ledger.tar(number))}
    except DamagedError as error:
        return Finding(path, "damaged", message=str(error))
    if found != made:
        return Finding(path, "damaged", message="the tar holds other images than its receipt lists")
    here = set(planned)
    failed = sum(outcome.status == "failed" for outcome in receipt.samples if outcome.key in here)
    return Finding(path, "whole", len(here) - failed, failed)


def _verify_dataset(dataset: Dataset) -> Iterator[Finding]:
    """Every file, and where nothing is wrong with them, the provenance that says what they are."""
    whole = True
    for finding in _verify_files(dataset):
        whole = whole and finding.state == "whole"
        yield finding
    if whole and (said := dataset_folder.changed(dataset.root)):
        yield Finding(dataset_folder.PROVENANCE, "damaged", message=said)
    if (dataset.root / signature.FILE).is_file() and signature.is_installed():
        try:
            signature.read(dataset.root)
        except DamagedError as error:
            yield Finding(signature.FILE, "damaged", message=str(error))
        else:
            yield Finding(signature.FILE, "whole")


def _verify_files(dataset: Dataset) -> Iterator[Finding]:
    root, provenance = dataset.root, dataset.provenance
    shards = dataset_folder.shards(provenance)
    for name, promised in provenance["files"].items():
        try:
            path = own_file(root, name)
        except DamagedError as error:
            yield Finding(name, "damaged", message=str(error))
            continue
        if not path.is_file():
            yield Finding(name, "missing", message="the file is gone")
            continue
        if sha256_file(path) != promised.get("sha256"):
            message = "its sha256 is not the one in provenance.json"
            if name == dataset_folder.CARD and dataset_folder.has_next_card(root):
                message += ": putting a report into it was broken off; do the same again"
            yield Finding(name, "damaged", message=message)
        elif name in shards and provenance["layout"] not in LAYOUTS:  # a plug-in's own bytes
            yield Finding(name, "whole", shards[name])
        elif name in shards:
            yield _verify_packed(path, name, shards[name])
        else:
            yield Finding(name, "whole")
    try:
        unknown = sorted(dataset_folder.unknown_files(root, provenance))
    except DamagedError:  # the list of image files is what is damaged, and was found above
        return
    for name in unknown:
        yield Finding(name, "damaged", message="not a file of this dataset")


def _verify_packed(path: Path, name: str, samples: int) -> Finding:
    """Check every sample of a shard, or of an image folder's listing."""
    try:
        found = len([check(sample).key for sample in dataset_folder.read_shard(path)])
    except DamagedError as error:
        return Finding(name, "damaged", message=str(error))
    if found != samples:
        return Finding(name, "damaged", message=f"holds {found} samples, not {samples}")
    return Finding(name, "whole", found)


def check(sample: TarSample) -> Record:
    """The record of a stored sample whose fields, sha256, size and class are as they should be.

    Raises:
        DamagedError: One of them is not as it should be.
    """
    extensions = set(sample.files) - tar_samples.SIDECARS
    if len(extensions) != 1 or not sample.files.keys() >= tar_samples.TEXTS:
        raise DamagedError(f"{sample.key}: expected an image, .json and .cls")
    content = sample.files[extensions.pop()]
    try:
        record = Record.from_json(sample.files["json"])
    except ValueError as error:
        raise DamagedError(f"{sample.key}: {error}") from None
    if hashlib.sha256(content).hexdigest() != record.image_sha256:
        raise DamagedError(f"{sample.key}: the image's sha256 is not the recorded one")
    if codec.decode(content).shape != (record.height, record.width, 3):
        raise DamagedError(f"{sample.key}: the image is not {record.width} x {record.height}")
    if record.key != sample.key or sample.files["cls"] != str(record.label_id).encode():
        raise DamagedError(f"{sample.key}: .json, .cls and the key do not agree")
    _check_mask(sample, record)
    return record


def _check_mask(sample: TarSample, record: Record) -> None:
    """Check the label map that a sample has, or should have.

    Raises:
        DamagedError: It is not the recorded one, or not of its image.
    """
    content, sha256 = sample.files.get(tar_samples.MASK, b""), mask_sha256(record.attributes)
    if (hashlib.sha256(content).hexdigest() if content else "") != sha256:
        raise DamagedError(f"{sample.key}: the sha256 of its .{tar_samples.MASK} is not the recorded one")
    if not content:
        return
    pixels = codec.decode_mask(content)
    if pixels.shape != (record.height, record.width) or not ((pixels == 0) | (pixels == record.label_id + 1)).all():
        raise DamagedError(f"{sample.key}: its .{tar_samples.MASK} is no label map of the image")

"""Shows a run or a packed dataset: picks the same number of pictures of each cell, and writes page and sheet."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from synthgen.errors import InputError
from synthgen.plan.model_names import attributes_without_folders, last_name
from synthgen.plan.skin_tones import name as tone_name
from synthgen.preview import gallery
from synthgen.preview.before_after import Pairs, pair_with_start_images
from synthgen.runs import dataset_folder, receipts, stored_images
from synthgen.runs.folders import Dataset, Run
from synthgen.vision import contact_sheet
from synthgen.vision.picture import Picture

Cell = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Source:
    """What there is to show of a run or a dataset: its title, facts about it, and how many images each cell has.

    ``reasons`` says of each image that was judged why it is rejected, and nothing of one that is accepted;
    ``without_model`` are the entries whose strategy has no use for a model, ``aside`` the keys in each shard that count
    no more.
    """

    title: str
    facts: Mapping[str, str]
    cells: Mapping[Cell, int]
    shards: Mapping[Path, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    without_model: frozenset[str] = frozenset()
    aside: Mapping[Path, frozenset[str]] = field(default_factory=dict)


def show(folder: Run | Dataset, out: Path, limit: int = 5000, *, starts: bool = True, work: Path | None = None) -> Path:
    """Write the gallery of a run or a dataset, and the contact sheet beside it as ``.png``; returns the sheet's path.

    Args:
        folder: A run or a packed dataset.
        out: The HTML file.
        limit: Pictures shown at the most, the same number of each entry, label and skin tone.
        starts: Whether the page, never the sheet, shows beside each picture the image that it starts from.
        work: The run that a dataset of pseudonyms is of, which has these images; where left out the one beside it.

    Raises:
        InputError: The folder holds no image yet, or one of the two files is not ours to write over.
    """
    sheet_path = check_own(out)
    source = _of_run(folder) if isinstance(folder, Run) else _of_dataset(folder)
    pictures = list(_pick(source, limit))
    if not pictures:
        raise InputError(f"{folder.root}: no image here yet")
    facts, images = dict(source.facts), sum(source.cells.values())
    if len(pictures) < images:
        facts["shown"] = f"{len(pictures):,} of {images:,} images"
    pairs = pair_with_start_images(pictures, folder, work) if starts else Pairs(pictures)
    if pairs.missing:
        facts["originals"] = "not shown: the images that these pictures start from can't be had here"
    gallery.write_gallery(
        pairs.pictures,
        out,
        title=source.title,
        facts=facts,
        reproduce_dir=str(folder.root),
        photographs=pairs.photographs,
    )
    kept = [picture for picture in pictures if not picture.rejected]
    contact_sheet.write_contact_sheet(kept or pictures, sheet_path, title=source.title)
    return sheet_path


def check_own(out: Path) -> Path:
    """Check that a gallery and its sheet can be written; returns the sheet's path.

    Raises:
        InputError: One of the two files is not ours to write over.
    """
    gallery.check_own(out)
    contact_sheet.check_own(out.with_suffix(".png"))
    return out.with_suffix(".png")


def _of_run(run: Run) -> _Source:
    plan, document, cells = run.plan, run.plan.manifest.document, Counter[Cell]()
    for name, entry in plan.entries.items():
        for cell in entry.cells:
            cells[name, cell.label, tone_name(document.skin_tones.scale, cell.tone)] += cell.count
    finished = list(run.finished_shards())
    made = sum(shard.count for shard in finished)
    facts = {
        "manifest": document.name,
        "seed": str(document.seed),
        "plan": plan.digest[:16],
        **_models(plan.models),
    }
    if made < plan.samples:
        facts["made"] = f"{made:,} of {plan.samples:,} planned images"
    reasons = {verdict.key: "; ".join(verdict.reasons) for verdict in run.verdicts()}
    if reasons:
        facts["accepted"] = f"{sum(not reason for reason in reasons.values()):,} of {len(reasons):,} judged images"
    title = document.publish.pretty_name or document.name
    tars = {shard.tar: shard.receipt.sha256 for shard in finished}
    return _Source(title, facts, cells, tars, reasons, frozenset(plan.without_model), run.set_aside())


def _of_dataset(dataset: Dataset) -> _Source:
    provenance = dataset.provenance
    dataset_folder.check_seal(dataset.root)
    bare = frozenset(provenance.get("without_model", ()))
    facts = {
        "manifest": provenance["name"],
        "seed": provenance["seed"],
        "plan": provenance["plan_digest"][:16],
        **_models(provenance["models"] if bare < provenance["entry_digests"].keys() else ()),
    }
    cells = Counter(dataset_folder.read_cells(dataset.root))
    return _Source(provenance["title"], facts, cells, dataset.sha256s(), without_model=bare)


def _models(names: Iterable[str]) -> dict[str, str]:
    """The models as a fact of the page; none where no image was made by one."""
    said = ", ".join(map(last_name, names))
    return {"models": said} if said else {}


def _said(record: Mapping[str, object], *, by_model: bool) -> dict[str, object]:
    """The fields of a record that say something of its image, in their order.

    What does not apply to a strategy is an empty text or 0 in a record: a strength without an image to start from, a
    model that was not used. A page may be shown to others, so no folder of this machine stands before a model's name.
    """
    without = set() if record["num_inference_steps"] else {"num_inference_steps", "guidance_scale"}
    without |= set() if record["strength"] else {"strength"}
    without |= set() if by_model else {"model", "model_revision"}
    said = {name: value for name, value in record.items() if name not in without}
    shown = {"model": last_name, "attributes": _attributes}
    return said | {name: shown[name](str(said[name])) for name in shown.keys() & said.keys()}


def _attributes(written: str) -> str:
    """The attributes of a record without folders; those of a stranger that are not JSON as they are."""
    try:
        return attributes_without_folders(written)
    except (ValueError, TypeError):
        return written


def _pick(source: _Source, limit: int) -> Iterator[Picture]:
    """The first pictures of each cell; stops reading once every cell has its share."""
    share = max(1, limit // max(1, len(source.cells)))
    wanted = sum(min(share, count) for count in source.cells.values())
    taken: Counter[Cell] = Counter()
    for path, sha256 in source.shards.items():
        if sum(taken.values()) == wanted:
            return
        receipts.check_tar(path, sha256)
        for sample in receipts.kept(dataset_folder.read_shard(path), source.aside.get(path, ())):
            if sum(taken.values()) == wanted:
                return
            image = stored_images.image_of(path, sample, stored_images.record_of(path, sample))
            record = json.loads(sample.files["json"])
            cell = (record["entry"], record["label"], record["skin_tone"])
            if taken[cell] < share:
                taken[cell] += 1
                said = _said(record, by_model=record["entry"] not in source.without_model)
                yield Picture(said, image, rejected=source.reasons.get(sample.key))

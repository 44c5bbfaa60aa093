"""Shows a run or a packed dataset: picks the same number of pictures of each cell, and writes page and sheet."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from synthgen.errors import InputError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.skin_tones import name as tone_name
from synthgen.preview import gallery
from synthgen.preview.before_after import Find, Pairs, pair_with_start_images
from synthgen.runs import dataset_folder, run_folder, start_images, verdicts
from synthgen.runs.receipts import Ledger
from synthgen.vision import contact_sheet
from synthgen.vision.picture import Picture

Cell = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Source:
    """What there is to show: its title and facts, how many images each (entry, label, skin tone) has, its shards.

    ``plan`` reads its plan, and ``find`` what finds the images that samples of it start from. ``reasons`` says of each
    image that was judged why it is rejected, and nothing of one that is accepted.
    """

    title: str
    facts: Mapping[str, str]
    cells: Mapping[Cell, int]
    shards: Sequence[Path]
    plan: Callable[[], Plan]
    find: Find
    reasons: Mapping[str, str] = field(default_factory=dict)


def show(root: Path, out: Path, doors: Extensions, limit: int = 5000, *, starts: bool = True) -> Path:
    """Write the gallery of a run or a dataset, and the contact sheet beside it as ``.png``; returns the sheet's path.

    Args:
        root: A run or a packed dataset.
        out: The HTML file.
        doors: The strategies there are.
        limit: Pictures shown at the most, the same number of each entry, label and skin tone.
        starts: Whether the page, never the sheet, shows beside each picture the image that it starts from.

    Raises:
        InputError: The folder is neither, holds no image yet, or one of the two files is not ours to write over.
    """
    sheet_path = check_own(out)
    source = _source(root, doors)
    pictures = list(_pick(source, limit))
    if not pictures:
        raise InputError(f"{root}: no image here yet")
    facts, images = dict(source.facts), sum(source.cells.values())
    if len(pictures) < images:
        facts["shown"] = f"{len(pictures):,} of {images:,} images"
    pairs = pair_with_start_images(pictures, source.plan, source.find) if starts else Pairs(pictures)
    if pairs.missing:
        facts["originals"] = "not shown: the images that these pictures start from can't be had here"
    gallery.write_gallery(
        pairs.pictures,
        out,
        title=source.title,
        facts=facts,
        reproduce_dir=str(root),
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


def _source(root: Path, doors: Extensions) -> _Source:
    if run_folder.is_run(root):
        return _of_run(root, run_folder.read_plan(root, doors))
    if dataset_folder.is_dataset(root):
        return _of_dataset(root, doors)
    raise InputError(f"{root}: neither a run (run.json) nor a packed dataset (provenance.json)")


def _of_run(root: Path, plan: Plan) -> _Source:
    document = plan.manifest.document
    cells, found, made = Counter[Cell](), list[Path](), 0
    for name, entry in plan.entries.items():
        for cell in entry.cells:
            cells[name, cell.label, tone_name(document.skin_tones.scale, cell.tone)] += cell.count
        ledger = Ledger(root, name, entry.digest)
        for number in range(entry.shards):
            receipt = ledger.trusted(number)
            if receipt:
                found.append(ledger.tar(number))
                made += receipt.count
    facts = {
        "manifest": document.name,
        "seed": str(document.seed),
        "plan": plan.digest[:16],
        "models": ", ".join(sorted({entry.recipe.model.name for entry in plan.entries.values()})),
    }
    if made < plan.samples:
        facts["made"] = f"{made:,} of {plan.samples:,} planned images"
    reasons = verdicts.read_reasons(root) if (root / verdicts.FILE).exists() else {}
    if reasons:
        facts["accepted"] = f"{sum(not reason for reason in reasons.values()):,} of {len(reasons):,} judged images"
    title = document.publish.pretty_name or document.name
    return _Source(title, facts, cells, found, lambda: plan, lambda plan, _: start_images.of_run(plan, root), reasons)


def _of_dataset(root: Path, doors: Extensions) -> _Source:
    provenance = dataset_folder.read_provenance(root)
    facts = {
        "manifest": provenance["name"],
        "seed": provenance["seed"],
        "plan": provenance["plan_digest"][:16],
        "models": ", ".join(provenance["models"]),
    }
    cells = Counter(dataset_folder.read_cells(root))
    shards = [root / name for name in dataset_folder.shards(provenance)]
    return _Source(
        provenance["title"],
        facts,
        cells,
        shards,
        lambda: dataset_folder.read_plan(root, doors),
        lambda plan, samples: start_images.of_dataset(plan, root, samples),
    )


def _pick(source: _Source, limit: int) -> Iterator[Picture]:
    """The first pictures of each cell; stops reading once every cell has its share."""
    share = max(1, limit // max(1, len(source.cells)))
    wanted = sum(min(share, count) for count in source.cells.values())
    taken: Counter[Cell] = Counter()
    for path in source.shards:
        for sample in dataset_folder.read_shard(path):
            if sum(taken.values()) == wanted:
                return
            record = json.loads(sample.files["json"])
            cell = (record["entry"], record["label"], record["skin_tone"])
            if taken[cell] < share:
                taken[cell] += 1
                yield Picture(record, sample.image, rejected=source.reasons.get(sample.key))

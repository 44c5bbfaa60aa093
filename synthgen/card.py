"""The dataset card: every number in it is counted from the receipts, and a placeholder without a value is an error."""

import html
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen import __version__, shipped, skin_tones
from synthgen import datasets_on_disk as layout
from synthgen.errors import InputError
from synthgen.images import EXTENSIONS
from synthgen.ledger import Receipt
from synthgen.models import BUNDLED
from synthgen.plan import EntryPlan, Plan
from synthgen.sample import field_types

_SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7))
_TAGS = ("synthetic", "webdataset", "latent-diffusion", "image", "synthgen")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a card is filled from.

    Attributes:
        plan: The plan.
        receipts: The receipts of the shards that were packed.
        counts: Packed images by (label, skin tone, entry).
        tars: How many tars they lie in.
        digest: The dataset's digest.
    """

    plan: Plan
    receipts: Sequence[Receipt]
    counts: Mapping[tuple[str, str, str], int]
    tars: int
    digest: str


def render(facts: Facts, template: Path | None = None) -> str:
    """The card as Markdown with its YAML header.

    Raises:
        InputError: The template has a placeholder that nothing fills.
    """
    import jinja2.meta
    from huggingface_hub import DatasetCard, DatasetCardData

    path = template or shipped.card_template()
    text = path.read_text(encoding="utf-8")
    values = _values(facts)
    names = jinja2.meta.find_undeclared_variables(jinja2.Environment(autoescape=True).parse(text))
    unknown = sorted(names - set(values) - {"card_data"})
    if unknown:
        raise InputError(f"{path}: nothing fills {', '.join(f'{{{{ {name} }}}}' for name in unknown)}")
    return str(DatasetCard.from_template(DatasetCardData(**_header(facts)), template_str=text, **values))


def _header(facts: Facts) -> dict[str, Any]:
    """The card's YAML: what the Hub indexes and what the loader needs."""
    publish = facts.plan.manifest.document.publish
    images = sum(facts.counts.values())
    header = {
        "license": publish.license or "unknown",
        "pretty_name": publish.pretty_name or facts.plan.manifest.document.name,
        "task_categories": ["image-classification"],
        "size_categories": [next((name for name, below in _SIZES if images < below), "10M<n<100M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": ["original"],
        "tags": list(dict.fromkeys((*_TAGS, *publish.tags))),
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train-*.tar"}]}],
    }
    return header | {"dataset_info": {"features": _features(facts)}}


def _features(facts: Facts) -> list[dict[str, Any]]:
    """The features as `datasets` reads them: the classes by name, the record as a struct."""
    document = facts.plan.manifest.document
    dtypes = {str: "string", int: "int64", float: "float64"}
    names = {str(number): label for number, label in enumerate(document.labels)}
    return [
        {"name": "__key__", "dtype": "string"},
        {"name": "__url__", "dtype": "string"},
        {"name": EXTENSIONS[document.output.image_format], "dtype": "image"},
        {"name": "cls", "dtype": {"class_label": {"names": names}}},
        {"name": "json", "struct": [{"name": n, "dtype": dtypes[k]} for n, k in field_types().items()]},
    ]


def _values(facts: Facts) -> dict[str, Any]:
    """What the template's placeholders stand for; texts a user wrote are escaped."""
    document = facts.plan.manifest.document
    tones = [skin_tones.name(document.skin_tones.scale, value) for value in document.skin_tones.values]
    entries = [_entry(facts, entry) for entry in facts.plan.entries.values()]
    by_tone = _total(facts.counts, lambda key: key[1])
    return {
        "name": document.name,
        "title": escape(document.publish.pretty_name or document.name),
        "repo": document.publish.repo or "path/to/this/folder",
        "images": sum(facts.counts.values()),
        "planned": facts.plan.samples,
        "failed": sum(receipt.failed for receipt in facts.receipts),
        "tars": _tar_names(facts.tars),
        "image_key": EXTENSIONS[document.output.image_format],
        "sheet": layout.SHEET,
        "scale": document.skin_tones.scale,
        "tones": tones,
        "tone_totals": [by_tone[tone] for tone in tones],
        "labels": [_label(facts.counts, label, words, tones) for label, words in document.labels.items()],
        "entries": entries,
        "models": sorted({entry["model"] for entry in entries}),
        "bundled": any(entry.recipe.model.name == BUNDLED for entry in facts.plan.entries.values()),
        "seed": document.seed,
        "templates": [escape(text) for text in facts.plan.manifest.prompts.every_template()],
        "license": escape(document.publish.license or "unknown"),
        "plan_digest": facts.plan.digest,
        "dataset_digest": facts.digest,
        "version": __version__,
    }


def _entry(facts: Facts, entry: EntryPlan) -> dict[str, Any]:
    """One row of how images were made."""
    receipts = [receipt for receipt in facts.receipts if receipt.entry == entry.name]
    environment = receipts[0].environment if receipts else {}
    settings = entry.recipe.settings.model_dump(mode="json")
    hidden = {"height", "width"}
    return {
        "name": entry.name,
        "strategy": entry.recipe.strategy,
        "model": escape(entry.recipe.model.name),
        "revision": environment.get("model_revision", ""),
        "settings": escape(", ".join(f"{key} {value}" for key, value in settings.items() if key not in hidden)),
        "size": f"{settings['width']} x {settings['height']}",
        "dtype": environment.get("dtype", ""),
        "planned": entry.samples,
        "images": sum(receipt.count for receipt in receipts),
        "failed": sum(receipt.failed for receipt in receipts),
        "repeated": sum(len(one.tries) > 1 for receipt in receipts for one in receipt.samples),
    }


def _label(counts: Mapping[tuple[str, str, str], int], label: str, words: str, tones: list[str]) -> dict[str, Any]:
    by_cell = _total(counts, lambda key: key[:2])
    cells = [by_cell[label, tone] for tone in tones]
    return {"name": label, "words": escape(words), "counts": cells, "total": sum(cells)}


def _tar_names(count: int) -> str:
    """Every tar's path, as webdataset takes them in one pattern."""
    if count == 1:
        return "data/train-00000-of-00001.tar"
    return f"data/train-{{00000..{count - 1:05d}}}-of-{count:05d}.tar"


def _total(counts: Mapping[tuple[str, str, str], int], part: Any) -> Counter[Any]:
    totals: Counter[Any] = Counter()
    for key, count in counts.items():
        totals[part(key)] += count
    return totals


def escape(text: str) -> str:
    """Text that shows as itself in Markdown, in a table's cell as well."""
    plain = " ".join(html.escape(text, quote=False).split())
    for character in "\\`*_{}[]|#":
        plain = plain.replace(character, f"\\{character}")
    return plain

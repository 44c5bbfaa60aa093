"""The values of the placeholders in a card's template; texts that a user wrote are escaped."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from synthgen.core import yaml_documents
from synthgen.core.model_folder import BUNDLED, ModelFacts
from synthgen.core.releases import __version__
from synthgen.core.report.markdown import escape
from synthgen.errors import ManifestError
from synthgen.pack.card.facts import CardFacts, Size, Summary
from synthgen.pack.published_manifest import without_paths
from synthgen.plan import EntryPlan, skin_tones
from synthgen.runs import dataset_folder as layout
from synthgen.runs.cell import Cell
from synthgen.runs.verdicts import Ratio
from synthgen.vision.images.codec import EXTENSIONS

_VALUES = 50  # rows that an attribute has at most


def values(facts: CardFacts) -> dict[str, Any]:
    """The value of every placeholder, by its name."""
    document = facts.plan.manifest.document
    scale = document.skin_tones.scale
    asked = [skin_tones.name(scale, value) for value in document.skin_tones.values]
    tones = skin_tones.in_order(scale, [*asked, *(cell.tone for cell in facts.counts)])
    by_tone = _total(facts.counts, lambda cell: cell.tone)
    return (
        _how_made(facts)
        | _how_made_again(facts)
        | _filters(facts)
        | {
            "name": document.name,
            "title": escape(document.publish.pretty_name or document.name),
            "citation_title": without_markup(document.publish.pretty_name or document.name),
            "repo": document.publish.repo or "path/to/this/folder",
            "published": bool(document.publish.repo),
            "images": facts.images,
            "planned": facts.plan.samples,
            "failed": sum(summary.failed for summary in facts.entries.values()),
            "layout": facts.layout,
            "splits": [{"name": n, "images": size.images, "shards": size.shards} for n, size in facts.splits.items()],
            "split": next(iter(facts.splits)),
            "tars": _tar_names(*next(iter(facts.splits.items()))),
            "image_key": EXTENSIONS[document.output.image_format],
            "image_column": EXTENSIONS[document.output.image_format] if facts.layout == "webdataset" else "image",
            "masked": document.output.mask,
            "sheet": layout.SHEET,
            "scale": scale,
            "tones": tones,
            "known_tones": _known_tones(facts, tones),
            "of_unknown_tone": by_tone[skin_tones.UNKNOWN],
            "tone_totals": [by_tone[tone] for tone in tones],
            "labels": [_label(facts.counts, label, words, tones) for label, words in _labels(facts).items()],
            "cells": [row for name in _entries(facts) for row in _cells(facts, name, tones)],
            "attributes": attribute_rows(facts.attributes, tones),
            "license": escape(document.publish.license or "unknown"),
            "audit": escape(facts.audit_text),
            "sources": [
                {"dataset": escape(name or "unnamed"), "license": escape(of or "unknown")} for name, of in facts.sources
            ],
            "version": __version__,
        }
    )


def without_markup(text: str) -> str:
    """Text with nothing in it that BibTeX, or Markdown, would read as its own."""
    return " ".join(re.sub(r"[^\w\s,.:;()-]|_", " ", text).split())


def _how_made(facts: CardFacts) -> dict[str, Any]:
    """What is said of how the images were made."""
    entries = [_entry(entry, facts.entries.get(entry.name, Summary())) for entry in facts.plan.entries.values()]
    models = facts.plan.models
    return {
        "entries": entries,
        "by_diffusion": _by_diffusion(facts),
        "models": [{"name": escape(name), "license": escape(licence(model))} for name, model in models.items()],
        "bundled": BUNDLED in models,
        "seed": facts.plan.manifest.document.seed,
        "templates": [escape(text) for text in facts.plan.manifest.prompts.every_template()],
        "plan_digest": facts.plan.digest,
        "dataset_digest": facts.digest,
    }


def _how_made_again(facts: CardFacts) -> dict[str, Any]:
    """What has to be there for its images to be made again, which the dataset itself does not have.

    ``withheld`` (of where real images are), ``placeless`` (of where a model or a plug-in is), ``renamed`` and
    ``from_photographs`` (whether any start from real images in files), ``adapted`` (whether any are made by adapters,
    which are never packed), and ``alone``: the entries that need none of it.
    """
    plan, real = facts.plan, facts.plan.manifest.real
    starting = {entry.name for entry in plan.manifest.entries if entry.per_source}
    for entry in plan.entries.values():  # an entry comes after the one that it starts from
        starting |= {entry.name} if entry.parent in starting else set()
    adapted = {entry.name for entry in plan.entries.values() if any(entry.adapters.values())}
    drawn = real is not None and real.source == "phantom"
    return {
        "withheld": facts.withheld and real is not None and not drawn,
        "placeless": facts.placeless,
        "renamed": facts.renamed,
        "from_photographs": bool(starting) and not drawn,
        "adapted": bool(adapted),
        "alone": [
            name
            for name in plan.entries
            if not facts.placeless and name not in (adapted if drawn else starting | adapted)
        ],
    }


def _entry(entry: EntryPlan, summary: Summary) -> dict[str, Any]:
    """One row of how images were made."""
    settings = without_paths(entry.recipe.settings.model_dump(mode="json"))
    hidden = {"height", "width"}
    return {
        "name": entry.name,
        "strategy": entry.recipe.strategy,
        "model": escape(entry.made_by) or "none",
        "revision": summary.environment.get("model_revision", ""),
        "settings": escape(", ".join(f"{key} {value}" for key, value in settings.items() if key not in hidden)),
        "size": f"{settings['width']} x {settings['height']}",
        "dtype": summary.environment.get("dtype", ""),
        "planned": entry.samples,
        "images": summary.images,
        "failed": summary.failed,
        "repeated": summary.repeated,
    }


def _by_diffusion(facts: CardFacts) -> str:
    """Which of the images a diffusion model made: ``all``, ``some`` or ``none``."""
    used = {entry.recipe.settings.uses_model for entry in facts.plan.entries.values()}
    return "some" if len(used) > 1 else "all" if True in used else "none"


def _known_tones(facts: CardFacts, tones: list[str]) -> int:
    """On how many tones the images are: those that the manifest asks for and there are, unless none is known."""
    found = {cell.tone for cell, images in facts.counts.items() if images}
    return len([tone for tone in tones if tone != skin_tones.UNKNOWN]) if found - {skin_tones.UNKNOWN} else 0


def _labels(facts: CardFacts) -> dict[str, str]:
    """The words of every label: the manifest's, and any other that a record has."""
    words = facts.plan.manifest.document.labels
    return words | {cell.label: cell.label for cell in facts.counts if cell.label not in words}


def _entries(facts: CardFacts) -> list[str]:
    """Every entry: the plan's, and any other that a record has."""
    return list(dict.fromkeys([*facts.plan.entries, *(cell.entry for cell in facts.counts)]))


def _label(counts: Mapping[Cell[str], int], label: str, words: str, tones: list[str]) -> dict[str, Any]:
    by_cell = _total(counts, lambda cell: (cell.label, cell.tone))
    found = [by_cell[label, tone] for tone in tones]
    return {"name": label, "words": escape(words), "counts": found, "total": sum(found)}


def _cells(facts: CardFacts, name: str, tones: list[str]) -> list[dict[str, Any]]:
    """The rows of one entry in the table of labels, skin tones and entries."""
    rows, entry = [], facts.plan.entries.get(name)
    for label in _labels(facts):
        found = [facts.counts.get(Cell(name, label, tone), 0) for tone in tones]
        row = {"entry": name, "strategy": entry.recipe.strategy if entry else "", "label": label}
        rows.append(row | {"counts": found, "total": sum(found)})
    return rows


def attribute_rows(known: Mapping[tuple[str, str, str], int], tones: list[str]) -> list[dict[str, Any]]:
    """The rows of the tables of what is known of real images: each value with its images by skin tone.

    ``known`` are the images of each attribute's name and value, and skin tone. Of an attribute of many values, as an
    age in days, the rarest are counted together: they would name single people.
    """
    counted = defaultdict[str, Counter[str]](Counter)
    for (name, value, _), count in known.items():
        counted[name][value] += count
    found = []
    for name, values in sorted(counted.items()):
        ranked = [value for _, value in sorted((-count, value) for value, count in values.items())]
        shown, rest = ranked, list[str]()
        if len(ranked) > _VALUES:
            shown, rest = ranked[: _VALUES - 1], ranked[_VALUES - 1 :]
        parts = [(escape(value) or "-", [value]) for value in sorted(shown)]
        parts += [(f"{len(rest):,} other values", rest)] if rest else []
        for said, members in parts:
            counts = [sum(known.get((name, value, tone), 0) for value in members) for tone in tones]
            found.append({"name": escape(name), "value": said, "counts": counts, "total": sum(counts)})
    return found


def _tar_names(split: str, size: Size) -> str:
    """Every tar's path, as webdataset takes them in one pattern."""
    if size.shards == 1:
        return f"data/{split}-00000-of-00001.tar"
    return f"data/{split}-{{00000..{size.shards - 1:05d}}}-of-{size.shards:05d}.tar"


def _total(counts: Mapping[Cell[str], int], part: Callable[[Cell[str]], Any]) -> Counter[Any]:
    totals: Counter[Any] = Counter()
    for cell, count in counts.items():
        totals[part(cell)] += count
    return totals


def licence(model: ModelFacts) -> str:
    """What a model says of its licence; never a guess."""
    match model.kind:
        case "bundled":
            return "Apache-2.0, as synthgen"
        case "hub":
            return f"see https://huggingface.co/{model.name}"
        case _:
            return _licence_in_folder(model.folder) or "not stated in its folder"


def _licence_in_folder(folder: Path | None) -> str:
    """The licence in the header of a model folder's README.md; empty where there is none."""
    path = folder / "README.md" if folder else None
    if path is None or not path.is_file():
        return ""
    try:
        begin, header, _ = yaml_documents.read_text(path).split("---", 2)
        found = "" if begin.strip() else yaml_documents.parse(header, path.name).get("license")
    except (ManifestError, ValueError):
        return ""
    return ", ".join(map(str, found)) if isinstance(found, list) else str(found or "")


def _filters(facts: CardFacts) -> dict[str, Any]:
    """The placeholders ``curated``, ``judged``, ``rejected``, ``filters`` and ``parity``; empty where all was kept."""
    judged = facts.judged
    if judged is None:
        return {"curated": False, "judged": 0, "rejected": 0, "filters": [], "parity": []}
    return {
        "curated": True,
        "judged": judged.judged,
        "rejected": judged.judged - judged.accepted,
        "filters": [
            {"reason": escape(one.reason), "rejected": one.rejected, "alone": one.alone} for one in judged.filters
        ],
        "parity": [_parity(ratio) for ratio in judged.parity],
    }


def _parity(ratio: Ratio) -> dict[str, str]:
    return {
        "reason": escape(ratio.reason) or "all rules together",
        "dark": f"{ratio.dark_rejected} of {ratio.dark}",
        "light": f"{ratio.light_rejected} of {ratio.light}",
        "ratio": "-" if ratio.ratio is None else f"{ratio.ratio:.2f}",
        "interval": f"{ratio.low:.2f} to {ratio.high:.2f}",
    }

"""The card's YAML header: what the Hub indexes, and what its loader needs."""

import re
from typing import Any

from synthgen.pack import formats
from synthgen.pack.card.facts import CardFacts
from synthgen.plan.sample import field_types
from synthgen.runs.parquet_samples import MASK_COLUMN
from synthgen.runs.tar_samples import MASK
from synthgen.vision.images.codec import EXTENSIONS

_SIZES = (("n<1K", 10**3), ("1K<n<10K", 10**4), ("10K<n<100K", 10**5), ("100K<n<1M", 10**6), ("1M<n<10M", 10**7))
_TAGS = ("synthetic", "latent-diffusion", "image", "synthgen")
_DTYPES = {str: "string", int: "int64", float: "float64"}
_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


def header(facts: CardFacts) -> dict[str, Any]:
    """The header's keys and values."""
    publish = facts.plan.manifest.document.publish
    own = (tag for tag in _TAGS[1:] if facts.plan.models or tag != "latent-diffusion")
    tags = (_TAGS[0], str(facts.layout), *own, *publish.tags)
    found = {
        "license": publish.license or "unknown",
        **({"license_name": publish.license_name} if publish.license_name else {}),
        **({"license_link": publish.license_link} if publish.license_link else {}),
        "pretty_name": publish.pretty_name or facts.plan.manifest.document.name,
        "task_categories": ["image-classification", *(["image-segmentation"] if _masked(facts) else [])],
        "size_categories": [next((name for name, below in _SIZES if facts.images < below), "10M<n<100M")],
        "annotations_creators": ["machine-generated"],
        "source_datasets": _source_datasets(facts),
        "tags": list(dict.fromkeys(tags)),
        **_gate(facts),
    }
    files = [{"split": split, "path": formats.find(facts.layout).pattern(split)} for split in facts.splits]
    found["configs"] = [{"config_name": "default", "data_files": files}]
    return found | {"dataset_info": {"features": _features(facts)}}


def _source_datasets(facts: CardFacts) -> list[str]:
    """``original``, and ``extended|NAME`` for each dataset of real images that images were made from."""
    names = (dataset if _ID.fullmatch(dataset) else "other" for dataset, _ in facts.sources)
    return ["original", *dict.fromkeys(f"extended|{name}" for name in names)]


def _gate(facts: CardFacts) -> dict[str, Any]:
    gate = facts.plan.manifest.document.publish.gated
    if gate is None:
        return {}
    fields = {n: k if isinstance(k, str) else {"type": "select", "options": list(k)} for n, k in gate.fields.items()}
    return {"extra_gated_prompt": gate.prompt} | ({"extra_gated_fields": fields} if fields else {})


def _features(facts: CardFacts) -> list[dict[str, Any]]:
    """The features as `datasets` reads them: the image, the classes by name, the record."""
    document = facts.plan.manifest.document
    names = {"class_label": {"names": {str(number): label for number, label in enumerate(document.labels)}}}
    record = [{"name": name, "dtype": _DTYPES[kind]} for name, kind in field_types().items()]
    if facts.layout == "webdataset":
        return [
            {"name": "__key__", "dtype": "string"},
            {"name": "__url__", "dtype": "string"},
            {"name": EXTENSIONS[document.output.image_format], "dtype": "image"},
            *([{"name": MASK, "dtype": "image"}] if _masked(facts) else []),
            {"name": "cls", "dtype": names},
            {"name": "json", "struct": record},
        ]
    rest = [field for field in record if field["name"] != "label"]
    images = ["image", MASK_COLUMN] if _masked(facts) else ["image"]
    return [*({"name": name, "dtype": "image"} for name in images), {"name": "label", "dtype": names}, *rest]


def _masked(facts: CardFacts) -> bool:
    """Whether a label map is beside each image."""
    return facts.plan.manifest.document.output.mask

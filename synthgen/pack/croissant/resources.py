"""The files of a dataset and how its records are read from them, in the words of Croissant.

Tars and image files are joined with ``metadata.parquet`` by the key that is the name of each image's file; a Parquet
shard has all of it in its rows.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from synthgen.pack.card.facts import CardFacts
from synthgen.plan.manifest.schema import LAYOUTS
from synthgen.plan.sample import field_types
from synthgen.runs import dataset_folder as layout
from synthgen.runs.croissant import address, page
from synthgen.runs.parquet_samples import MASK_COLUMN
from synthgen.runs.tar_samples import MASK
from synthgen.vision.images.codec import EXTENSIONS

_WITH_FILES = ("webdataset", "imagefolder")  # layouts in which each image is a file, or a member of a tar
_KINDS = {str: "sc:Text", int: "sc:Integer", float: "sc:Float"}
_FORMATS = {".parquet": "application/x-parquet", ".tar": "application/x-tar"}
_SPLITS = {"train": "cr:TrainingSplit", "validation": "cr:ValidationSplit", "test": "cr:TestSplit"}
_SAID = {
    "key": "The image's name, unique in the dataset.",
    "label": "The class that was asked for; no physician has looked at the image.",
    "label_id": "The number of the class.",
    "mask_image": "Where the image was painted: the number of its class + 1, and 0 elsewhere; nobody has traced it.",
    "skin_tone": "The skin tone that was asked for, on the scale in skin_tone_scale.",
    "prompt": "The prompt.",
    "seed": "The seed of the sample.",
    "model": "The model.",
    "model_revision": "The model's commit on the Hub, or its fingerprint.",
    "source_id": "The real image that it starts from; empty where it starts from none.",
    "source_group": "The group (a patient, a lesion) of that image; no group is in two splits.",
    "image_sha256": "The sha256 of the image's file.",
    "split": "The split.",
}
_TABLE, _IMAGES, _MASKS, _ROWS = layout.METADATA, "image-files", "mask-files", "parquet-files"


def fields(facts: CardFacts, files: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """``distribution`` and ``recordSet``.

    Args:
        facts: What the card is filled from.
        files: The size and sha256 of each file of the dataset, by its path.
    """
    repo = facts.plan.manifest.document.publish.repo
    shards = [name for name in sorted(files) if _is_shard(name)]
    found = [_file(name, files[name], repo) for name in (_TABLE, *shards)]
    found += _file_sets(facts, shards, repo)
    beside = [_masks()] if facts.plan.manifest.document.output.mask and facts.layout in _WITH_FILES else []
    return {"distribution": found, "recordSet": [_images(facts), *beside, _labels(facts), _splits(facts)]}


def _is_shard(name: str) -> bool:
    return name.startswith("data/") and not name.endswith(layout.METADATA)


def _file(name: str, file: Mapping[str, Any], repo: str | None) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": address(repo, name),
        "contentSize": f"{file['size']} B",
        "encodingFormat": _FORMATS.get(PurePosixPath(name).suffix, "application/octet-stream"),
        "sha256": file["sha256"],
    }


def _file_sets(facts: CardFacts, shards: list[str], repo: str | None) -> Iterator[dict[str, Any]]:
    """The images in tars or folders, or the Parquet shards as one set.

    Of the latter two a container is named where there is a repository: the repository itself, as in the Hub's own
    Croissant; its checksum is the address that the Hub puts there, since a repository has none.
    """
    kind = f"image/{facts.plan.manifest.document.output.image_format}"
    extension = EXTENSIONS[facts.plan.manifest.document.output.image_format]
    masked = facts.plan.manifest.document.output.mask
    if facts.layout == "webdataset":
        yield from _image_files(kind, extension, [_ref(name) for name in shards], "", masked=masked)
        return
    if facts.layout not in LAYOUTS:
        return
    if repo:
        yield {
            "@type": "cr:FileObject",
            "@id": "repo",
            "name": "repo",
            "description": "The repository on the Hub.",
            "contentUrl": page(repo),
            "encodingFormat": "git+https",
            "sha256": "https://github.com/mlcommons/croissant/issues/80",
        }
    within = _ref("repo") if repo else None
    if facts.layout == "parquet":
        yield _file_set(_ROWS, _FORMATS[".parquet"], "data/*.parquet", within)
    else:
        yield from _image_files(kind, extension, within, "data/", masked=masked)


def _image_files(kind: str, extension: str, within: Any, folder: str, *, masked: bool) -> Iterator[dict[str, Any]]:
    """The images as a set of files, and the label maps beside them as another where there are any.

    A key ends in a digit, the name of a label map without its extension does not; mlcroissant knows no ``excludes``.
    """
    yield _file_set(_IMAGES, kind, f"{folder}*{'[0-9]' if masked else ''}.{extension}", within)
    if masked:
        yield _file_set(_MASKS, "image/png", f"{folder}*.{MASK}", within)


def _file_set(name: str, kind: str, includes: str, within: Any) -> dict[str, Any]:
    found = {"@type": "cr:FileSet", "@id": name, "name": name, "encodingFormat": kind, "includes": includes}
    return found | ({"containedIn": within} if within else {})


def _images(facts: CardFacts) -> dict[str, Any]:
    """The records: an image with all that is known of it; without images for a format of one's own."""
    if facts.layout == "parquet":
        found = list(_in_rows(masked=facts.plan.manifest.document.output.mask))
    else:
        extension = EXTENSIONS[facts.plan.manifest.document.output.image_format]
        found = list(_beside(extension if facts.layout in LAYOUTS else ""))
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": "A record an image.",
        "key": _ref("images/key"),
        "field": found,
    }


def _masks() -> dict[str, Any]:
    """The label maps that lie beside images: a record each, of the key of its image."""
    files = {"fileSet": _ref(_MASKS)}
    name = {"extract": {"fileProperty": "filename"}, "transform": {"regex": rf"^(.+?)(?:\.{re.escape(MASK)})?$"}}
    key = _field("key", "sc:Text", files | name, of="masks")
    mask = _field(MASK_COLUMN, "sc:ImageObject", files | {"extract": {"fileProperty": "content"}}, of="masks")
    return {
        "@type": "cr:RecordSet",
        "@id": "masks",
        "name": "masks",
        "description": "A label map an image, by the image's key.",
        "key": _ref("masks/key"),
        "field": [key, mask],
    }


def _in_rows(*, masked: bool) -> Iterator[dict[str, Any]]:
    rows = {"fileSet": _ref(_ROWS)}
    for column in ("image", MASK_COLUMN) if masked else ("image",):
        source = rows | {"extract": {"column": column}, "transform": {"jsonPath": "bytes"}}
        yield _field(column, "sc:ImageObject", source)
    for name, kind in field_types().items():
        if name == "label":
            yield _field(name, ["sc:Integer", "cr:Label"], rows | {"extract": {"column": name}})
        else:
            yield _field(name, _KINDS[kind], rows | {"extract": {"column": name}})
    path = {"extract": {"fileProperty": "filename"}, "transform": {"regex": "^([a-z]+)-"}}
    yield _field("split", ["sc:Text", "cr:Split"], rows | path)


def _beside(extension: str) -> Iterator[dict[str, Any]]:
    """The fields of the table, with the image whose file has the key for its name, where there is an extension."""
    table, files = {"fileObject": _ref(_TABLE)}, {"fileSet": _ref(_IMAGES)}
    if extension:
        # Taken out of names, and left as it is of what has been taken out already: mlcroissant does it twice in a join.
        name = {"extract": {"fileProperty": "filename"}, "transform": {"regex": rf"^(.+?)(?:\.{extension})?$"}}
        joined = {"references": table | {"extract": {"column": "key"}}}
        yield _field("key", "sc:Text", files | name) | joined
        yield _field("image", "sc:ImageObject", files | {"extract": {"fileProperty": "content"}})
    for column, kind in field_types().items():
        if column != "key" or not extension:
            kinds: Any = ["sc:Text", "cr:Label"] if column == "label" else _KINDS[kind]
            yield _field(column, kinds, table | {"extract": {"column": column}})
    yield _field("split", ["sc:Text", "cr:Split"], table | {"extract": {"column": "split"}})


def _field(name: str, kind: str | list[str], source: dict[str, Any], of: str = "images") -> dict[str, Any]:
    found = {"@type": "cr:Field", "@id": f"{of}/{name}", "name": name, "dataType": kind, "source": source}
    return found | ({"description": _SAID[name]} if name in _SAID else {})


def _labels(facts: CardFacts) -> dict[str, Any]:
    rows = enumerate(facts.plan.manifest.document.labels.items())
    data = [{"labels/id": number, "labels/name": name, "labels/words": words} for number, (name, words) in rows]
    kinds = {"id": "sc:Integer", "name": "sc:Text", "words": "sc:Text"}
    return _enumeration("labels", "sc:Enumeration", "labels/id", kinds, data)


def _splits(facts: CardFacts) -> dict[str, Any]:
    data = [{"splits/name": name, "splits/url": _SPLITS[name]} for name in facts.splits if name in _SPLITS]
    return _enumeration("splits", "cr:Split", "splits/name", {"name": "sc:Text", "url": "sc:URL"}, data)


def _enumeration(name: str, kind: str, key: str, kinds: dict[str, str], data: list[dict[str, Any]]) -> dict[str, Any]:
    columns = kinds.items()
    return {
        "@type": "cr:RecordSet",
        "@id": name,
        "name": name,
        "dataType": kind,
        "key": _ref(key),
        "field": [
            {"@type": "cr:Field", "@id": f"{name}/{column}", "name": column, "dataType": one} for column, one in columns
        ],
        "data": data,
    }


def _ref(name: str) -> dict[str, str]:
    return {"@id": name}

"""A packed dataset folder: what lies where in it, and how its own files are read."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthgen import documents, manifest, tars
from synthgen.doors import Doors
from synthgen.errors import DamagedError, InputError, ManifestError
from synthgen.plan import Plan
from synthgen.tars import TarSample

PROVENANCE = "provenance.json"
MANIFEST = "manifest.yaml"
METADATA = "metadata.parquet"
PROMPTS = "prompts/prompts.yaml"
CARD = "README.md"
SHEET = "assets/contact_sheet.png"


def is_dataset(root: Path) -> bool:
    """Whether a folder is a packed dataset."""
    return (root / PROVENANCE).is_file()


def read_provenance(root: Path) -> dict[str, Any]:
    """How a packed dataset was made, and the sha256 and size of its files.

    Raises:
        InputError: It is not a dataset that ``pack`` made.
    """
    path = root / PROVENANCE
    try:
        document = json.loads(path.read_bytes())
        return dict(document) | {"files": dict(document["files"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not a packed dataset's file: {error}") from None


def read_plan(root: Path, doors: Doors) -> Plan:
    """The plan of the run that a dataset was packed from.

    Raises:
        InputError: Its manifest can't be read any more.
    """
    try:
        read = manifest.parse(
            documents.read_text(root / MANIFEST),
            doors,
            base=root.resolve(),
            where=str(root / MANIFEST),
            prompts_text=documents.read_text(root / PROMPTS),
        )
    except ManifestError as error:
        raise InputError(*(f"{root}: {fault}" for fault in error.faults)) from None
    return Plan(read)


def read_sample(root: Path, key: str) -> TarSample | None:
    """The stored sample with that key, found through the metadata; ``None`` where there is none."""
    rows = _read_metadata(root, ["shard", "offset"], [("key", "==", key)])
    if not rows:
        return None
    found = (sample for sample in tars.read(root / rows[0]["shard"]) if sample.key == key)
    return next(found, None)


def read_cells(root: Path) -> Iterator[tuple[str, str, str]]:
    """The entry, label and skin tone of every sample, from the metadata."""
    for row in _read_metadata(root, ["entry", "label", "skin_tone"]):
        yield row["entry"], row["label"], row["skin_tone"]


def _read_metadata(root: Path, columns: list[str], filters: Any = None) -> list[dict[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    path = root / METADATA
    try:
        return list(pyarrow.parquet.read_table(path, columns=columns, filters=filters).to_pylist())
    except (OSError, pyarrow.ArrowException) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(f"{path}: can't be read ({reason}); run `synthgen verify`") from None


def unknown_files(root: Path, provenance: dict[str, Any]) -> Iterator[str]:
    """Files in a dataset folder that are none of its own, hidden ones left out."""
    for path in root.rglob("*"):
        name = path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in Path(name).parts)
        if path.is_file() and not hidden and name not in provenance["files"] and name != PROVENANCE:
            yield name

"""What a manifest asks to be fetched: the rows of the metadata, the settings, and the folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthgen import documents, shipped
from synthgen.addresses import Fetch
from synthgen.errors import ManifestError
from synthgen.sources import folder

Rows = list[Mapping[str, Any]]


def read(manifest: Path) -> tuple[Rows, Fetch, Path]:
    """Read a manifest's ``real:``, and the metadata that it names; nothing else of the manifest has to be right.

    The folder of the images need not be there yet, where the metadata lie beside the manifest.

    Args:
        manifest: The file, or the bare name of one that ships.

    Raises:
        ManifestError: It names nothing to fetch; one line a fault.
    """
    path, base = shipped.manifest(manifest)
    real = documents.parse(documents.read_text(path), path.name).get("real")
    if not isinstance(real, dict) or real.get("source") != "folder" or not real.get("fetch"):
        raise ManifestError(f"{path.name}: real.fetch: missing; fetch needs `real: {{source: folder, fetch: ...}}`")
    written = {key: value for key, value in real.items() if key != "source"}
    settings, faults = documents.validate(folder.Settings, written, "real")
    if settings is None or settings.fetch is None:
        raise ManifestError(*faults)
    rows = _rows(settings, settings.fetch, base)
    return rows, settings.fetch, folder.folder_of(settings, base)


def _rows(settings: folder.Settings, wanted: Fetch, base: Path) -> Rows:
    """The rows of the metadata, in which every column that is asked for is there."""
    if settings.metadata is None and not folder.folder_of(settings, base).is_dir():
        raise ManifestError(f"real.path: no folder `{settings.path}`, and `real.metadata` names no file elsewhere")
    reader = folder.FolderReader(settings, base)
    missing = [name for name in wanted.columns if name not in reader.columns]
    if missing:
        raise ManifestError(
            *(f"real.fetch: no column `{name}`; {documents.near(name, reader.columns)}" for name in missing)
        )
    return [row.values for row in reader.rows()]

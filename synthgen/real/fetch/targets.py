"""What is to be fetched: from the rows of the metadata to addresses, files and checksums, none of them trusted."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from synthgen.core import resources, yaml_documents
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest.fetch import COLUMN, Fetch
from synthgen.real import sources
from synthgen.real.fetch.report import NOT_TRIED, Fetched
from synthgen.real.sources import folder

Rows = list[Mapping[str, Any]]


def read(manifest: Path) -> tuple[Rows, Fetch, Path]:
    """Read a manifest's ``real:``, and the metadata that it names; nothing else of the manifest has to be right.

    The folder of the images need not be there yet, where the metadata lie beside the manifest.

    Args:
        manifest: The file, or the bare name of one that ships.

    Raises:
        ManifestError: It names nothing to fetch; one line a fault.
    """
    path, base = resources.manifest(manifest)
    real = yaml_documents.parse(yaml_documents.read_text(path), path.name).get("real")
    if not isinstance(real, dict) or real.get("source") != "folder" or not real.get("fetch"):
        said = "missing; fetch needs `real: {source: folder, fetch: ...}`"
        raise ManifestError(Fault.at("real.fetch", said, "missing").in_file(path.name))
    written = {key: value for key, value in real.items() if key != "source"}
    settings, faults = yaml_documents.validate(folder.Settings, written, "real")
    if settings is None or settings.fetch is None:
        raise ManifestError(*faults)
    rows = _rows(settings, settings.fetch, base)
    return rows, settings.fetch, folder.folder_of(settings, base)


def _rows(settings: folder.Settings, wanted: Fetch, base: Path) -> Rows:
    """The rows of the metadata, in which every column that is asked for is there."""
    if settings.metadata is None and not folder.folder_of(settings, base).is_dir():
        said = f"no folder `{settings.path}`, and `real.metadata` names no file elsewhere"
        raise ManifestError(Fault.at("real.path", said, "not_found"))
    reader = folder.FolderReader(settings, base)
    missing = [name for name in wanted.columns if name not in reader.columns]
    if missing:
        near = {name: yaml_documents.near(name, reader.columns) for name in missing}
        raise ManifestError(
            *(Fault.at("real.fetch", f"no column `{name}`; {near[name]}", "not_found") for name in near)
        )
    return [row.values for row in reader.rows()]


EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif")
_MD5 = re.compile(r"[0-9a-f]{32}")
_LONGEST = 200


class Target(NamedTuple):
    """An address, the file in the folder that it is for, and the file's MD5 where it is known.

    ``fault`` says why there is nothing to be asked for.
    """

    address: str
    file: str
    md5: str = ""
    fault: str = ""

    @property
    def host(self) -> str:
        """The host that is asked; empty where nobody is."""
        return "" if self.fault else urlsplit(self.address).netloc.lower()

    def not_tried(self) -> Fetched:
        """What is reported where it never came to asking."""
        return Fetched(self.address, self.file, NOT_TRIED, "stopped before")


def targets(rows: Iterable[Mapping[str, object]], settings: Fetch) -> list[Target]:
    """Everything to fetch, in the order of the rows, each file once."""
    known: dict[Target, None] = {}
    owners: dict[str, Target] = {}
    for row in rows:
        for target in _of(row, settings):
            if not target.fault and owners.setdefault(target.file, target) != target:
                known[target._replace(fault="another address has the same file")] = None
            else:
                known[target] = None
    return list(known)


def _of(row: Mapping[str, object], settings: Fetch) -> Iterator[Target]:
    """The targets of a row."""
    md5 = sources.text(row.get(settings.md5)).lower() if settings.md5 else ""
    for column, pattern in settings.pairs:
        cell = sources.text(row.get(column))
        if not cell and len(settings.pairs) > 1:
            continue
        address = settings.prefix + cell if cell else ""
        file = COLUMN.sub(lambda name: sources.text(row.get(name[1])), pattern)
        fault = _address_fault(address) or _file_fault(file)
        if md5 and not _MD5.fullmatch(md5):
            fault = fault or f"`{md5[:40]}` is no MD5"
        yield Target(address, file, md5, fault)


def _address_fault(address: str) -> str:
    """Why an address can't be asked for."""
    if not address:
        return "no address in this row"
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        good = None
    return "" if good and address.isprintable() else "no http or https address"


def _file_fault(file: str) -> str:
    """Why a file may not be written: it must be an image's, and lie in the folder on every system."""
    path = PurePosixPath(file)
    if path.is_absolute() or any(part in ("", ".", "..") for part in file.split("/")):
        return "its file would not lie in the folder"
    if any(character in '\\:*?"<>|' or not character.isprintable() for character in file):
        return "its file's name has characters that not every system allows"
    if max(len(part.encode("utf-8", "replace")) for part in path.parts) > _LONGEST:
        return "its file's name is too long"
    if not path.stem or path.suffix.lower() not in EXTENSIONS:
        return "its file's name does not end as an image's; end `to` with .jpg, for example"
    return ""

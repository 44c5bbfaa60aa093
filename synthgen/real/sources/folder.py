"""Images in a folder, with CSV, TSV, JSON lines, JSON or Parquet metadata; without any, a sub-folder a label."""

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from synthgen.core import paths
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest.fetch import Fetch
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.real.sources import SourceRow, _patterns, _tables
from synthgen.real.sources._files import OTHERS, OUTSIDE, Files
from synthgen.real.sources._tables import Table

_Text = Annotated[str, Field(min_length=1)]
_log = logging.getLogger(__name__)
_CONVENTIONAL = ("metadata.csv", "metadata.jsonl", "metadata.parquet")


class Settings(SourceSettings):
    """The folder, and its files of metadata, joined one after another on the columns that they share.

    Metadata left out are ``metadata.csv``, ``metadata.jsonl`` or ``metadata.parquet`` where there is one; otherwise
    the columns are ``file_name``, ``label``, which is the sub-folder that the image is in, and ``folder``, which is the
    first of several.

    Images and masks are named by columns or patterns over them: ``images/{md5hash}.jpg``, where ``*`` stands for
    anything within a name, ``part_*/{id}.jpg``, and ``{file_name.stem}`` for a name without folder and extension.

    Attributes:
        path: The folder.
        metadata: The files of metadata.
        fetch: Where the images are to be had, for ``synthgen fetch``; it changes nothing about how they are read.
        follow_links: Whether links that lead out of the folder are followed.
    """

    path: _Text
    metadata: _Text | Annotated[list[_Text], Field(min_length=1)] | None = None
    fetch: Fetch | None = Field(default=None, exclude=True)
    follow_links: bool = Field(default=False, exclude=True)


def open_source(settings: Settings, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> "FolderReader":
    """The images of a folder.

    Raises:
        ManifestError: There is no such folder, or its metadata can't be read.
    """
    if not folder_of(settings, base).is_dir():
        advice = "; `synthgen fetch MANIFEST` makes it, and downloads the images" if settings.fetch else ""
        folder = folder_of(settings, base)
        if folder.name and folder.with_name(f"{folder.name}.dvc").is_file():
            advice = f", which DVC keeps elsewhere; fetch it with `dvc pull {folder.name}.dvc`"
        raise ManifestError(Fault.at("real.path", f"no folder `{settings.path}`{advice}", "not_found"))
    return FolderReader(settings, base)


def folder_of(settings: Settings, base: Path) -> Path:
    """The folder of the images, there or not."""
    return base / paths.expanded(settings.path, "real.path")


class FolderReader:
    """Lists and reads the images of a folder; one that is not there yet has metadata beside the manifest alone."""

    def __init__(self, settings: Settings, base: Path) -> None:
        self._root, self._base = folder_of(settings, base), base
        self.name = self._root.resolve().name
        self._settings = settings
        self._files = Files(self._root, follow_links=settings.follow_links)
        self._held: Table | None = None

    @property
    def columns(self) -> Sequence[str]:
        """The columns of all the metadata.

        Raises:
            ManifestError: They can't be read.
        """
        return self._table().columns

    def rows(self) -> Iterator[SourceRow]:
        """Every image that the metadata name, there or not.

        Raises:
            ManifestError: The columns of images or masks are not there.
        """
        asked, table = self._settings.columns, self._table()
        images = _patterns.images(asked.image, table.columns)
        masks = [asked.mask] if asked.mask else []
        _patterns.check("mask", masks, table.columns)
        for values in table.rows:
            found = self._found(images, values) or [("", "")]
            mask = next((path for path, fault in self._found(masks, values) if not fault), "")
            first = PurePosixPath(found[0][0])
            for path, fault in found:
                yield SourceRow(path, PurePosixPath(path).stem, values, str(first.parent / first.stem), mask, fault)

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Files stay where they are."""
        return {}

    def read(self, location: str) -> bytes:
        """The bytes of a file.

        Raises:
            DamagedError: It is not there any more.
            InputError: It can't be read.
        """
        return self._files.read(location)

    def _found(self, patterns: Sequence[str], values: Mapping[str, object]) -> list[tuple[str, str]]:
        """The path and the fault of each file that a row names."""
        names = [(name, self._files.find(name, starred)) for name, starred in _patterns.filled(patterns, values)]
        faults = [OUTSIDE if self._files.leads_out(path) else self._fault(path, name) for name, path in names]
        return [(path or name, fault) for (name, path), fault in zip(names, faults, strict=True)]

    def _fault(self, path: str, name: str) -> str:
        """Why a file can't be read, as far as its name shows, or what lies in its place."""
        if not path:
            kept = self._files.kept_elsewhere(name)
            return kept or f"no file {name}" + (", or its name is not UTF-8; rename it" if "\ufffd" in name else "")
        kind = OTHERS.get(PurePosixPath(path).suffix.lower())
        return f"{kind}; convert it to JPEG or PNG" if kind else ""

    def _table(self) -> Table:
        if self._held is None:
            self._held = self._read_table()
        return self._held

    def _read_table(self) -> Table:
        first, *others = self._metadata() or [""]
        if not first:
            return Table.of(map(_by_folder, self._files.images()))
        table = _tables.read(self._file(first), first)
        for name in others:
            table = _tables.joined(table, _tables.read(self._file(name), name), name)
        return table

    def _metadata(self) -> list[str]:
        given = self._settings.metadata
        if given is None:
            found = [name for name in _CONVENTIONAL if self._files.find(name) and not self._files.leads_out(name)]
            if len(found) > 1:
                _log.warning("real.metadata: %s is read, and not %s beside it", found[0], ", ".join(found[1:]))
            return found[:1]
        return [given] if isinstance(given, str) else given

    def _file(self, name: str) -> Path:
        """A file of metadata: in the folder of the images, or else beside the manifest."""
        path = paths.expanded(name, "real.metadata")
        places = [self._root / path, self._base / path]
        return next((place for place in places if place.is_file()), places[0])


def _by_folder(path: str) -> dict[str, str]:
    """What a path alone says."""
    folders = PurePosixPath(path).parts[:-1]
    return {"file_name": path, "label": folders[-1] if folders else "", "folder": folders[0] if folders else ""}

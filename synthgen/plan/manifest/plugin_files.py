"""The plug-in files of a manifest, ``plugins:``, read where they lie, or as a run or dataset keeps them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgen.core import trust, yaml_documents
from synthgen.core.plugins import PluginFile, text_sha256
from synthgen.errors import Fault, InputError, ManifestError
from synthgen.plan.manifest.schema import Plugins
from synthgen.plan.manifest.settings import Extensions

FOLDER = "plugin_files"  # no entry can have this name


@dataclass(frozen=True)
class KeptPlugins:
    """What a run or a packed dataset says of the plug-in files that it was made with.

    Attributes:
        folder: Where a run keeps them; ``None`` for a dataset, which keeps no code.
        sha256: What each had, by kind and name.
    """

    folder: Path | None = None
    sha256: Mapping[tuple[str, str], str] = field(default_factory=dict)

    @classmethod
    def read(cls, rows: object, folder: Path | None = None) -> "KeptPlugins":
        """From the table that a run or a dataset has of them.

        Raises:
            InputError: It is none.
        """
        try:
            found: Any = rows
            return cls(folder, {(str(one["kind"]), str(one["name"])): str(one["sha256"]) for one in found})
        except (TypeError, KeyError) as error:
            raise InputError(f"not a table of plug-ins: {error}") from None


def table(files: Iterable[PluginFile]) -> list[dict[str, str]]:
    """What a run or a dataset says of the plug-in files that it was made with."""
    return [{"kind": one.kind, "name": one.name, "file": one.file, "sha256": one.sha256} for one in files]


def place(file: PluginFile) -> Path:
    """Where a run keeps a plug-in file, within its folder."""
    return Path(FOLDER) / file.kind / f"{file.name}.py"


def find(
    written: object, base: Path, extensions: Extensions, kept: KeptPlugins | None
) -> tuple[tuple[PluginFile, ...], list[Fault]]:
    """The plug-in files that a manifest names, and what is wrong with them.

    Args:
        written: What stands under ``plugins``.
        base: The folder that its paths start from.
        extensions: The plug-ins there are beside these.
        kept: Where the manifest is one that a run or a dataset keeps; its files are imported only once they are used.
    """
    files, faults = list[PluginFile](), list[Fault]()
    folders = {folder.kinds: folder for folder in extensions.folders}
    for kind, name, file in _named(written):
        found = _read(kind, name, file, base, faults) if kept is None else _kept(kind, name, file, base, kept)
        clash = folders[kind].clash(found) if found else None
        if clash:
            faults.append(clash)
        elif found:
            files.append(found)
    if kept is None:
        trust.remember({one.sha256: one.path for one in files if one.text})
        for one in files:
            try:
                folders[one.kind].with_files([one]).module(one.name)
            except InputError as error:
                faults += error.faults
    return tuple(files), faults


def trust_scorers(scorers: Iterable[Any], base: Path) -> None:
    """Remember the files of scorers that a manifest names under ``curate``."""
    found = dict[str, Path]()
    for one in scorers:
        path = _located(base, getattr(one, "file", None) or "")
        try:
            if path is not None and (text := yaml_documents.read_text(path)):
                found[text_sha256(text)] = path
        except ManifestError:  # its scorer says so
            continue
    trust.remember(found)


def _located(base: Path, file: str) -> Path | None:
    """Where a path that stands in a manifest leads; ``None`` where it can be no path."""
    try:
        return (base / Path(file).expanduser()).resolve() if file else None
    except (OSError, RuntimeError, ValueError):  # nobody's home, or a character that no path has
        return None


def _named(written: object) -> Iterator[tuple[str, str, str]]:
    """The kind, name and file of each, as far as they are sound."""
    sound = yaml_documents.sound(Plugins, written)
    for kind, files in sound.items():
        for name, file in files.items():
            yield kind, name, file


def _read(kind: str, name: str, file: str, base: Path, faults: list[Fault]) -> PluginFile | None:
    path = _located(base, file)
    if path is None:
        faults.append(Fault.at(f"plugins.{kind}.{name}", f"`{file[:80]}` can be no file", "not_found"))
        return None
    try:
        return PluginFile(kind, name, file, path, yaml_documents.read_text(path))
    except ManifestError as error:
        faults += [Fault.at(f"plugins.{kind}.{name}", fault, fault.kind) for fault in error.faults]
        return None


def _kept(kind: str, name: str, file: str, base: Path, kept: KeptPlugins) -> PluginFile:
    """The file of the sha256 that was written down: the run's own copy, or where it was, or was last seen."""
    expected = kept.sha256.get((kind, name), "")
    original = _located(base, file) or base
    places = [original]
    if kept.folder is not None:
        places.insert(0, kept.folder / kind / f"{name}.py")
    if expected and (seen := trust.last_seen(expected)):
        places.append(seen)
    for path in places:
        try:
            text = yaml_documents.read_text(path)
        except ManifestError:
            continue
        if not expected or text_sha256(text) == expected:
            return PluginFile(kind, name, file, path, text)
    return PluginFile(kind, name, file, original, "", expected)

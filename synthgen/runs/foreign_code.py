"""The Python files that a run or a packed dataset asks to run: listed without running, or even planning, anything."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import trust, yaml_documents
from synthgen.core.plugins import singular, text_sha256
from synthgen.errors import ManifestError
from synthgen.plan.manifest import plugin_files
from synthgen.runs import dataset_folder, run_file


@dataclass(frozen=True, slots=True)
class ForeignCode:
    """One Python file that a manifest names.

    Attributes:
        what: The kind of plug-in and its name.
        path: Where it lies.
        sha256: Of its text, in hex; empty where it is not there.
        trusted: Whether the user has named it once, or trusts every plug-in now.
    """

    what: str
    path: Path
    sha256: str
    trusted: bool


def asked(root: Path) -> Iterator[ForeignCode]:
    """Every Python file that a run or a packed dataset asks to run.

    Raises:
        InputError: Its own file can't be read.
    """
    if run_file.is_run(root):
        document = run_file.read(root)
        text, base, copies = str(document.get("manifest", "")), Path(str(document.get("base", ""))), root
    else:
        text, base, copies = yaml_documents.read_text(root / dataset_folder.MANIFEST), root, None
    try:
        manifest = yaml_documents.parse(text, dataset_folder.MANIFEST, kept=True)
    except ManifestError:  # whoever plans it says so
        return
    for kind, files in _mapping(manifest.get("plugins")).items():
        for name, file in _mapping(files).items():
            kept = copies / plugin_files.FOLDER / str(kind) / f"{name}.py" if copies else None
            yield _code(f"{singular(str(kind))} `{name}`", kept if kept and kept.is_file() else base / str(file))
    for name, settings in _mapping(_mapping(manifest.get("curate")).get("scorers")).items():
        if file := _mapping(settings).get("file"):
            yield _code(f"scorer `{name}`", base / str(file))


def _code(what: str, path: Path) -> ForeignCode:
    try:
        sha256 = text_sha256(yaml_documents.read_text(path))
    except (ManifestError, ValueError):  # not there, or a character that no path has
        sha256 = ""
    return ForeignCode(what, path, sha256, bool(sha256) and trust.trusts(sha256))


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}

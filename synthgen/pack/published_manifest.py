"""The manifest as a dataset has it: it stands on its own, and says nothing of whose images it starts from, or where."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from synthgen.core import yaml_documents
from synthgen.errors import ManifestError
from synthgen.plan.model_names import ABSOLUTE
from synthgen.runs import dataset_folder as layout

_DRAWN = "phantom"  # the source whose images are of nobody
_WITHHELD = layout.WITHHELD
# An absolute path, or one out of the manifest's own folder.
_ELSEWHERE = re.compile(rf"{ABSOLUTE.pattern}|(?:.*[\\/])?\.\.(?:[\\/]|$)")
_WORDS = frozenset(("name", "labels", "publish"))  # that name no place
# What describes the data and names no place: columns and values, Hub ids, and addresses of what everyone can fetch.
_DESCRIBING = frozenset(
    (
        "source",
        "columns",
        "labels",
        "skin_tones",
        "splits",
        "license",
        "dataset",
        "name",
        "revision",
        "hub_split",
        "fetch",
    )
)
_HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_PLAIN = frozenset({"yes", "no", "true", "false", "on", "off", "1", "0"})  # answers, which name nobody


def published(text: str, *, private: bool, renamed: bool) -> str:
    """A manifest's text with its prompts in the dataset's folder; the same content wherever nothing is withheld.

    Args:
        text: The manifest.
        private: Whether paths of real images and the values that rows were chosen by are withheld.
        renamed: Whether names of real images are; so are comments then, in which they may stand, and places within the
            manifest's own folder.
    """
    document = yaml_documents.parse(text, layout.MANIFEST, kept=True) | {"prompts": layout.PROMPTS}
    if isinstance(real := document.get("real"), dict) and "exclude" in real:  # names who is not in the dataset
        document["real"] = {name: value for name, value in real.items() if name != "exclude"}
        renamed = renamed or private
        return _written(_without_persons(document, renamed=renamed) if private else document)
    if private and (kept := _without_persons(document, renamed=renamed)) != document:
        return _written(kept)
    return _written(document) if renamed else _repointed(text, document)


def _repointed(text: str, document: Mapping[str, Any]) -> str:
    line = f"prompts: {layout.PROMPTS}"
    new, found = re.subn(r"(?m)^prompts:.*$", line, text, count=1)
    new = new if found else f"{text.rstrip()}\n{line}\n"
    try:
        if yaml_documents.parse(new, layout.MANIFEST, kept=True) == document:
            return new
    except ManifestError:  # written in a way that a line can't replace: keep the content, lose the comments
        pass
    return _written(document)


def _written(document: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True))


def _without_persons(document: Mapping[str, Any], *, renamed: bool) -> dict[str, Any]:
    real = _photographs(document)
    if real is None:  # drawn skin, or none: a model or a plug-in may lie in somebody's home all the same
        return {name: value if name in _WORDS else _without_homes(value) for name, value in document.items()}
    from_hub = real.get("source") == "hub" and _HUB_ID.fullmatch(str(real.get("path")))
    described = _DESCRIBING | ({"path"} if from_hub else frozenset())
    kept = {name: without_paths(value, every=renamed and name not in described) for name, value in real.items()}
    if isinstance(real.get("where"), dict):
        kept["where"] = {column: _answers(values) for column, values in real["where"].items()}
    return {name: kept if name == "real" else without_paths(value) for name, value in document.items()}


def _without_homes(value: Any) -> Any:
    """A value without texts that are absolute paths."""
    match value:
        case str():
            return _WITHHELD if ABSOLUTE.match(value) else value
        case list():
            return [_without_homes(one) for one in value]
        case dict():
            return {name: _without_homes(one) for name, one in value.items()}
    return value


def has_persons(text: str) -> bool:
    """Whether a manifest names real images that may be of somebody."""
    return _photographs(yaml_documents.parse(text, layout.MANIFEST, kept=True)) is not None


def _photographs(document: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a manifest says of real images; nothing of drawn ones."""
    real = document.get("real")
    return real if isinstance(real, dict) and real.get("source") != _DRAWN else None


def _answers(values: Any) -> Any:
    plain = isinstance(values, list) and all(str(value).lower() in _PLAIN for value in values)
    return values if plain else [_WITHHELD]


def without_paths(value: Any, *, every: bool = False) -> Any:
    """A value without texts that are paths elsewhere, or, of ``every``, without any text but an address of the web."""
    match value:
        case str():
            hidden = _ELSEWHERE.match(value) or (every and not value.startswith(("https://", "http://")))
            return _WITHHELD if hidden else value
        case list():
            return [without_paths(one, every=every) for one in value]
        case dict():
            return {name: without_paths(one, every=every) for name, one in value.items()}
    return value

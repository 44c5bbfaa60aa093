"""Names of files made of a row's values: a column, or a pattern over columns such as ``images/{md5hash}.jpg``.

``{file_name.stem}`` is what a column's path is called without its folder and its extension.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, ManifestError
from synthgen.real.sources import known, text

_FIELD = re.compile(r"\{([^{}]+)\}")
_STEM = ".stem"
_IMAGES = ("file_name", "image")


def images(asked: str | list[str] | None, columns: Sequence[str]) -> list[str]:
    """The columns or patterns of a row's images: those asked for, or else the conventional one.

    Raises:
        ManifestError: There is no such column.
    """
    if asked is None:
        found = [name for name in _IMAGES if name in columns][:1]
        if not found:
            said = f"say which column names the image; {near('image', columns)}"
            raise ManifestError(Fault.at("real.columns.image", said, "missing"))
        return found
    names = [asked] if isinstance(asked, str) else asked
    check("image", names, columns)
    return names


def check(key: str, names: Sequence[str], columns: Sequence[str]) -> None:
    """Refuse columns that are not there, one line each.

    Raises:
        ManifestError: There is no such column.
    """
    faults = [
        f"real.columns.{key}: no column `{name}`; {near(name, columns)}"
        for pattern in names
        for name in (_FIELD.findall(pattern) or [pattern])
        if name not in columns and name.removesuffix(_STEM) not in columns
    ]
    if faults:
        raise ManifestError(*faults)


def filled(names: Sequence[str], values: Mapping[str, Any]) -> Iterator[tuple[str, bool]]:
    """The names that a row's values give, and whether a ``*`` in each stands for anything; empty ones are skipped."""
    for name in names:
        fields = _FIELD.findall(name)
        texts = {field: _cell(field, values) for field in fields or [name]}
        if not all(texts.values()):
            continue
        if fields:
            yield _FIELD.sub(lambda found, texts=texts: texts[found[1]], name), "*" in name  # type: ignore[misc]
        else:
            yield texts[name], False


def _cell(field: str, values: Mapping[str, Any]) -> str:
    if field in values or not field.endswith(_STEM):
        return known(values.get(field))
    return PurePosixPath(text(values.get(field.removesuffix(_STEM)))).stem

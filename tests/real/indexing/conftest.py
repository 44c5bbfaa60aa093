"""A reader of rows that are given, instead of a dataset."""

from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthgen.errors import DamagedError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import Index
from synthgen.real import indexing, sources
from synthgen.real.sources import SourceRow

WISH: dict[str, Any] = {
    "labels": {"melanoma": "melanoma", "nevus": "melanocytic nevus"},
    "scale": "fitzpatrick",
    "tones": [1, 2, 3],
    "seed": 7,
    "base": Path(),
}


class Given:
    """Holds rows, and contents by location."""

    name = "given"

    def __init__(self, rows: list[SourceRow], contents: dict[str, bytes]) -> None:
        self._rows, self._contents = rows, contents
        self.columns = list(dict.fromkeys(name for row in rows for name in row.values))

    def rows(self) -> Iterator[SourceRow]:
        """The rows."""
        return iter(self._rows)

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Nothing moves."""
        return {}

    def read(self, location: str) -> bytes:
        """The content, unless it was taken away."""
        if location not in self._contents:
            raise DamagedError(f"no file {location}")
        return self._contents[location]


@pytest.fixture
def given_rows(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Index given rows: scanned, or with a root built; ``methods`` are the reader's own in place of those above."""

    def index(
        rows: list[SourceRow], settings: dict[str, Any] | None = None, root: Path | None = None, **more: Any
    ) -> Index:
        contents, progress = more.pop("contents", {}), more.pop("progress", None)
        reader = Given(rows, contents)
        vars(reader).update(more.pop("methods", {}))
        module = SimpleNamespace(open_source=lambda *_, **__: reader)
        monkeypatch.setattr(sources, "source", lambda _: module)
        parsed = SourceSettings.model_validate(settings or {})
        if root is None:
            return indexing.scan("given", parsed, **(WISH | more))
        return indexing.build("given", parsed, **(WISH | more), root=root, progress=progress)

    return index

"""What the tests of curating share: runs of small patterns, and scores that are known."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.curate.image_table import ImageTable
from synthgen.plan import Plan
from synthgen.plan.manifest import Curation
from synthgen.runs import verdicts


def chance(key: str) -> dict[str, Any]:
    """A score that follows from the key alone."""
    return {"chance": zlib.crc32(key.encode()) % 1000 / 1000}


@pytest.fixture(scope="session")
def chance_of() -> Callable[[str], float]:
    """The score that ``write_scores`` gives a key."""
    return lambda key: float(chance(key)["chance"])


@pytest.fixture(scope="session")
def images_of() -> Callable[..., ImageTable]:
    """So many images of each cell, their keys numbered."""

    def make(counts: Mapping[tuple[str, str, int], int]) -> ImageTable:
        import pyarrow

        cell = np.repeat(np.arange(len(counts)), list(counts.values()))
        keys = pyarrow.array([f"k-{number:04d}" for number in range(len(cell))], pyarrow.string())
        return ImageTable("run", tuple(counts), keys, cell)

    return make


@pytest.fixture(scope="session")
def curation_of(make_plan: Callable[..., Plan]) -> Callable[..., Curation]:
    """A checked block over the fake scorer."""

    def make(**block: Any) -> Curation:
        found = make_plan(curate={"scorers": {"fake": {}}} | block).manifest.curation
        assert found is not None
        return found

    return make


@pytest.fixture(scope="session")
def write_scores() -> Callable[..., None]:
    """Writes the scores of the fake scorer for some keys, or of one's own function."""

    def write(root: Path, keys: Sequence[str], of: Callable[[str], Mapping[str, Any]] = chance) -> None:
        import pyarrow
        import pyarrow.parquet

        path = verdicts.scores_path(root, "fake")
        path.parent.mkdir(exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"key": key, **of(key)} for key in keys]), path)

    return write

"""Stored images are listed by their records, of a run that lacks some as well where that is allowed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import IncompleteError
from synthgen.runs import stored_images


@pytest.fixture(scope="module")
def half(make_plan: Callable[..., Any], make_images: Callable[..., Any], tmp_path_factory: Any) -> Path:
    """A run of which two work shards of five are made."""
    root: Path = tmp_path_factory.mktemp("half") / "work"
    make_images(make_plan(), root, shards=(0, 2))
    return root


def test_what_a_partial_run_has_is_listed(half: Path, doors: Any) -> None:
    """Ten images of the two shards that there are, each with its place."""
    found = list(stored_images.listed(half, doors, partial=True))
    assert len({record.key for record, _ in found}) == 10
    assert all(place.shard.is_file() and place.size > 0 for _, place in found)


def test_a_run_that_lacks_shards_is_refused_otherwise(half: Path, doors: Any) -> None:
    """The line says how many are missing and what to run."""
    with pytest.raises(IncompleteError, match=r"3 of 5 work shards are missing .*synthgen generate"):
        list(stored_images.listed(half, doors))

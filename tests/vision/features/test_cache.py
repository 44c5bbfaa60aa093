"""Features are computed once an image, and a cache that is cut, foreign or shared does no harm."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.errors import InputError
from synthgen.vision.features import Backbone, cache, extract


def backbone(digest: str = "mean-1", value: float = 0.0) -> Backbone:
    """Two numbers an image, for tests."""

    def compute(pixels: Any) -> Any:
        means = pixels.astype(np.float32).mean((1, 2))[:, :2]
        return means + np.float32(value)

    return Backbone("mean", digest, 2, 8, "A mean.", compute)


def items(count: int, asked: list[int]) -> list[tuple[str, Callable[[], Any]]]:
    """Images of their number's grey, which note that they were read."""

    def reader(number: int) -> Callable[[], Any]:
        def read() -> Any:
            asked.append(number)
            return np.full((8, 8, 3), number, np.uint8)

        return read

    return [(hashlib.sha256(bytes([number])).hexdigest(), reader(number)) for number in range(count)]


def test_an_image_is_computed_once(tmp_path: Path) -> None:
    """What was extracted before, or occurs twice, is not read again."""
    asked: list[int] = []
    all_items = items(5, asked)
    extract(all_items[:3], backbone(), tmp_path)
    found = extract([*all_items, *all_items], backbone(), tmp_path)
    assert asked == [0, 1, 2, 3, 4]
    assert found[:, 0].tolist() == [0, 1, 2, 3, 4] * 2


def test_another_backbone_has_a_cache_of_its_own(tmp_path: Path) -> None:
    """Another digest finds nothing of the first."""
    extract(items(1, []), backbone(), tmp_path)
    assert extract(items(1, []), backbone("mean-2", 7.0), tmp_path)[0, 0] == 7


def test_a_kill_costs_one_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts that were written before a failure stay."""
    monkeypatch.setattr(cache, "PART", 2)
    asked: list[int] = []
    good = items(4, asked)

    def fail() -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract([*good[:3], (good[3][0], fail)], backbone(), tmp_path)
    extract(good, backbone(), tmp_path)
    assert asked == [0, 1, 2, 2, 3]


@pytest.mark.parametrize("damage", [b"", b"not a zip", b"PK\x03\x04"])
def test_a_damaged_part_is_computed_again(tmp_path: Path, damage: bytes) -> None:
    """A part that is cut or foreign is written anew, and the numbers are the same."""
    first = extract(items(3, []), backbone(), tmp_path)
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(damage)
    asked: list[int] = []
    assert np.array_equal(extract(items(3, asked), backbone(), tmp_path), first)
    assert np.array_equal(extract(items(3, asked), backbone(), tmp_path), first)
    assert asked == [0, 1, 2]


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    """A part that holds Python objects is not read but computed again."""
    extract(items(1, []), backbone(), tmp_path)
    (path,) = tmp_path.rglob("*.npz")
    np.savez(path, sha256=np.array([object()]), features=np.array([object()]))
    asked: list[int] = []
    extract(items(1, asked), backbone(), tmp_path)
    assert asked == [0]


def test_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with what is cached and ends with everything."""
    monkeypatch.setattr(cache, "PART", 2)
    told: list[tuple[int, int]] = []
    extract(items(3, []), backbone(), tmp_path, lambda done, total: told.append((done, total)))
    assert told == [(0, 3), (2, 3), (3, 3)]


def test_nothing_is_extracted_of_nothing(tmp_path: Path) -> None:
    """No items give an empty array of the right width."""
    assert extract([], backbone(), tmp_path).shape == (0, 2)


def test_features_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    """They never reach the cache."""
    with pytest.raises(InputError, match=hashlib.sha256(bytes([0])).hexdigest()):
        extract(items(1, []), backbone(value=float("nan")), tmp_path)
    assert not list(tmp_path.rglob("*.npz"))


def test_what_is_no_sha256_is_refused(tmp_path: Path) -> None:
    """A path in its place is refused before anything is read."""
    with pytest.raises(InputError, match=r"\.\./\.\./x"):
        extract([("../../x", lambda: np.zeros((8, 8, 3), np.uint8))], backbone(), tmp_path)

"""A training's predictions are kept whole or not at all, and trusted only while they are whole."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from synthgen.evaluate.train.results_store import ResultsStore
from synthgen.vision.classifiers import FitResult

SHAPES = {"validation": (3, 2), "test": (4, 2)}


def learned() -> FitResult:
    """Predictions in memory that is not in order, as classifiers hand them over."""
    rng = np.random.default_rng(0)
    validation, test = (rng.random((2, rows)).astype(np.float32).T for rows, _ in SHAPES.values())
    return FitResult(validation, test, 20, 0.3)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Every number comes back as it was."""
    results = ResultsStore(tmp_path, SHAPES)
    results.write("ab12", learned())
    found = results.read("ab12")
    assert found is not None
    assert (found.optimizer_steps, found.chosen) == (20, 0.3)
    assert np.array_equal(found.test, learned().test)
    assert np.array_equal(found.validation, learned().validation)


def test_the_same_predictions_are_the_same_bytes(tmp_path: Path) -> None:
    """A training that is done again leaves the file as it was."""
    results = ResultsStore(tmp_path, SHAPES)
    results.write("ab12", learned())
    before = results.path("ab12").read_bytes()
    results.write("ab12", learned())
    assert results.path("ab12").read_bytes() == before


@pytest.mark.parametrize(
    "change", [lambda text: text[:-3], lambda text: text[:-1] + bytes([text[-1] ^ 1]), lambda _: b""]
)
def test_a_file_that_is_not_whole_does_not_count(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    """One that is cut, changed or empty is as good as none."""
    results = ResultsStore(tmp_path, SHAPES)
    results.write("ab12", learned())
    path = results.path("ab12")
    path.write_bytes(change(path.read_bytes()))
    assert results.read("ab12") is None


def test_predictions_of_another_shape_do_not_count(tmp_path: Path) -> None:
    """Those for other test images are not these."""
    ResultsStore(tmp_path, SHAPES).write("ab12", learned())
    assert ResultsStore(tmp_path, SHAPES | {"test": (5, 2)}).read("ab12") is None
    assert ResultsStore(tmp_path, SHAPES).read("cd34") is None

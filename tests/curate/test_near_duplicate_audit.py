"""The near-duplicate audit counts, among accepted images, those that come as close to a real one as a copy."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.curate import near_duplicate_audit, rules
from synthgen.curate.image_table import ImageTable
from synthgen.curate.rules import Verdicts
from synthgen.plan import real_index
from synthgen.plan.manifest import Curation
from synthgen.plan.real_index import Index, Source
from synthgen.vision import near_duplicates


@pytest.fixture
def judged(images_of: Callable[..., ImageTable], curation_of: Callable[..., Curation]) -> Verdicts:
    """Four images, the last of which is rejected."""
    scores = {"fake.chance": np.array([0.0, 0.0, 0.0, 1.0])}
    return rules.judge(curation_of(keep=["fake.chance < 0.5"]), images_of({("a", "b", 1): 4}), scores)


def similarities(training: list[float], held_out: list[float]) -> dict[str, Any]:
    found = zip(sorted(near_duplicate_audit.COLUMNS, reverse=True), (training, held_out), strict=True)
    return {name: np.array(values) for name, values in found}


def index(root: Path, splits: list[str]) -> None:
    made = (Source(f"s{number}", "b", 1, "g", split, "", "p", "") for number, split in enumerate(splits))
    Index(tuple(made)).write(root / real_index.FILE)


def test_what_is_accepted_is_counted(judged: Verdicts, tmp_path: Path) -> None:
    """Rejected images count in the comparison alone; training and held-out images are told apart."""
    index(tmp_path, ["train", "validation", "test"])
    copy = near_duplicates.THRESHOLD + 0.01
    audit = near_duplicate_audit.audit(tmp_path, judged, similarities([copy, 0.1, 0.2, 0.99], [0.3, 0.1, 0.1, 0.1]))
    assert audit is not None
    numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", audit.found)]
    compared, real, accepted, near_training, near_held_out = 4, 3, 3, 1, 0
    expected = [compared, real, accepted, near_training, near_duplicates.THRESHOLD, near_held_out, copy]
    assert numbers == pytest.approx(expected, abs=0.001)


def test_a_chance_is_counted_in_place_of_a_similarity(judged: Verdicts, tmp_path: Path) -> None:
    """Where both scorers measured, that of chance is audited: low ones are copies."""
    index(tmp_path, ["train", "validation", "test"])
    few = {"copy.train_chance": np.array([1e-5, 0.002, 0.9, 1e-9]), "copy.test_chance": np.array([0.3, 0.4, 1e-4, 1])}
    audit = near_duplicate_audit.audit(tmp_path, judged, similarities([0.99] * 4, [0.99] * 4) | few)
    assert audit is not None
    assert "2 a training image and 1 a held-out image" in audit.found
    assert near_duplicate_audit.columns(["near_copy", "copy"]) == set(few)
    assert near_duplicate_audit.columns(["near_copy"]) == near_duplicate_audit.COLUMNS
    assert near_duplicate_audit.columns(["quality"]) == frozenset()


def test_without_real_images_there_is_no_audit(judged: Verdicts, tmp_path: Path) -> None:
    """Nothing to compare with, or nothing measured, is no result."""
    assert near_duplicate_audit.audit(tmp_path, judged, similarities([0.0] * 4, [0.0] * 4)) is None
    index(tmp_path, ["train"])
    assert near_duplicate_audit.audit(tmp_path, judged, {}) is None

"""A dataset made from real images says what its near-copy audit found, or that none was done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from calls import TOKEN

from synthgen import study
from synthgen.extensions import EXTENSIONS
from synthgen.publish.preflight import Preflight
from synthgen.runs import dataset_folder, load_plan

REAL = {"source": "phantom", "count": 24, "seed": 3}


@pytest.fixture
def packed(write_manifest: Callable[..., Path], make_images: Callable[..., Any], tmp_path: Path) -> Callable[..., Path]:
    """Makes, curates and packs images that start from phantoms, with these scorers."""

    def make(**scorers: Any) -> Path:
        manifest = write_manifest(
            real=REAL,
            generate=[{"strategy": "fake", "per_source": 1, "settings": {"height": 32, "width": 32}}],
            curate={"scorers": scorers},
            publish={"license": "openrail"},
        )
        plan = load_plan.read(manifest, EXTENSIONS, tmp_path / "run")
        make_images(plan, tmp_path / "run")
        list(study.curate(tmp_path / "run"))
        list(study.pack(tmp_path / "run", tmp_path / "dataset"))
        return tmp_path / "dataset"

    return make


def faults(dataset: Path) -> list[str]:
    """What stands in the way of publishing it."""
    preflight = Preflight(dataset, TOKEN)
    list(preflight.check())
    return preflight.faults


def test_an_audit_that_curation_made_is_found(packed: Callable[..., Path]) -> None:
    """The scorer's comparison stands in provenance and card, and publish asks for nothing more."""
    dataset = packed(near_copy={"others": False})
    said = dataset_folder.read_provenance(dataset)["near_copy_audit"]
    assert "was compared with 12 real images by scorer near_copy" in said
    assert f"Near-copy audit: {said}." in (dataset / dataset_folder.CARD).read_text().replace(
        "near\\_copy", "near_copy"
    )
    assert faults(dataset) == []


def test_without_an_audit_the_card_says_so(packed: Callable[..., Path]) -> None:
    """Other scorers compare nothing with the real images, so card and provenance say that no audit was done."""
    dataset = packed(quality={})
    assert dataset_folder.read_provenance(dataset)["near_copy_audit"] == "not done"
    assert "Near-copy audit: not done." in (dataset / dataset_folder.CARD).read_text()
    assert faults(dataset) == []

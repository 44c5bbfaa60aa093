"""A gallery of a run that was judged shows what is rejected, why, and lets one filter by it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen import preview, study
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import verdicts
from synthgen.runs.folders import open_folder


@pytest.fixture(scope="module")
def judged(
    make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run of 24 images of which some are rejected; nobody changes it."""
    root = tmp_path_factory.mktemp("judged") / "run"
    plan = make_plan(curate={"scorers": {"fake": {}}, "keep": ["fake.chance < 0.5"]})
    make_images(plan, root)
    list(study.curate(root))
    return root


def pictures(page: Path) -> list[dict[str, Any]]:
    block = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    assert block
    found: list[dict[str, Any]] = json.loads(block[1])["pictures"]
    return found


def test_each_picture_says_what_became_of_it(judged: Path, tmp_path: Path, extensions: Extensions) -> None:
    """Rejected ones carry their reason, accepted ones an empty one, and the page can be filtered by it."""
    out = tmp_path / "page.html"
    preview.show(open_folder(judged, extensions), out)
    accepted = sum(kept for _, kept in verdicts.read_accepted(judged))
    reasons = [picture["rejected"] for picture in pictures(out)]
    assert reasons.count("") == accepted
    assert reasons.count("fails fake.chance < 0.5") == 24 - accepted > 0
    assert '<select id="verdict"' in out.read_text()
    assert f"{accepted} of 24 judged images" in out.read_text()


def test_a_run_that_was_not_judged_has_no_such_filter(
    make_plan: Callable[..., Plan], make_images: Callable[..., Any], tmp_path: Path, extensions: Extensions
) -> None:
    """Where nothing was judged, no picture is called accepted."""
    make_images(make_plan(), tmp_path / "run")
    preview.show(open_folder(tmp_path / "run", extensions), tmp_path / "page.html")
    assert {picture["rejected"] for picture in pictures(tmp_path / "page.html")} == {None}
    assert '<select id="verdict"' not in (tmp_path / "page.html").read_text()


def test_a_picture_says_nothing_that_does_not_apply(judged: Path, tmp_path: Path, extensions: Extensions) -> None:
    """What was made without a model names none, and has neither steps nor a strength; seed and prompt stay."""
    page = tmp_path / "page.html"
    preview.show(open_folder(judged, extensions), page)
    block = re.search(r'<script id="data" type="application/json">(.*?)</script>', page.read_text(), re.DOTALL)
    assert block
    fields = set(json.loads(block[1])["fields"])
    assert fields.isdisjoint({"model", "model_revision", "num_inference_steps", "guidance_scale", "strength"})
    assert fields >= {"key", "seed", "prompt", "attributes", "source_id"}
    assert "phantom" not in page.read_text()

"""What the tests of comparing share: real images, runs of patterns that are held against them, and their comparison."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.plan import Plan
from synthgen.runs.folders import Run
from synthgen.vision.features import user_cache

PROBE = {"members": 1, "optimizer_steps": 10}
CURATE = {"scorers": {"quality": {}, "agreement": PROBE}, "keep": ["quality.sharpness > 0"]}


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A ``real:`` block: of each of two labels 12 grainy images to train, 4 to validate and 12 to test on."""
    folder = tmp_path_factory.mktemp("real")
    lines, rng = ["file_name,label,skin_tone,split"], np.random.default_rng(0)
    for label in ("psoriasis", "healthy"):
        for number in range(28):
            grain = rng.normal(150, 30, (16, 16, 3)) - 40 * (label == "psoriasis")
            Image.fromarray(grain.clip(0, 255).astype(np.uint8)).save(folder / f"{label}-{number}.png")
            split = "train" if number < 12 else "validation" if number < 16 else "test"
            lines.append(f"{label}-{number}.png,{label},{(1, 3, 6)[number % 3]},{split}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return {"source": "folder", "path": str(folder), "columns": {"split": "split"}}


@pytest.fixture(scope="session")
def make_run(make_plan: Callable[..., Plan], make_images: Callable[..., Any], extensions: Any) -> Callable[..., Run]:
    """Makes a run of 24 patterns, or of what a manifest's keys say otherwise; ``settings`` are those of the entry."""

    def make(root: Path, *, settings: dict[str, Any] | None = None, per_cell: int = 4, **changes: Any) -> Run:
        entry = {"name": "text", "strategy": "fake", "per_cell": per_cell}
        entry["settings"] = {"height": 32, "width": 32} | (settings or {})
        make_images(make_plan(**{"generate": [entry]} | changes), root)
        return Run(root, extensions)

    return make


@pytest.fixture(scope="session")
def runs(
    make_run: Callable[..., Run], real: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Run, Run]:
    """Three generators of the same 24 images: two that draw alike, and one smaller, flat at the first attempt once."""
    root = tmp_path_factory.mktemp("runs")
    both = {"real": real, "curate": CURATE}
    return (
        make_run(root / "first" / "work", **both),
        make_run(root / "alike" / "work", settings={"seconds": 0.001}, **both),
        make_run(root / "small" / "work", settings={"height": 16, "width": 16, "flat": [2]}, **both),
    )


@pytest.fixture
def _one_cache(runs: tuple[Run, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Describe each image once, whichever test asks for it."""
    monkeypatch.setattr(user_cache, "folder", lambda: runs[0].root.parent.parent / "features")

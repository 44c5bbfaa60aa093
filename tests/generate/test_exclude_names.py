"""Which real images ``real.exclude`` takes out: under other names, by rows, and where the metadata can't be reached."""

import csv
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthgen.extensions import EXTENSIONS
from synthgen.plan import Plan
from synthgen.runs import load_plan
from synthgen.vision.images import codec

SIZE = {"height": 16, "width": 16}
ENTRIES = [{"name": "over", "strategy": "fake", "per_source": 1, "settings": SIZE}]
COLUMNS = ("file_name", "label", "fitzpatrick", "patient")
Rows = Sequence[Mapping[str, str]]
PlanOf = Callable[..., Plan]


def row(file: str, patient: str, **more: str) -> dict[str, str]:
    """A row of the metadata."""
    return dict(zip(COLUMNS, (file, "psoriasis", "3", patient), strict=True)) | more


def write_rows(folder: Path, rows: Rows) -> None:
    """Write the metadata of a folder of photographs."""
    with (folder / "metadata.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


@pytest.fixture
def photographs(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of photographs with its metadata; files with the same shade have the same bytes."""

    def make(rows: Rows, shades: Mapping[str, int]) -> Path:
        folder = tmp_path / "photographs"
        folder.mkdir()
        for name, shade in shades.items():
            pixels = np.full((16, 16, 3), shade, np.uint8)
            (folder / name).write_bytes(codec.encode(pixels, codec.Encoding("png")))
        write_rows(folder, rows)
        return folder

    return make


@pytest.fixture
def plan_of(write_manifest: Callable[..., Path], tmp_path: Path) -> PlanOf:
    """Plans a study of these photographs, some of them excluded, in a folder or dry."""

    def plan(exclude: Mapping[str, Any] | None, root: str | None = "run", **columns: str) -> Plan:
        real: dict[str, Any] = {"source": "folder", "path": "photographs", "splits": {"train": 1}}
        real |= {"columns": {"group": "patient"} | columns} | ({"exclude": exclude} if exclude else {})
        path = write_manifest(generate=ENTRIES, real=real)
        return load_plan.read(path, EXTENSIONS, tmp_path / root if root else None)

    return plan


def usable(plan: Plan) -> set[str]:
    """The real images that a plan starts from."""
    assert plan.index is not None
    return {one.id for one in plan.index.usable("train")}


@pytest.mark.parametrize("exclude", [{"ids": ["b.png"]}, {"groups": ["P2"]}, {"where": {"consent": ["no"]}}], ids=str)
def test_the_same_bytes_go_under_every_name(
    exclude: dict[str, Any], photographs: Callable[..., Path], plan_of: PlanOf
) -> None:
    """Of two files with the same bytes one is used: it is out too when the other's patient withdraws."""
    rows = [row("a.png", "P1"), row("b.png", "P2"), row("c.png", "P3")]
    told = [one | {"consent": "no" if one["patient"] == "P2" else "yes"} for one in rows]
    photographs(told, {"a.png": 50, "b.png": 50, "c.png": 90})
    assert usable(plan_of(None)) == {"a", "c"}
    planned = plan_of(exclude)
    assert usable(planned) == {"c"}
    assert planned.index is not None
    assert set(planned.index.excluded) == {"a", "b"}
    assert planned.index.excluded["a"].endswith(" (same file as b)")


@pytest.mark.parametrize("root", ["run", None], ids=["run", "dry run"])
def test_every_row_of_one_file_goes(root: str | None, photographs: Callable[..., Path], plan_of: PlanOf) -> None:
    """A file that two rows name is out when either is, also before it was opened."""
    rows = [row("a.png", "P1", consent="yes"), row("a.png", "P2", consent="no"), row("c.png", "P3", consent="yes")]
    photographs(rows, {"a.png": 50, "c.png": 90})
    assert usable(plan_of({"where": {"consent": ["no"]}}, root)) == {"c"}
    assert usable(plan_of({"groups": ["P2"]}, root)) == {"c"}

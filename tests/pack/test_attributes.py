"""What is known of the photographs that images start from is in a dataset's records, and in a table of its card."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from synthgen.extensions import EXTENSIONS
from synthgen.pack.card.values import attribute_rows
from synthgen.plan.real_index import Index
from synthgen.runs import load_plan

ROWS = [
    ("a", 1, "woman", "scaly plaques"),
    ("b", 6, "man", "red plaques"),
    ("c", 6, "man", ""),
    ("d", 1, "", "plaques"),
]


def test_attributes_are_counted_by_skin_tone(
    write_manifest: Callable[..., Path], make_images: Callable[..., Any], pack: Any, rows: Any, tmp_path: Path
) -> None:
    """Each image's record has its photograph's; of what is not known the card says so; captions are prompts."""
    folder = tmp_path / "photographs"
    folder.mkdir()
    with (folder / "metadata.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("file_name", "label", "fitzpatrick", "sex", "text")])
        for number, (name, tone, sex, text) in enumerate(ROWS):
            Image.fromarray(np.full((32, 32, 3), 40 * number + 20, np.uint8)).save(folder / f"{name}.png")
            csv.writer(file).writerow((f"{name}.png", "psoriasis", tone, sex, text))
    (tmp_path / "prompts.yaml").write_text("templates: ['{caption}', '{label}']\n")
    columns = {"caption": "text", "attributes": ["sex"]}
    real = {"source": "folder", "path": "photographs", "metadata": "metadata.csv", "columns": columns}
    path = write_manifest(
        prompts="prompts.yaml",
        labels={"psoriasis": "psoriasis"},
        real=real | {"splits": {"train": 1.0}},
        generate=[{"name": "inside", "strategy": "fake", "per_source": 3, "settings": {"height": 32, "width": 32}}],
    )
    root = tmp_path / "run"
    make_images(load_plan.read(path, EXTENSIONS, root), root)
    dataset = pack(root)
    found = {(json.loads(one["attributes"]).get("sex", ""), one["skin_tone"]) for one in rows(dataset)}
    assert found == {("woman", "I"), ("man", "VI"), ("", "I")}
    assert {one["prompt"] for one in rows(dataset)} <= {"scaly plaques", "red plaques", "plaques", "psoriasis"}
    card = (dataset / "README.md").read_text()
    table = card[card.index("| attribute | value |") :].split("\n\n")[0].splitlines()
    counted = {cells[2]: cells[-2] for line in table[2:] if (cells := [cell.strip() for cell in line.split("|")])}
    assert counted == {"woman": "3", "man": "6", "-": "3"}
    assert {one.caption for one in Index.read(dataset / "sources.parquet").sources} == {text for *_, text in ROWS}


def test_of_many_values_the_rarest_are_counted_together() -> None:
    """An age in days would name single people in a row each."""
    known = {("age", str(days), "I"): 2 if days < 30 else 1 for days in range(400)} | {("sex", "woman", "VI"): 3}
    table = attribute_rows(known, ["I", "VI"])
    ages = [row for row in table if row["name"] == "age"]
    assert len(ages) == 50
    assert {str(days) for days in range(30)} <= {row["value"] for row in ages}
    assert ages[-1] == {"name": "age", "value": "351 other values", "counts": [351, 0], "total": 351}
    assert sum(row["total"] for row in ages) == 430
    assert table[-1] == {"name": "sex", "value": "woman", "counts": [0, 3], "total": 3}

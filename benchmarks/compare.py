"""Sets the bundled model beside its few-step adapter in four steps and in two, and writes docs/compare.md.

A manifest a generator, ``benchmarks/compare.yaml`` with what makes its images put in place; each is generated and
judged, and then ``synthgen.compare`` does what ``synthgen compare`` does. Run with ``python benchmarks/compare.py``;
what is there already in ``--runs`` is gone on with.
"""

import argparse
import copy
import shutil
from pathlib import Path
from typing import Any

import yaml

import synthgen
from synthgen.compare import SHEET, TEXT, summary_lines

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs/compare.md"
PICTURE = PAGE.with_name("compare_sheet.png")
BEGIN, END = "<!-- measured: made by `python benchmarks/compare.py` -->", "<!-- /measured -->"
GENERATORS: dict[str, dict[str, Any]] = {
    "phantom": {},
    "four-steps": {"accelerate": "phantom-lcm"},
    "two-steps": {"accelerate": "phantom-lcm", "settings": {"num_inference_steps": 2}},
}


def manifest(document: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The manifest of a generator: what its entry says otherwise put in place, its settings one by one."""
    found = copy.deepcopy(document)
    [entry] = found["generate"]
    settings = entry["settings"] | change.get("settings", {})
    entry |= change | {"settings": settings}
    return found


def measured(text: str) -> str:
    """What a comparison says, its headings one deeper, without how to read it and the rows of the sheet."""
    body = text.partition("\n\n")[2].partition("\n## What the sheet shows")[0]
    return (
        body.replace("\n## ", "\n### ").replace("## In short", "### In short", 1).replace(SHEET, PICTURE.name).strip()
    )


def main() -> None:
    """Make the runs, compare them, and write the page."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--runs", type=Path, default=Path("runs/compare"), help="the folder of the runs")
    options.add_argument("--price", type=float, default=0.1, help="what an hour of this machine costs")
    options.add_argument("--rows", type=int, default=12, help="rows of the sheet")
    options.add_argument("--workers", type=int, default=1, help="processes that make images")
    arguments = options.parse_args()
    document = yaml.safe_load((HERE / "compare.yaml").read_text(encoding="utf-8"))
    folders = [arguments.runs / name / "work" for name in GENERATORS]
    for folder, change in zip(folders, GENERATORS.values(), strict=True):
        asked = manifest(document, change)
        synthgen.generate(asked, folder, workers=arguments.workers).result()
        synthgen.curate(folder).result()
    out = arguments.runs / "comparison"
    found = synthgen.compare(folders, out, price=arguments.price, rows=arguments.rows)
    shutil.copyfile(out / SHEET, PICTURE)
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    lines = measured((out / TEXT).read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}\n{lines}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print("\n".join(summary_lines(found.league, found.pairs)))


if __name__ == "__main__":
    main()

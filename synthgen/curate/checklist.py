"""What a vision-language model answered of a run, in a few lines: how often as is hoped for, and what that took."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from synthgen.core import table_file
from synthgen.runs import verdicts

_NAME = "vlm"


def lines(root: Path) -> Iterator[str]:
    """A line on the cost, and one a question; none where no such model was asked.

    Raises:
        DamagedError: The scores can't be read.
    """
    path = verdicts.scores_path(root, _NAME)
    if not path.is_file():
        return
    with table_file.reading(path, advice="remove it and run `synthgen curate`"):
        found, said = table_file.read(path)
        questions: dict[str, Any] = json.loads(said["synthgen"])["settings"]["questions"]
        table = found.select(["label", "calls", "prompt_tokens", "completion_tokens", *questions]).to_pydict()
    images = len(table["label"])
    read, written, calls = (int(sum(table[name])) for name in ("prompt_tokens", "completion_tokens", "calls"))
    yield f"{_NAME}: {images:,} images, {calls:,} calls, {read:,} tokens read and {written:,} written"
    for name, question in questions.items():
        yield f"{_NAME}.{name}: {_counted(table[name])}"
        if question["agrees_with"]:
            for label in dict.fromkeys(table["label"]):
                of_label = [value for value, one in zip(table[name], table["label"], strict=True) if one == label]
                yield f"  {label}: {_counted(of_label)}"


def _counted(values: list[float]) -> str:
    """How many of some answers are as is hoped for, and how many were none."""
    none = sum(value != value for value in values)  # noqa: PLR0124 - NaN is not itself
    said = f"{sum(value == 1 for value in values):,} of {len(values):,} as is hoped for"
    return f"{said}, {none:,} without an answer" if none else said

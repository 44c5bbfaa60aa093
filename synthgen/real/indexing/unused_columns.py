"""Finds what the data say in columns that a manifest names for nothing: splits of their own, and labels."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from synthgen.plan.manifest.settings import SourceSettings
from synthgen.plan.real_index import SPLITS
from synthgen.real.indexing import cell_values
from synthgen.real.sources import text

_SPLIT_COLUMNS = ("hub_split", "split", "folder", "subset", "fold", "partition")


class UnusedColumns:
    """Looks at rows, and says what of them is not used.

    Args:
        columns: The data's columns.
        settings: The settings that say which are used.
        labels: The manifest's labels and their words.
    """

    def __init__(self, columns: Sequence[str], settings: SourceSettings, labels: Mapping[str, str]) -> None:
        asked = settings.columns
        self._splits = {name: Counter[str]() for name in _SPLIT_COLUMNS if name in columns and not asked.split}
        self._labels = {name: 0 for name in columns if not asked.label and name != "label"}
        self._words = {word.casefold() for item in labels.items() for word in item} | set(settings.labels)

    def look(self, values: Mapping[str, Any], *, is_image: bool) -> None:
        """Take note of a row."""
        if not is_image:
            return
        for name, found in self._splits.items():
            found[cell_values.split(values.get(name)) or text(values.get(name))] += 1
        for name in self._labels:
            said = text(values.get(name))
            self._labels[name] += said.casefold() in self._words or said in self._words

    def notes(self, *, has_images: bool) -> tuple[str, ...]:
        """What is not used, a line each.

        Args:
            has_images: Whether any row has a label of the manifest; columns that could be the labels are named where
                none has.
        """
        said = []
        for name, found in self._splits.items():
            there = {split: found[split] for split in SPLITS if found[split]}
            if len(there) > 1 and sum(there.values()) == found.total():
                counted = ", ".join(f"{split} {count:,}" for split, count in there.items())
                said.append(
                    f"the data have splits of their own in the column `{name}` ({counted}), which are not used: images "
                    f"of the data's test split may be trained on; `real: {{columns: {{split: {name}}}}}` uses them"
                )
                break
        best = max(self._labels, key=self._labels.__getitem__, default="")
        if not has_images and best and self._labels[best]:
            said.append(
                f"the column `{best}` holds labels of the manifest ({self._labels[best]:,} rows); "
                f"`real: {{columns: {{label: {best}}}}}` uses them"
            )
        return tuple(said)

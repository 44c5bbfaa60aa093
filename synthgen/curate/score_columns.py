"""The scores of a run's images, read as columns: one number an image, in the order of the image table."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthgen.core import table_file
from synthgen.curate.image_table import ImageTable
from synthgen.errors import IncompleteError, InputError
from synthgen.runs import verdicts


def read(root: Path, images: ImageTable, columns: Iterable[str]) -> dict[str, NDArray[np.float64]]:
    """The columns asked for by ``scorer.column``: float64, shape (N,), NaN where a score is not known.

    Raises:
        IncompleteError: An image has no score yet.
        InputError: A column does not hold numbers.
        DamagedError: A file of scores can't be read.
    """
    wanted: dict[str, list[str]] = {}
    for column in sorted(columns):
        scorer, _, name = column.partition(".")
        wanted.setdefault(scorer, []).append(name)
    found = {}
    for scorer, names in wanted.items():
        table = _table(root, scorer, names)
        rows = _rows(root, scorer, table["key"], images)
        for name in names:
            found[f"{scorer}.{name}"] = _numbers(f"{scorer}.{name}", table[name])[rows]
    return found


def _table(root: Path, scorer: str, names: list[str]) -> Any:
    path = verdicts.scores_path(root, scorer)
    if not path.exists():
        raise IncompleteError(f"{path}: no scores here yet; run `synthgen curate {root}`")
    with table_file.reading(path, advice="move it away, and run `synthgen curate` again"):
        return table_file.read(path, ["key", *names])[0]


def _rows(root: Path, scorer: str, keys: Any, images: ImageTable) -> NDArray[np.int64]:
    """Where each image's row is."""
    import pyarrow.compute

    found = pyarrow.compute.index_in(images.keys, value_set=keys.cast(images.keys.type).combine_chunks())
    if found.null_count:
        first = images.keys.filter(found.is_null())[0].as_py()
        raise IncompleteError(
            f"{verdicts.scores_path(root, scorer)}: {found.null_count:,} of {len(images.keys):,} images have no score "
            f"there yet (`{first}` is one); run `synthgen curate {root}`"
        )
    rows: NDArray[np.int64] = found.to_numpy().astype(np.int64)
    return rows


def _numbers(column: str, values: Any) -> NDArray[np.float64]:
    import pyarrow

    kind = values.type
    if not (pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind) or pyarrow.types.is_boolean(kind)):
        raise InputError(f"curate: column `{column}` holds {kind}, no numbers; no rule can compare it")
    numbers: NDArray[np.float64] = values.cast(pyarrow.float64()).to_numpy().astype(np.float64)
    return numbers

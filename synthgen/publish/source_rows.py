"""Says what of the real images' own rows everyone would see in a dataset that is published."""

from pathlib import Path
from typing import Any

from synthgen.errors import DamagedError
from synthgen.plan.source_names import is_pseudonym
from synthgen.runs import dataset_folder as layout

_NAMES = ("id", "group")


def seen(root: Path) -> str:
    """One line on the table of real images: how many there are, and the columns that say something of them.

    Empty where a dataset has no such table.

    Raises:
        DamagedError: It can't be read.
    """
    import pyarrow
    from pyarrow import parquet

    path = root / layout.SOURCES
    if not path.is_file():
        return ""
    try:
        table = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError) as error:
        raise DamagedError(f"{path}: can't be read ({error}); run `synthgen verify`") from None
    values = {name: table[name].to_pylist() for name in table.column_names}
    shown = [name for name, found in values.items() if any(found)]
    renamed = layout.read_provenance(root).get("identifiers") == "pseudonym"
    said = ", ".join(f"{name}{_renamed(name, values[name]) if renamed else ''}" for name in shown)
    empty = ", ".join(name for name in values if name not in shown)
    return f"seen of {table.num_rows:,} real images: {said or 'nothing'}" + (f"; not seen: {empty}" if empty else "")


def _renamed(name: str, values: list[Any]) -> str:
    """What a column of names holds, with the first of them; nothing of another column."""
    found = [value for value in values if is_pseudonym(str(value))]
    if name not in _NAMES or not found:
        return ""
    return f" (pseudonyms, `{found[0]}`)" if len(found) == len(values) else " (pseudonyms, and running numbers)"

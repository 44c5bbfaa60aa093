"""Tables of our own on disk."""

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from synthgen.core import table_file
from synthgen.errors import DamagedError

TABLE = pa.table({"key": ["a", "b"], "score": [0.5, float("nan")]})


@pytest.mark.parametrize("compression", ["zstd", "snappy"])
def test_a_table_is_written_as_pyarrow_writes_it(compression: str, tmp_path: Path) -> None:
    """The bytes are those of Arrow's own writer, with the metadata alone in the schema."""
    path, golden = tmp_path / "own.parquet", tmp_path / "golden.parquet"
    table_file.write(path, TABLE.replace_schema_metadata({"old": "x"}), {"said": "é"}, compression=compression)
    parquet.write_table(TABLE.replace_schema_metadata({"said": "é"}), golden, compression=compression)
    assert path.read_bytes() == golden.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["golden.parquet", "own.parquet"]


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Columns and metadata come back, and a folder's name is never taken for a column."""
    path = tmp_path / "label=3" / "own.parquet"
    path.parent.mkdir()
    table_file.write(path, TABLE, {"said": "é", "format": "1"})
    table, metadata = table_file.read(path)
    assert (table.column_names, metadata) == (["key", "score"], {"said": "é", "format": "1"})
    assert table["key"].to_pylist() == ["a", "b"]
    assert table_file.read(path, ["score"])[0].column_names == ["score"]


@pytest.mark.parametrize("content", [b"", b"PAR1", b"no table\nat all", b"PAR1" + bytes(1000) + b"PAR1"])
def test_what_is_no_table_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    """The error names the file, gives a reason and says what to do."""
    path = tmp_path / "own.parquet"
    path.write_bytes(content)
    with pytest.raises(DamagedError) as caught, table_file.reading(path, "no scores", "remove it"):
        table_file.read(path)
    (said,) = caught.value.faults
    assert said.startswith(f"{path}: no scores (")
    assert said.endswith("); remove it")
    assert "\n" not in said


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    """A missing column is named, not left out."""
    path = tmp_path / "own.parquet"
    table_file.write(path, TABLE, {})
    with pytest.raises(DamagedError, match="tone"), table_file.reading(path):
        table_file.read(path, ["key", "tone"])


def test_a_file_that_is_gone_is_refused_in_one_line(tmp_path: Path) -> None:
    """A file that is not there is said to be none."""
    with pytest.raises(DamagedError, match="gone"), table_file.reading(tmp_path / "gone.parquet"):
        table_file.read(tmp_path / "gone.parquet")

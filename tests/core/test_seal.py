"""A sealed file tells of every bit that has changed, and a list of checksums of every file."""

import json
from pathlib import Path

import pyarrow
import pytest

from synthgen.core import checksums, seal, table_file
from synthgen.errors import DamagedError

DOCUMENT = {"format": 1, "name": "study", "quoted": f"seal-sha256:{'a' * 64}", "deep": [{"a": 1}]}


def test_a_document_reads_back_without_its_seal() -> None:
    """One that quotes another's seal too; equal documents give equal bytes."""
    content = seal.dumps(DOCUMENT)
    assert seal.loads(content) == DOCUMENT
    assert not seal.has_changed(content)
    assert seal.dumps(DOCUMENT) == content


def test_every_bit_counts() -> None:
    """Whichever is flipped, those of the seal's own name and digits included."""
    content = seal.dumps({"name": "a"})
    for bit in range(8 * len(content)):
        other = bytearray(content)
        other[bit // 8] ^= 1 << bit % 8
        try:
            json.loads(bytes(other))
        except ValueError:
            continue
        assert seal.has_changed(bytes(other)), f"bit {bit}"


@pytest.mark.parametrize("name", [seal.KEY, seal.MARK, "name"])
def test_a_field_that_is_taken_out_counts(name: str) -> None:
    """The seal's own as well: each of the two says that there is to be the other."""
    document = json.loads(seal.dumps(DOCUMENT))
    del document[name]
    assert seal.has_changed(json.dumps(document, indent=1).encode())


def test_a_document_of_an_earlier_version_has_no_seal() -> None:
    """Nothing tells whether it has changed."""
    content = json.dumps(DOCUMENT | {"quoted": ""}).encode()
    assert seal.loads(content) == DOCUMENT | {"quoted": ""}
    assert not seal.has_changed(content)


@pytest.mark.parametrize("content", [b"[]", b"1", b"{", b"\xff"])
def test_what_is_no_object_is_refused(content: bytes) -> None:
    """A list, a number, half an object, and bytes."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it is that json says
        seal.loads(content)


def test_a_sealed_table_tells_of_every_byte(tmp_path: Path) -> None:
    """One that can't be read is damaged, and so is one that could be."""
    path = tmp_path / "a.parquet"
    table_file.write(path, pyarrow.table({"a": [1.0, 2.0, 3.0]}), {"synthgen": "facts"}, sealed=True)
    content = path.read_bytes()
    assert table_file.read(path)[1] == {"synthgen": "facts"}
    for place in range(len(content)):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(DamagedError), table_file.reading(path):
            table_file.read(path)


def test_a_list_of_checksums_tells_which_file_is_another(tmp_path: Path) -> None:
    """In the form of `sha256sum`; a file that is not listed is not looked at."""
    for name in ("a.csv", "b.png", "c.txt"):
        (tmp_path / name).write_text(name)
    checksums.write(tmp_path, ["b.png", "a.csv", "not-there"])
    assert [line.split("  ")[1] for line in (tmp_path / checksums.FILE).read_text().splitlines()] == ["a.csv", "b.png"]
    (tmp_path / "b.png").write_text("other")
    assert list(checksums.differing(tmp_path)) == [("a.csv", True), ("b.png", False)]
    checksums.check(tmp_path / "a.csv", "do so")
    checksums.check(tmp_path / "c.txt", "do so")
    with pytest.raises(DamagedError, match="do so"):
        checksums.check(tmp_path / "b.png", "do so")
    checksums.clear(tmp_path)
    assert list(checksums.differing(tmp_path)) == []


@pytest.mark.parametrize("content", [b"x\n", b"\xff\n", b"0" * 64 + b" a.csv\n"])
def test_what_is_no_list_of_checksums_is_damage(content: bytes, tmp_path: Path) -> None:
    """A word, bytes, and a line with one blank."""
    (tmp_path / checksums.FILE).write_bytes(content)
    with pytest.raises(DamagedError, match="not a list of checksums"):
        checksums.read(tmp_path)


def test_a_list_that_names_files_elsewhere_reads_none(tmp_path: Path) -> None:
    """They are others, whatever they hold."""
    (tmp_path / "run").mkdir()
    (tmp_path / "me").write_text("me")
    checksums.write(tmp_path / "run", ["../me"])
    assert list(checksums.differing(tmp_path / "run")) == [("../me", False)]


def test_a_name_that_a_seal_has_elsewhere_asks_for_none() -> None:
    """What was written without a seal is not taken for changed, whatever its own names are."""
    assert not seal.has_changed(b'{"entries": {"seal": {}, "sealed": 1}}')

"""Tars are the same bytes for the same samples, and reading one notices whatever is wrong with it."""

import io
import tarfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from webdataset.tariterators import group_by_keys, tar_file_iterator

from synthgen.errors import DamagedError
from synthgen.runs import tar_samples

Samples = list[tuple[str, dict[str, bytes]]]

_keys = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6}){0,3}", fullmatch=True) | st.text("ab", min_size=90, max_size=200)
_files = st.fixed_dictionaries(
    {"jpg": st.binary(max_size=1500) | st.just(bytes(2048)), "json": st.binary(max_size=80), "cls": st.just(b"3")}
)
samples_of_any_kind = st.lists(st.tuples(_keys, _files), max_size=6, unique_by=lambda one: one[0])

FEW: Samples = [(f"k-{n}", {"jpg": bytes([n + 1]) * 700, "json": b"{}", "cls": b"1"}) for n in range(3)]
HEADERS = [512 * n for n in (0, 2, 5, 7, 9, 12, 14, 16, 19)]


def tar_of(samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> bytes:
    """The bytes of a tar."""
    file = io.BytesIO()
    list(tar_samples.write(file, samples))
    return file.getvalue()


def put(folder: Path, content: bytes) -> Path:
    """A file with these bytes."""
    path = folder / "00000.tar"
    path.write_bytes(content)
    return path


def damaged(path: Path) -> bool:
    """Whether reading a tar says that it is damaged."""
    try:
        list(tar_samples.read(path))
    except DamagedError:
        return True
    return False


def plain_tar(*members: tuple[str, bytes], kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar as another program might write it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.type, info.size = kind, len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


@given(samples_of_any_kind)
def test_read_gives_what_was_written(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> None:
    """Keys, files and order come back as they were, and offsets are those that writing gave."""
    file = io.BytesIO()
    offsets = list(tar_samples.write(file, samples))
    found = list(tar_samples.read(put(tmp_path_factory.getbasetemp(), file.getvalue())))
    assert [(one.key, dict(one.files)) for one in found] == samples
    assert [one.offset for one in found] == offsets


@given(samples_of_any_kind)
def test_headers_alone_agree_with_contents(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> None:
    """The headers alone say the same keys, offsets and sizes."""
    path = put(tmp_path_factory.getbasetemp(), tar_of(samples))
    headers = [(one.key, one.offset, one.size, one.files) for one in tar_samples.read(path, only=())]
    assert headers == [(one.key, one.offset, one.size, {}) for one in tar_samples.read(path)]


@given(samples_of_any_kind)
def test_read_gives_only_what_is_wanted(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> None:
    """Of the other members the headers alone are read."""
    path = put(tmp_path_factory.getbasetemp(), tar_of(samples))
    found = [(one.key, one.files) for one in tar_samples.read(path, only={"json"})]
    assert found == [(key, {name: files[name] for name in files if name == "json"}) for key, files in samples]


@given(samples_of_any_kind)
def test_raw_blocks_make_the_same_tar(tmp_path_factory: pytest.TempPathFactory, samples: Samples) -> None:
    """A sample's blocks unpack to its files, and all blocks in a row, finished, are the tar again."""
    content = tar_of(samples)
    file = io.BytesIO()
    path = put(tmp_path_factory.getbasetemp(), content)
    for one, (_, files) in zip(tar_samples.read(path, only=()), samples, strict=True):
        blocks = content[one.offset : one.offset + one.size]
        assert tar_samples.unpack(blocks) == files
        file.write(blocks)
    tar_samples.finish(file)
    assert file.getvalue() == content


@pytest.mark.parametrize("length", [95, 96, 97, 200, 300])
def test_long_keys_are_read_and_unpacked(length: int, tmp_path: Path) -> None:
    """A name that does not fit into one header is read whole, and its raw blocks unpack as any."""
    samples = [("k" * length, {"cls": b"1", "json": b"{}"}), ("short", {"cls": b"2", "json": b"{}"})]
    content = tar_of(samples)
    found = list(tar_samples.read(put(tmp_path, content)))
    assert [(one.key, one.files) for one in found] == samples
    assert [tar_samples.unpack(content[one.offset :][: one.size]) for one in found] == [files for _, files in samples]


def test_the_same_samples_are_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the clock nor the user nor the order of a sample's files is in a tar."""
    first = tar_of(FEW)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    monkeypatch.setenv("USER", "another")
    turned = [(key, dict(reversed(files.items()))) for key, files in FEW]
    assert tar_of(turned) == first


def test_members_have_no_time_and_a_fixed_owner(tmp_path: Path) -> None:
    """Each member has time 0, the owner `synthgen` and a mode that can be read."""
    with tarfile.open(put(tmp_path, tar_of(FEW))) as tar:
        found = {(one.mtime, one.uname, one.gname, one.uid, one.gid, one.mode) for one in tar}
    assert found == {(0, "synthgen", "synthgen", 0, 0, 0o444)}


@pytest.mark.parametrize(("first", "stop"), [(0, 11776), (11776, 20480)], ids=["samples", "padding"])
def test_a_tar_cut_at_any_block_is_damaged(tmp_path: Path, first: int, stop: int) -> None:
    """A tar that lacks as little as its last block, be it of padding, is not taken for whole."""
    content = tar_of(FEW)
    assert len(content) == 20480
    whole = [size for size in range(first, stop, 512) if not damaged(put(tmp_path, content[:size]))]
    assert whole == []


@pytest.mark.parametrize("size", [1, 511, 700, 11263, 20479])
def test_a_tar_cut_within_a_block_is_damaged(tmp_path: Path, size: int) -> None:
    """A tar whose size is no multiple of a block is damaged."""
    with pytest.raises(DamagedError, match="cut short"):
        list(tar_samples.read(put(tmp_path, tar_of(FEW)[:size])))


@pytest.mark.parametrize("cut", [512, 1024, 1536, 3072])
def test_a_tar_cut_within_zeros_is_damaged(tmp_path: Path, cut: int) -> None:
    """Zeros in an image are not taken for the end of the tar."""
    content = tar_of([("k", {"cls": b"1", "jpg": bytes(4096)})])
    with pytest.raises(DamagedError):
        list(tar_samples.read(put(tmp_path, content[: 1536 + cut])))


@pytest.mark.parametrize("header", HEADERS)
def test_a_flipped_bit_in_a_header_is_damage(tmp_path: Path, header: int) -> None:
    """A header whose checksum does not fit damages the tar; no sample is silently lost."""
    content = tar_of(FEW)
    assert content[header + 257 : header + 262] == b"ustar"
    for place in (0, 5, 100, 124, 148, 156, 257, 500):
        spoilt = bytearray(content)
        spoilt[header + place] ^= 1
        path = put(tmp_path, bytes(spoilt))
        assert damaged(path), f"byte {place} of the header"


@pytest.mark.parametrize("header", HEADERS)
def test_a_header_of_zeros_is_damage(tmp_path: Path, header: int) -> None:
    """A block of zeros where a header was does not end the tar early."""
    content = bytearray(tar_of(FEW))
    content[header : header + 512] = bytes(512)
    path = put(tmp_path, bytes(content))
    assert damaged(path)


@pytest.mark.parametrize("header", HEADERS[3::3])
def test_headers_alone_notice_a_damaged_header_too(tmp_path: Path, header: int) -> None:
    """Reading headers alone loses no sample silently either."""
    content = bytearray(tar_of(FEW))
    content[header + 3] ^= 1
    with pytest.raises(DamagedError):
        list(tar_samples.read(put(tmp_path, bytes(content)), only=()))


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (plain_tar(("a.jpg", b"1"), ("b.jpg", b"2"), ("a.cls", b"3")), "key a occurs in two places"),
        (plain_tar(("a.jpg", b"1"), ("a.jpg", b"2")), "unexpected member a.jpg"),
        (plain_tar(("a", b"1")), "unexpected member a"),
        (plain_tar(("a.jpg", b""), kind=tarfile.DIRTYPE), "is not a file"),
        (b"garbage " * 64 + bytes(1024), "not a whole tar"),
        (b"", "cut short"),
        (bytes(512), "cut short"),
    ],
    ids=["split-key", "twice", "no-extension", "folder", "garbage", "empty", "one-block"],
)
def test_members_out_of_place_are_damage(tmp_path: Path, content: bytes, fault: str) -> None:
    """A key in two places, a member twice, a folder or no tar at all is damage, with the file's name."""
    with pytest.raises(DamagedError, match=fault) as caught:
        list(tar_samples.read(put(tmp_path, content)))
    assert str(tmp_path) in str(caught.value)


def test_an_empty_tar_has_no_samples(tmp_path: Path) -> None:
    """A shard of which every sample failed is a whole tar without samples."""
    path = put(tmp_path, tar_of([]))
    assert list(tar_samples.read(path)) == list(tar_samples.read(path, only=())) == []


def test_webdataset_reads_it(tmp_path: Path) -> None:
    """WebDataset's own loader gives the same samples in the same order."""
    with put(tmp_path, tar_of(FEW)).open("rb") as stream:
        loaded = list(group_by_keys(member | {"__url__": "a.tar"} for member in tar_file_iterator(stream)))
    assert [(one["__key__"], {name: one[name] for name in ("jpg", "json", "cls")}) for one in loaded] == FEW


def test_tarfile_reads_it(tmp_path: Path) -> None:
    """Python's tarfile, as any tar program, lists the members sorted within each sample."""
    with tarfile.open(put(tmp_path, tar_of(FEW))) as tar:
        assert tar.getnames() == [f"k-{n}.{ending}" for n in range(3) for ending in ("cls", "jpg", "json")]

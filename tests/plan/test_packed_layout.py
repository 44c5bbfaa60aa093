"""`pack.format: auto` is tars as long as the Hub's viewer shows all of them."""

import pytest

from synthgen.plan import packed_layout

LIMIT = packed_layout.SHOWN_OF_TARS


@pytest.mark.parametrize(
    ("asked", "size", "found"),
    [
        ("auto", LIMIT, "webdataset"),
        ("auto", LIMIT + 1, "parquet"),
        ("webdataset", LIMIT + 1, "webdataset"),
        ("parquet", 1, "parquet"),
        ("imagefolder", LIMIT + 1, "imagefolder"),
    ],
)
def test_only_auto_chooses(asked: str, size: int, found: str) -> None:
    """What was asked for by name stays, whatever its size."""
    assert packed_layout.chosen(asked, size) == found


@pytest.mark.parametrize(
    ("asked", "size", "words"),
    [
        ("auto", 1, "format auto: webdataset"),
        ("auto", LIMIT + 1, "format auto: parquet"),
        ("webdataset", LIMIT + 1, "format: auto"),
        ("webdataset", LIMIT, ""),
        ("parquet", LIMIT + 1, ""),
    ],
)
def test_it_is_said_where_the_viewer_would_show_a_part(asked: str, size: int, words: str) -> None:
    """What `auto` has chosen, and that tars are cut off where somebody asked for them; nothing else."""
    said = packed_layout.said(asked, size)
    assert words in said
    assert bool(said) == bool(words)

"""Blocks are written as a page that runs nothing and asks nothing of a network."""

import base64

from synthgen.core import report
from synthgen.core.report import Figure, Heading, Paragraph, Table

EVIL = "<script>alert(1)</script>"


def test_every_text_is_escaped() -> None:
    """Whatever a title, a sentence, a cell or a caption says, it shows as itself."""
    table = Table(EVIL, (EVIL, "n"), [(EVIL, "1")])
    page = report.html(EVIL, [Heading(EVIL), Paragraph(EVIL), table, Figure("a.svg", EVIL, EVIL, b"")], EVIL)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 8


def test_a_picture_is_in_the_page_as_what_it_is() -> None:
    """A PNG is not told to be an SVG."""
    assert Figure("a.png", "", "", b"png").uri == f"data:image/png;base64,{base64.b64encode(b'png').decode()}"
    assert Figure("a.svg", "", "", b"").uri.startswith("data:image/svg+xml")


def test_the_page_names_its_command_and_allows_its_own_style_alone() -> None:
    """The policy forbids all that is not named in it."""
    page = report.html("title", [], "synthgen curate --report")
    assert '<meta name="generator" content="synthgen curate --report">' in page
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in page

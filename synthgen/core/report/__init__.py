"""What a report is made of, and how it is written as Markdown and as a page that needs no network."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from synthgen.core.report import page
from synthgen.core.report.markdown import escape


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows; an anchor is made from it."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences as plain text; ``strong`` where a reader must not miss them, ``lead`` where all else explains them."""

    text: str
    strong: bool = False
    lead: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of plain text below a header; the first ``names`` columns hold words, the others numbers."""

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    names: int = 1


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture: its file below the report, SVG or PNG, its caption, a text in its place, and its content."""

    file: str
    caption: str
    alt: str
    content: bytes

    @property
    def uri(self) -> str:
        """The picture itself as a ``data:`` URI."""
        kind = "png" if self.file.endswith(".png") else "svg+xml"
        return f"data:image/{kind};base64,{base64.b64encode(self.content).decode()}"


Block = Heading | Paragraph | Table | Figure


def markdown(title: str, blocks: Sequence[Block]) -> str:
    """A report as Markdown; its pictures are files beside it."""
    return "\n\n".join([f"# {escape(title)}", *map(_markdown, blocks)]) + "\n"


def html(title: str, blocks: Sequence[Block], generator: str) -> str:
    """A report as one page that holds its pictures: no script runs in it, and no style but its own (CSP level 2).

    Args:
        title: Its title.
        blocks: What it says.
        generator: The command that writes it, which the page names.
    """
    kinds = [(type(block).__name__, block) for block in blocks]
    return page.render("synthgen.core.report", "page.html.j2", title=title, blocks=kinds, generator=generator)


def _markdown(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {escape(text)}"
        case Paragraph(text, strong, lead):
            return f"**{escape(text)}**" if strong or lead else escape(text)
        case Figure(file, caption, alt):
            return f"![{escape(alt)}]({file})\n\n*{escape(caption)}*"
        case Table():
            return "\n".join(_table(block))


def _table(table: Table) -> Iterator[str]:
    if table.caption:
        yield f"{escape(table.caption)}\n"
    yield _row(table.header)
    yield _row(["---"] * table.names + ["---:"] * (len(table.header) - table.names))
    for row in table.rows:
        yield _row([escape(cell) for cell in row])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

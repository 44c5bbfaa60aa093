"""Tables of delimited text, whose every row is there or refused with its line.

The standard library's ``csv``, strict, and not pandas: neither says in which line a quotation mark was left open, and
both shift or drop the cells of rows that are longer than the header.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any

_LONGEST_CELL = 16 * 1024 * 1024
_MARKS = "\t;,"
_SHOWN = 3


def parse(content: str) -> tuple[tuple[str, ...], tuple[dict[str, Any], ...]]:
    """The columns and rows of a text whose first line is its header.

    Of the header the first tab, semicolon or comma is what separates, or else ``|``; a line ``sep=;`` before it, which
    spreadsheets write, says so itself.

    Raises:
        ValueError: A quotation mark is left open or stands within a cell, a row has more cells than the header, or a
            column is there twice; with the line.
    """
    csv.field_size_limit(_LONGEST_CELL)
    first, _, rest = content.partition("\n")
    begins, delimiter = 1, ""
    if first.strip().strip('"').lower().startswith("sep=") and len(first.strip().strip('"')) == len("sep=?"):
        content, begins, delimiter = rest, 2, first.strip().strip('"')[-1]
    header = content.partition("\n")[0]
    marks = [mark for mark in _MARKS if mark in header] or [mark for mark in "|" if mark in header]
    delimiter = delimiter or min(marks, key=header.index, default=",")
    rows = _rows(content, delimiter, begins)
    columns = tuple(name.strip() for name in next(rows, (0, 0, []))[2])
    if not columns:
        raise ValueError("no header in the first line")
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise ValueError(f"line {begins}: the header has column `{twice[0]}` twice; rename one")
    return columns, tuple(_checked(columns, list(rows), delimiter))


def _rows(content: str, delimiter: str, begins: int) -> Iterator[tuple[int, int, list[str]]]:
    """First and last line, and the cells, of every row."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=delimiter, strict=True)
    while True:
        line = reader.line_num + begins
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            open_quote = "expected after" in str(error) or "unexpected end" in str(error)
            said = 'a quotation mark (") that none closes, or text after one' if open_quote else str(error)
            last = reader.line_num + begins - 1
            where = f"line {line}" if last <= line else f"lines {line} to {last}"
            raise ValueError(
                f'{where}: {said}; write a mark within a cell twice, and quote the cell: "5"" wide"'
            ) from None
        yield line, reader.line_num + begins - 1, row


def _checked(
    columns: tuple[str, ...], rows: list[tuple[int, int, list[str]]], delimiter: str
) -> Iterator[dict[str, Any]]:
    width = len(columns)
    long = [(line, len(row)) for line, _, row in rows if any(cell.strip() for cell in row[width:])]
    if long:
        lines = ", ".join(str(line) for line, _ in long[:_SHOWN]) + ("" if len(long) <= _SHOWN else " ...")
        raise ValueError(
            f"line {lines}: {long[0][1]} cells under {width} columns in the header ({len(long):,} such rows); put "
            f"cells that hold `{delimiter}` in quotes, and nothing before the header"
        )
    broken = [(line, last) for line, last, row in rows if last > line and len(row) < width]
    if broken:
        raise ValueError(
            f"lines {broken[0][0]} to {broken[0][1]}: a cell in quotes runs over lines, and the row is then too short; "
            "close its quotation mark"
        )
    for _, _, row in rows:
        if row:
            yield dict(zip(columns, [*row[:width], *[""] * (width - len(row))], strict=True))

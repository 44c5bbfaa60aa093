"""What is printed of strangers' data steers no terminal."""

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table

from synthgen import cli
from synthgen.cli import _terminal


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("psoriasis", "psoriasis"),
        ("Psoriasis größe 皮膚\u00a0x\n\ty", "Psoriasis größe 皮膚\u00a0x\n\ty"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x08\x9b31m", "a\\rb\\x08\\x9b31m"),
        ("gpj.\u202egnp.exe\u2028", "gpj.\\u202egnp.exe\\u2028"),
        ("\udcff.png", "\\udcff.png"),
    ],
)
def test_what_steers_a_terminal_is_written_out(text: str, shown: str) -> None:
    """Letters of any script stay, and so do lines and columns."""
    assert _terminal.plain(text) == shown
    record = logging.LogRecord("synthgen", logging.WARNING, "", 0, "%s", (text,), None)
    assert _terminal.PlainFormatter("%(message)s").format(record) == shown


def test_a_table_and_a_line_of_rich_s_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    """Cells and titles as well, without the markup of whoever wrote them."""
    table = Table(title="a\x1b[2J")
    table.add_column("label\x9b2J")
    table.add_row("\u202ereversed")
    _terminal.show(table, "[red]a line\x1b[31m", piped_width=80)
    said = capsys.readouterr().out
    assert all(one in said for one in ("a\\x1b[2J", "label\\x9b2J", "\\u202ereversed", "[red]a line\\x1b[31m"))
    assert not {"\x1b", "\x9b", "\u202e"} & set(said)


def test_all_that_a_command_prints_goes_through_one_place() -> None:
    """No command prints by click, by rich or by Python itself, but what click says of its own usage."""
    folder = Path(cli.__file__).parent
    prints = re.compile(r"(?<![\w.])print\(|\bConsole\(|click\.s?echo\((?!error\.ctx)|\.stdout\.write|\.stderr\.write")
    others = {path.name for path in folder.glob("*.py") if prints.search(path.read_text("utf-8"))}
    assert others == {"_terminal.py"}


def test_a_fault_and_a_finding_quote_no_escape(
    synthgen: Callable[..., Any], refused: Callable[..., list[str]], dataset: Path, tmp_path: Path
) -> None:
    """Of a manifest that somebody sent, and of a dataset with a file of such a name."""
    manifest = tmp_path / "m.yaml"
    manifest.write_text('name: x\n"\\e[2J": 1\n')
    assert any("\\x1b[2J" in fault for fault in refused("plan", manifest))
    (dataset / "a\x1b[2Jb").touch()
    said = synthgen("verify", dataset)
    assert "a\\x1b[2Jb: not a file of this dataset" in said.out + said.err
    assert "\x1b" not in said.out + said.err

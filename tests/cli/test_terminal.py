"""What is printed of strangers' data steers no terminal."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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

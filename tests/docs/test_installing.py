"""What people are told to install is what this is published as, with extras that there are."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAID = re.compile(r"pip install (?:-c \S+ )?\\?['\"]?(?P<name>synthgen[\w-]*|\.)\\?\[(?P<extra>[\w-]+)\\?\]")


def test_what_is_said_can_be_installed() -> None:
    """Every message, page and example names the distribution, never the stranger's `synthgen`, and an extra of ours."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    folders = [(ROOT / "synthgen", "*.py"), (ROOT / "docs", "*.md"), (ROOT / "examples", "*"), (ROOT, "*.md")]
    files = [file for folder, ending in folders for file in (folder.rglob if folder != ROOT else folder.glob)(ending)]
    said = [found for file in files if file.is_file() for found in SAID.finditer(file.read_text("utf-8", "replace"))]
    assert {found["name"] for found in said} == {project["name"], "."}
    assert {found["extra"] for found in said} <= set(project["optional-dependencies"])
    assert project["scripts"] == {"synthgen": "synthgen.cli:main"}

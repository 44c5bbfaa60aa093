"""What the documents link to is there, and the site's navigation has every page."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LINK = re.compile(r"\]\((?P<path>[\w./-]+)(?:#[^)\s]*)?(?:\s[^)]*)?\)")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def _named(nav: Any) -> set[str]:
    """The pages that a navigation names, at any depth."""
    if isinstance(nav, str):
        return {nav}
    return {page for part in (nav.values() if isinstance(nav, dict) else nav) for page in _named(part)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_on_github(page: Path) -> None:
    """A relative link leads to a file, as GitHub shows it; `make docs` checks the same of the site."""
    targets = [link["path"] for link in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert not [target for target in targets if not (page.parent / target).exists()]


def test_navigation_has_every_page() -> None:
    """Each page of docs/ is named in mkdocs.yml, and nothing that is not there."""
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    pages = {page.relative_to(ROOT / "docs").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    top = {"index.md", "changelog.md", "contributing.md", "code-of-conduct.md", "security.md"}
    assert _named(config["nav"]) == pages | top

"""Pages may link to any file of the repository, as on GitHub: what lies outside ``docs/`` becomes a page of the site.

MkDocs knows the files below ``docs/`` alone. Here README, CHANGELOG and the like become pages, every other file that a
page links to (a manifest, an example) becomes one that shows its text, and links are pointed at these. So one link
works in both places, and ``mkdocs build --strict`` still fails where its target is not there.
"""

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files, InclusionLevel
from mkdocs.structure.pages import Page

# Documents at the top of the repository, and where each is in the site.
TOP = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "SECURITY.md": "security.md",
}
_LINK = re.compile(r"(?P<before>\]\(|^\[[^\]]+\]: +)(?P<path>[\w./-]+)(?P<after>#[^)\s]*)?(?=[)\s])", re.MULTILINE)
_LEXERS = {".yaml": "yaml", ".yml": "yaml", ".py": "python", ".toml": "toml", ".ipynb": "json"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents at the top of the repository, and a page for each other file that is linked to."""
    root = Path(config.config_file_path).parent
    for name, page in TOP.items():
        files.append(File.generated(config, page, content=(root / name).read_text(encoding="utf-8")))
    for file in list(files.documentation_pages()):
        for name in _outside(file.content_string, _folder_of(file.src_uri)):
            if (root / name).is_file() and files.get_file_from_path(_place_of(name)) is None:
                text = (root / name).read_text(encoding="utf-8")
                added = File.generated(
                    config, _place_of(name), content=_shown(name, text), inclusion=InclusionLevel.NOT_IN_NAV
                )
                files.append(added)
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 (MkDocs names it)
    """Point links at where their targets are in the site; one without a target stays, for MkDocs to warn of."""
    here = page.file.src_uri

    def pointed(link: re.Match[str]) -> str:
        place = _place_of(posixpath.normpath(posixpath.join(_folder_of(here), link["path"])))
        if files.get_file_from_path(place) is None:
            return link[0]
        return link["before"] + posixpath.relpath(place, posixpath.dirname(here) or ".") + (link["after"] or "")

    return _LINK.sub(pointed, markdown)


def _outside(markdown: str, folder: str) -> Iterator[str]:
    """The paths in the repository of what a text links to outside ``docs/``."""
    for link in _LINK.finditer(markdown):
        name = posixpath.normpath(posixpath.join(folder, link["path"]))
        if not name.startswith(("docs/", "../")) and name not in TOP:
            yield name


def _folder_of(page: str) -> str:
    """The folder in the repository that a page of the site is from."""
    return "" if page in TOP.values() else posixpath.join("docs", posixpath.dirname(page))


def _place_of(name: str) -> str:
    """Where a file of the repository is in the site."""
    if name in TOP:
        return TOP[name]
    return name.removeprefix("docs/") if name.startswith("docs/") else f"{name}.md"


def _shown(name: str, text: str) -> str:
    """A file's text as a page."""
    return f"# `{name}`\n\n````{_LEXERS.get(Path(name).suffix, 'text')}\n{text.rstrip()}\n````\n"

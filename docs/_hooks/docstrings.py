"""Docstrings are Markdown on the site: what they have of reStructuredText is put into it.

A role, ``:func:`generate```, is a link to what it names where that is on the same page, and code elsewhere; and so is
the type of an exception, which mkdocstrings links only where the module imports it.
"""

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page

_SHOWN = re.compile(r'id="(synthgen\.[\w.]+)"')
_ROLE = re.compile(r":(?:func|class|meth|mod|attr|data|exc):<code>(?P<name>~?[\w.]+)</code>")
_TYPE = re.compile(r"(?<=\s)<code>(?P<name>[A-Z]\w+)</code>(?=\s*</td>)")


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001 (MkDocs names them)
    """Point roles and types at what the page shows, and take the mark of a literal block away."""
    places: dict[str, str] = {}
    for place in _SHOWN.findall(html):
        places.setdefault(place.rpartition(".")[2], place)

    def pointed(found: re.Match[str]) -> str:
        name = found["name"].rpartition(".")[2]
        if name in places:
            return f'<a href="#{places[name]}"><code>{name}</code></a>'
        return f"<code>{name if found['name'].startswith('~') else found['name']}</code>"

    return _TYPE.sub(pointed, _ROLE.sub(pointed, html)).replace("<p>::</p>\n", "") if places else html

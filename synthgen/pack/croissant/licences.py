"""The address of a licence, by the short name that the Hub has for it."""

_SPDX = {"apache-2.0": "Apache-2.0", "mit": "MIT", "bsd-3-clause": "BSD-3-Clause", "gpl-3.0": "GPL-3.0-only"}
_CREATIVE_COMMONS = ("cc0-", "cc-by-")


def address(name: str | None, link: str | None) -> str:
    """The licence's page: the one that the manifest gives, or SPDX's of a licence that has one; else its name.

    Args:
        name: The Hub's name of the licence; ``None`` where none is given.
        link: The ``publish.license_link``.
    """
    if link:
        return link
    name = name or "unknown"
    spdx = name.upper() if name.startswith(_CREATIVE_COMMONS) else _SPDX.get(name, "")
    return f"https://spdx.org/licenses/{spdx}.html" if spdx else name

"""Text that a user wrote, made to show as itself."""

import html


def escape(text: str) -> str:
    """Text that shows as itself in Markdown, in a table's cell as well."""
    plain = " ".join(html.escape(text, quote=False).split())
    for character in "\\`*_{}[]|#":
        plain = plain.replace(character, f"\\{character}")
    return plain

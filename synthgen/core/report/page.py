"""Fills a page's template: what is said reaches it escaped, and it may allow its own script and style by their hash."""

import base64
import hashlib
from importlib import resources


def render(package: str, template: str, **said: object) -> str:
    """The page that a Jinja2 template of a package gives; a name that it asks for and nobody said is an error."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters["csp_hash"] = csp_hash
    return environment.from_string(resources.files(package).joinpath(template).read_text("utf-8")).render(**said)


def csp_hash(text: str) -> str:
    """The source expression that allows exactly this inline script or style (CSP level 2)."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

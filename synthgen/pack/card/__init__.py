"""The dataset card: its numbers come from records, receipts and verdicts; a placeholder without one is an error."""

import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import resources, yaml_documents
from synthgen.core.report.markdown import escape
from synthgen.errors import InputError, ManifestError, one_line
from synthgen.pack.card.facts import CardFacts, Size, Summary
from synthgen.pack.card.header import header
from synthgen.pack.card.values import values

if TYPE_CHECKING:
    import jinja2

__all__ = ["CardFacts", "Size", "Summary", "Template", "escape", "render"]

_HEADER = "card_data"
_PLACE = re.compile(r"\A---[ \t]*\n(?:(?!---).*\n)*?\{\{-?\s*card_data\s*-?\}\}[ \t]*\n(?:(?!---).*\n)*?---[ \t]*\n")


class Template:
    """A card's template: Jinja, with ``{{ card_data }}`` where the YAML header goes.

    Args:
        path: Its file; the one that ships where left out.

    Raises:
        InputError: It can't be read, or is not a template.
    """

    def __init__(self, path: Path | None = None) -> None:
        import jinja2

        self.path = path or resources.card_template()
        try:
            self.text = yaml_documents.read_text(self.path)
            self._names = _placeholders(self.text)
        except ManifestError as error:
            raise InputError(*(f"card: {fault}" for fault in error.faults)) from None
        except jinja2.TemplateSyntaxError as error:
            raise InputError(f"{self.path}: line {error.lineno}: {error.message}") from None
        if not _PLACE.match(self.text):
            raise InputError(
                f"{self.path}: has no {{{{ {_HEADER} }}}} between two lines `---`, so no header for the Hub"
            )

    def check(self, facts: CardFacts) -> None:
        """Refuse a placeholder that nothing fills.

        Raises:
            InputError: There is one; all are named.
        """
        unknown = sorted(self._names - set(values(facts)) - {_HEADER})
        if unknown:
            raise InputError(f"{self.path}: nothing fills {', '.join(f'{{{{ {name} }}}}' for name in unknown)}")


def render(facts: CardFacts, template: Template | None = None) -> str:
    """The card as Markdown with its YAML header.

    Raises:
        InputError: The template has a placeholder that nothing fills, or asks of a value what it does not have.
    """
    from huggingface_hub import DatasetCard, DatasetCardData
    from jinja2 import TemplateError

    template = template or Template()
    template.check(facts)
    data = DatasetCardData(**header(facts))
    try:
        return str(DatasetCard(_sandboxed(template.text).render(card_data=data.to_yaml(), **values(facts))))
    except (TemplateError, TypeError, ArithmeticError, LookupError, AttributeError, ValueError) as error:
        raise InputError(f"{template.path}: {one_line(error)}") from None


@lru_cache(2)
def _placeholders(text: str) -> frozenset[str]:
    """The names that a template asks for; kept for the next dataset of this process, as its compiled form is."""
    import jinja2.meta

    return frozenset(jinja2.meta.find_undeclared_variables(jinja2.Environment(autoescape=True).parse(text)))


@lru_cache(2)
def _sandboxed(text: str) -> "jinja2.Template":
    """A template, compiled.

    It may come from anywhere, so it is filled in Jinja's sandbox and nowhere else; ``from_template`` of the Hub's
    client would do the same outside it.
    """
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(text)

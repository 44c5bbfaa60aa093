"""Prompt templates: from a label, a skin tone and a sample's own seed to the text that a model reads."""

import itertools
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from synthgen.core import yaml_documents
from synthgen.core.yaml_documents import Strict, near, validate
from synthgen.errors import Fault, ManifestError
from synthgen.plan.seeding import draw
from synthgen.plan.skin_tones import Scale

_ALWAYS = ("label", "skin_tone")


def _weigh(choices: object) -> object:
    """A plain list of values is a mapping that weighs them all the same."""
    if not isinstance(choices, list):
        return choices
    for choice in choices:
        if not isinstance(choice, str):
            raise ValueError(f"expected a list of texts, found {choice!r}; put it in quotes")
    if len(set(choices)) != len(choices):
        raise ValueError("a value is given twice")
    return dict.fromkeys(choices, 1.0)


def _check_weights(choices: dict[str, float]) -> dict[str, float]:
    if not choices or max(choices.values()) <= 0:
        raise ValueError("give at least one value, with a weight above 0")
    return choices


_Text = Annotated[str, Field(min_length=1, max_length=2000)]
_Weight = Annotated[float, Field(ge=0)]
_Choices = Annotated[dict[_Text, _Weight], BeforeValidator(_weigh), AfterValidator(_check_weights)]


class LabelPrompts(Strict):
    """What one label says differently from the rest; a key left out is as for every label."""

    templates: Annotated[list[_Text], Field(min_length=1)] | None = None
    negative_prompt: str | None = None
    attributes: dict[str, _Choices] = {}


class PromptSet(Strict):
    """Templates (paraphrases of equal chance), the attributes they draw, and a negative prompt.

    Placeholders: ``{label}`` the words of the label, ``{skin_tone}`` the tone as the scale writes it or as
    ``skin_tones`` says, and every name under ``attributes``, drawn by the sample's seed.
    """

    templates: Annotated[list[_Text], Field(min_length=1)]
    negative_prompt: str = ""
    attributes: dict[str, _Choices] = {}
    skin_tones: dict[Scale, dict[int, _Text]] = {}
    labels: dict[str, LabelPrompts] = {}

    def render(self, label: str, words: str, skin_tone: tuple[Scale, int, str], seed: int) -> "Prompt":
        """The prompt of one sample, drawn by its seed.

        Args:
            label: The label's name in the manifest.
            words: The words that a prompt uses for it.
            skin_tone: The scale, the value on it, and how a record writes that value.
            seed: The sample's seed.
        """
        templates, choices = self._of(label)
        template = templates[draw(seed, "template", (1.0,) * len(templates))]
        drawn = {name: _draw(choices[name], seed, name) for name in _drawn(template, choices)}
        return self._prompt(template, label, words, skin_tone, drawn)

    def possible(self, label: str) -> int:
        """How many prompts a label can be given on one skin tone: each template with each value of what it draws."""
        templates, choices = self._of(label)
        return sum(math.prod(len(values) for _, values in _drawable(one, choices)) for one in templates)

    def every(self, label: str, words: str, skin_tone: tuple[Scale, int, str]) -> Iterator["Prompt"]:
        """Every prompt that :meth:`render` may draw, as many as :meth:`possible` says; values of weight 0 are in none.

        Args:
            label: The label's name in the manifest.
            words: The words that a prompt uses for it.
            skin_tone: The scale, the value on it, and how a record writes that value.
        """
        templates, choices = self._of(label)
        for template in templates:
            drawable = _drawable(template, choices)
            for values in itertools.product(*(values for _, values in drawable)):
                drawn = {name: value for (name, _), value in zip(drawable, values, strict=True)}
                yield self._prompt(template, label, words, skin_tone, drawn)

    def _of(self, label: str) -> "tuple[list[str], dict[str, dict[str, float]]]":
        """The templates and the attributes of a label."""
        own = self.labels.get(label, LabelPrompts())
        return own.templates or self.templates, self.attributes | own.attributes

    def _prompt(
        self, template: str, label: str, words: str, skin_tone: tuple[Scale, int, str], drawn: dict[str, str]
    ) -> "Prompt":
        """A template filled in with what was drawn for it."""
        scale, value, written = skin_tone
        tone = self.skin_tones.get(scale, {}).get(value, written)
        own = self.labels.get(label, LabelPrompts())
        negative = self.negative_prompt if own.negative_prompt is None else own.negative_prompt
        text = template.format(label=words, skin_tone=tone, **drawn)
        return Prompt(text, negative, tuple(drawn.items()))

    def every_template(self) -> list[str]:
        """All templates, those of single labels last."""
        own = [template for label in self.labels.values() for template in label.templates or ()]
        return list(dict.fromkeys([*self.templates, *own]))


@dataclass(frozen=True, slots=True)
class Prompt:
    """The text of one sample's prompt, its negative prompt, and the attributes that were drawn."""

    text: str
    negative: str
    attributes: tuple[tuple[str, str], ...]


def read(text: str, where: str, *, kept: bool = False) -> PromptSet:
    """The prompt templates of a YAML text.

    Args:
        text: The YAML.
        where: What faults call it.
        kept: Whether a run or dataset keeps it, as in :func:`synthgen.core.yaml_documents.parse`.

    Raises:
        ManifestError: Every fault, as ``where: path: message``; an unknown placeholder is one.
    """
    document, faults = validate(PromptSet, yaml_documents.parse(text, where, kept=kept))
    if document is not None:
        faults = _check_placeholders(document)
    if document is None or faults:
        raise ManifestError(*(fault.in_file(where) for fault in faults))
    return document


def _check_placeholders(prompts: PromptSet) -> list[Fault]:
    places = [("templates", prompts.templates, prompts.attributes)]
    for label, own in prompts.labels.items():
        attributes = prompts.attributes | own.attributes
        templates = own.templates or prompts.templates
        path = f"labels.{label}.templates" if own.templates else "templates"
        places.append((path, templates, attributes))
    faults = []
    for path, templates, attributes in places:
        known = (*_ALWAYS, *attributes)
        for number, template in enumerate(templates):
            faults += [fault.within(f"{path}[{number}]") for fault in _template_faults(template, known)]
    given = [("attributes", prompts.attributes)]
    given += [(f"labels.{label}.attributes", own.attributes) for label, own in prompts.labels.items()]
    for path, attributes in given:
        for name in attributes:
            if name in _ALWAYS or not name.isidentifier():
                faults.append(Fault.at(f"{path}.{name}", "not a name an attribute can have", "invalid"))
    return list(dict.fromkeys(faults))


def _template_faults(template: str, known: tuple[str, ...]) -> list[Fault]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        return [Fault(f"{error}; write {{{{ for a brace", kind="syntax")]
    faults = []
    for _, name, spec, conversion in parts:
        if name is None:
            continue
        if name not in known:
            faults.append(Fault(f"unknown placeholder {{{name}}}; {near(name, known)}", kind="not_found"))
        elif spec or conversion:
            faults.append(Fault(f"{{{name}}} takes no format", kind="unsupported"))
    return faults


def _placeholders(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name]


def _drawn(template: str, choices: Mapping[str, object]) -> list[str]:
    """The attributes that a template draws, sorted."""
    return [name for name in sorted(set(_placeholders(template))) if name in choices]


def _drawable(template: str, choices: Mapping[str, Mapping[str, float]]) -> list[tuple[str, list[str]]]:
    """The attributes that a template draws, and what each may come out as."""
    return [
        (name, [value for value, weight in sorted(choices[name].items()) if weight > 0])
        for name in _drawn(template, choices)
    ]


def _draw(weights: dict[str, float], seed: int, name: str) -> str:
    """Draw a value; sorted, so that the order in which values are written decides nothing."""
    values = sorted(weights)
    return values[draw(seed, f"attribute {name}", tuple(weights[value] for value in values))]

"""Prompt templates: from a label, a skin tone and a sample's own seed to the text that a model reads."""

import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Formatter
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from synthgen.core import yaml_documents
from synthgen.core.yaml_documents import Strict, near, validate
from synthgen.errors import Fault, InputError, ManifestError
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
    ``skin_tones`` says, every name under ``attributes``, drawn by the sample's seed, and what the manifest's
    ``real.columns`` say of each real image: ``{caption}``, of which ``max_caption_words`` are said at the most, and
    every attribute. What is known of an image comes before what is drawn; a template is for images of which all is
    known that it names.
    """

    templates: Annotated[list[_Text], Field(min_length=1)]
    negative_prompt: str = ""
    attributes: dict[str, _Choices] = {}
    skin_tones: dict[Scale, dict[int, _Text]] = {}
    labels: dict[str, LabelPrompts] = {}
    max_caption_words: Annotated[int | None, Field(ge=1, le=1000, exclude_if=lambda most: most is None)] = None

    def render(
        self,
        label: str,
        words: str,
        skin_tone: tuple[Scale, int, str],
        seed: int,
        about: Mapping[str, str] = MappingProxyType({}),
    ) -> "Prompt":
        """The prompt of one sample, drawn by its seed among the templates that can be filled in for it.

        Args:
            label: The label's name in the manifest.
            words: The words that a prompt uses for it.
            skin_tone: The scale, the value on it, and how a record writes that value.
            seed: The sample's seed.
            about: What is known of the real image that it is of, or starts from; it comes before what would be drawn.

        Raises:
            InputError: No template of the label can be filled in.
        """
        templates, choices = self._fillable(label, about)
        if not templates:
            raise InputError(f"prompts: every template of `{label}` needs {self._needed(label, about)}, not known here")
        template = templates[draw(seed, "template", (1.0,) * len(templates))]
        known = {name: about[name] for name in _placeholders(template) if name in about}
        drawn = {name: _draw(choices[name], seed, name) for name in _drawn(template, choices) if name not in known}
        return self._prompt(template, label, words, skin_tone, drawn, known=known)

    def says_any(self, label: str, names: Collection[str]) -> bool:
        """Whether a template of a label has a placeholder of one of these names."""
        return any(not {*names}.isdisjoint(_placeholders(one)) for one in self._of(label)[0])

    def lacks(self, label: str, about: Mapping[str, str]) -> str:
        """What every template of a label needs and is not known of an image; empty where one can be filled in."""
        return "" if self._fillable(label, about)[0] else self._needed(label, about)

    def caption_is_cut(self, caption: str) -> bool:
        """Whether prompts say less than a whole caption."""
        return self.max_caption_words is not None and len(caption.split()) > self.max_caption_words

    def _needed(self, label: str, about: Mapping[str, str]) -> str:
        templates, choices = self._of(label)
        missing = [name for one in templates for name in _placeholders(one) if name not in {*_ALWAYS, *choices, *about}]
        return ", ".join(f"{{{name}}}" for name in dict.fromkeys(missing))

    def _fillable(self, label: str, about: Mapping[str, str]) -> "tuple[list[str], dict[str, dict[str, float]]]":
        """The templates of a label whose placeholders are all known or drawn, and what is drawn."""
        templates, choices = self._of(label)
        return [one for one in templates if {*_placeholders(one)} <= {*_ALWAYS, *choices, *about}], choices

    def possible(self, label: str) -> int:
        """How many prompts a label can be given on one skin tone: each template with each value of what it draws."""
        templates, choices = self._fillable(label, {})
        return sum(math.prod(len(values) for _, values in _drawable(one, choices)) for one in templates)

    def every(self, label: str, words: str, skin_tone: tuple[Scale, int, str]) -> Iterator["Prompt"]:
        """Every prompt that :meth:`render` may draw, as many as :meth:`possible` says; values of weight 0 are in none.

        Args:
            label: The label's name in the manifest.
            words: The words that a prompt uses for it.
            skin_tone: The scale, the value on it, and how a record writes that value.
        """
        templates, choices = self._fillable(label, {})
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
        self,
        template: str,
        label: str,
        words: str,
        skin_tone: tuple[Scale, int, str],
        drawn: dict[str, str],
        *,
        known: Mapping[str, str] = MappingProxyType({}),
    ) -> "Prompt":
        """A template filled in with what was drawn for it, and with what is known."""
        scale, value, written = skin_tone
        tone = self.skin_tones.get(scale, {}).get(value, written)
        own = self.labels.get(label, LabelPrompts())
        negative = self.negative_prompt if own.negative_prompt is None else own.negative_prompt
        if "caption" in known and self.caption_is_cut(known["caption"]):
            known = {**known, "caption": " ".join(known["caption"].split()[: self.max_caption_words])}
        text = template.format(label=words, skin_tone=tone, **drawn, **known)
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


def read(text: str, where: str, *, kept: bool = False, columns: Sequence[str] = ()) -> PromptSet:
    """The prompt templates of a YAML text.

    Args:
        text: The YAML.
        where: What faults call it.
        kept: Whether a run or dataset keeps it, as in :func:`synthgen.core.yaml_documents.parse`.
        columns: What the manifest says is known of each real image, which templates may have placeholders for.

    Raises:
        ManifestError: Every fault, as ``where: path: message``; an unknown placeholder is one.
    """
    document, faults = validate(PromptSet, yaml_documents.parse(text, where, kept=kept))
    if document is not None:
        faults = _check_placeholders(document, columns)
    if document is None or faults:
        raise ManifestError(*(fault.in_file(where) for fault in faults))
    return document


def _check_placeholders(prompts: PromptSet, columns: Sequence[str]) -> list[Fault]:
    places = [("templates", prompts.templates, prompts.attributes)]
    for label, own in prompts.labels.items():
        attributes = prompts.attributes | own.attributes
        templates = own.templates or prompts.templates
        path = f"labels.{label}.templates" if own.templates else "templates"
        places.append((path, templates, attributes))
    faults = []
    for path, templates, attributes in places:
        known = tuple(dict.fromkeys((*_ALWAYS, *attributes, *columns)))
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
        if name == "caption" and name not in known:
            said = "{caption} is of real images; name its column as `real.columns.caption`, or draw it: `attributes`"
            faults.append(Fault(said, kind="not_found"))
        elif name not in known:
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

"""A checklist of questions that a vision-language model answers of each image; never which skin tone it shows.

The model is any of transformers that reads images and text, or one behind an address that speaks OpenAI's protocol.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from synthgen.core.yaml_documents import Strict
from synthgen.curate.scorers import Batch, Context, Scorer, Scores
from synthgen.errors import Fault
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.plan.sample import Record

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

COLUMNS = {
    "prompt_tokens": "the tokens that the model read of the image and its questions",
    "completion_tokens": "the tokens that it wrote",
    "calls": "how often it was asked",
}
TEXTS: dict[str, str] = {}
_TONES = re.compile(
    r"(?i)(?<![a-z])(tones?|fitzpatrick|monk|mst|ita|complexions?|ethnic\w*|race|black or white|white or black"
    r"|skin[\s_-]*colou?r|(dark|light|black|white|brown|fair|pale)[\s_-]*(skin(ned)?|person|people))(?![a-z])"
)
_NAME = r"^[a-z][a-z0-9_]*$"
_Text = Annotated[str, Field(min_length=1, max_length=2000)]


def _as_texts(answers: object) -> object:
    """YAML reads an unquoted yes as a truth value."""
    words = {True: "yes", False: "no"}
    return [words[one] if isinstance(one, bool) else one for one in answers] if isinstance(answers, list) else answers


class Question(Strict):
    """One question of the checklist.

    Attributes:
        ask: The question, as the model reads it; ``{label}`` is the words of the label that was asked for.
        answers: What it may answer. The first is the one that is hoped for.
        agrees_with: ``label``: in place of the first answer, the one that is the words of the image's label is hoped
            for; the answers are then the labels of the manifest, where they are left out.
    """

    ask: _Text
    answers: Annotated[list[_Text], BeforeValidator(_as_texts), Field(min_length=2)] | None = None
    agrees_with: Literal["label"] | None = None

    @field_validator("answers")
    @classmethod
    def _apart(cls, answers: list[str] | None) -> list[str] | None:
        plain = [_plain(one) for one in answers or ()]
        if len(set(plain)) < len(plain):
            raise ValueError("two answers read the same")
        return answers


class Settings(ScorerSettings):
    """The model, and what it is asked.

    Attributes:
        model: A folder, from the current one, or a Hub id, in safetensors; or the model that the address is asked for.
        revision: The commit or branch of a Hub id.
        address: Where an OpenAI-compatible server is, up to and with ``/v1``; without it the model is loaded here.
        token_from: The environment variable that has the server's token. A token is never in a manifest.
        questions: The checklist, by the names of the columns.
        max_new_tokens: The longest answer that is waited for.
        requests_at_once: How many images are asked about at a time, of an address.
        timeout: Seconds that one answer may take, of an address.
    """

    model: str = Field(min_length=1)
    revision: str | None = None
    address: str | None = None
    token_from: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] = "OPENAI_API_KEY"  # noqa: S105 - a name
    questions: Annotated[dict[Annotated[str, Field(pattern=_NAME)], Question], Field(min_length=1)]
    max_new_tokens: int = Field(default=16, ge=1, le=1000)
    requests_at_once: Annotated[int, Field(ge=1, le=64, exclude=True)] = 4
    timeout: Annotated[float, Field(gt=0, le=3600, exclude=True)] = 120.0

    @field_validator("questions")
    @classmethod
    def _no_judge_of_tone(cls, questions: dict[str, Question]) -> dict[str, Question]:
        for name, question in questions.items():
            if name in COLUMNS or name in ("key", "label"):
                raise ValueError(f"`{name}` is a column already; give the question another name")
            if any(map(_TONES.search, (name, question.ask, *(question.answers or ())))):
                raise ValueError(
                    f"`{name}` asks for skin tone, which such models misjudge, most of all on dark skin; the scorer "
                    "`skin_tone` measures it"
                )
        return questions

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.address is None:
            return self
        if self.revision:
            raise ValueError("revision: is of a model that is loaded here; an address has its own")
        match = re.fullmatch(r"(https?)://([^/?#\s]+)(/[^?#\s]*)?", self.address)
        if match is None or "@" in match[2]:
            raise ValueError("address: give http(s)://HOST[:PORT]/v1, without a name, a password or a query")
        return self

    def faults(self, name: str, base: Path) -> list[Fault]:
        """That a folder is meant that is not there."""
        if (
            self.address is None
            and self.model.startswith((".", "/", "~"))
            and not Path(self.model).expanduser().is_dir()
        ):
            return [Fault.at("model", f"no folder {self.model}", "not_found")]
        return []


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model wrote, and the tokens that it read and wrote for it."""

    text: str
    prompt_tokens: int
    completion_tokens: int


class Model(Protocol):
    """A model that answers questions on an image."""

    def answers(self, pixels: Pixels, questions: list[str]) -> list[Answer]:
        """What it answers to each question on one image, uint8 RGB, shape (height, width, 3)."""

    def over(self, images: list[tuple[Pixels, list[str]]]) -> list[list[Answer]]:
        """The same of several images."""


class Asked:
    """The scorer of one checklist, in the shape of a module: its columns are those of its questions."""

    def __init__(self, names: list[str]) -> None:
        self.Settings = Settings
        hoped = "1 for the answer that is hoped for, 0 for another, not known where it gave none"
        self.COLUMNS: Mapping[str, str] = {**dict.fromkeys(names, hoped), **COLUMNS}
        self.TEXTS: Mapping[str, str] = {f"{name}_said": "its answer, as it wrote it" for name in names}

    def open_scorer(self, settings: Settings, context: Context) -> Scorer:
        """As of the module."""
        return open_scorer(settings, context)


def for_settings(given: Mapping[str, Any]) -> Asked:
    """The scorer of a block of settings as written."""
    questions = given.get("questions")
    return Asked([str(name) for name in questions] if isinstance(questions, Mapping) else [])


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """What is missing is said here, before anything is scored; a model is loaded when it is needed.

    Raises:
        UnavailableError: The model is not there or not in safetensors, or the address has no usable token.
    """
    open_model: Callable[[], Model]
    if settings.address is not None:
        from synthgen.curate.scorers import _vlm_address

        facts, open_model = _vlm_address.prepare(settings)
    else:
        from synthgen.curate.scorers import _vlm_local

        facts, open_model = _vlm_local.prepare(settings, context)
    labels = dict(context.words or {label: label for label in context.labels})
    return Scorer(
        {"method": "checklist-1", **facts, "labels": labels}, lambda: Checklist(settings, labels, open_model()).score
    )


class Checklist:
    """Asks a model, and reads its answers.

    Args:
        settings: The questions.
        labels: The words of each label.
        model: What answers.
    """

    def __init__(self, settings: Settings, labels: Mapping[str, str], model: Model) -> None:
        self._settings, self._labels, self._model = settings, labels, model

    def score(self, batch: Batch) -> Scores:
        """The columns of a batch."""
        images = [
            (pixels, [self._text(name, record) for name in self._settings.questions])
            for pixels, record in zip(batch.pixels, batch.records, strict=True)
        ]
        found = self._model.over(images)
        columns: dict[str, Any] = {
            "prompt_tokens": [sum(one.prompt_tokens for one in answers) for answers in found],
            "completion_tokens": [sum(one.completion_tokens for one in answers) for answers in found],
            "calls": [len(answers) for answers in found],
        }
        for place, name in enumerate(self._settings.questions):
            said = [answers[place].text for answers in found]
            columns[f"{name}_said"] = [" ".join(one.split())[:200] for one in said]
            columns[name] = [self._hoped(name, one, record) for one, record in zip(said, batch.records, strict=True)]
        return columns

    def _answers(self, name: str) -> list[str]:
        question = self._settings.questions[name]
        return question.answers or (list(self._labels.values()) if question.agrees_with else ["yes", "no"])

    def _text(self, name: str, record: Record) -> str:
        question = self._settings.questions[name].ask.replace("{label}", self._labels.get(record.label, record.label))
        return f"{question}\nAnswer with one of these, and nothing else: {', '.join(self._answers(name))}."

    def _hoped(self, name: str, said: str, record: Record) -> float:
        """1 for the answer that is hoped for, 0 for another, NaN for none that was allowed."""
        answers = self._answers(name)
        found = chosen(said, answers)
        if found is None:
            return float("nan")
        wanted = (
            self._labels.get(record.label, record.label) if self._settings.questions[name].agrees_with else answers[0]
        )
        return float(_plain(found) == _plain(wanted))


def chosen(said: str, answers: list[str]) -> str | None:
    """The answer that a text is, that it begins with before a stop, or that it ends with after a colon.

    ``None`` for anything else: what merely has an answer in it, as `this is not melanoma`, may say the contrary.
    """
    text = said.casefold()
    found = []
    for one in answers:
        words = r"\W+".join(map(re.escape, _plain(one).split()))
        if re.search(rf"(^|:)\W*{words}\W*$", text) or re.match(rf"\W*{words}[^\w\s]*[.,;:!?\n]", text):
            found.append(one)
    longest = sorted(found, key=lambda one: -len(one))[:1]
    return longest[0] if longest else None


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[^\w]+", " ", text.casefold()).split())

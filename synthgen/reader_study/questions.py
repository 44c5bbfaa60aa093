"""What readers are asked of each image."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthgen.core import yaml_documents
from synthgen.errors import InputError

REAL, LABEL = "real", "label"  # questions of which it is known what is right
ANSWERS_REAL = ("photograph", "synthetic")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}")
_RESERVED = ("id", "reader", "kind", "key", "entry", "skin_tone", "true_label")


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    Attributes:
        name: The column of its answers.
        ask: Its words.
        answers: What may be answered; any text where empty.
    """

    name: str
    ask: str
    answers: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The question as plain values."""
        return asdict(self)


def usual(labels: Mapping[str, str]) -> list[Question]:
    """Whether it is a photograph, which condition it shows, and whether anything in it is wrong.

    Args:
        labels: The manifest's labels, and their words.
    """
    return [
        _real(),
        _label(labels),
        Question("wrong", "Is something in it that no skin has?", ("nothing", "a little", "much")),
    ]


def read(path: Path, labels: Mapping[str, str]) -> list[Question]:
    """The questions of a YAML list: ``real`` or ``label`` for those two, else ``{name, ask, answers}``.

    Args:
        path: The file.
        labels: The manifest's labels, and their words.

    Raises:
        InputError: It is no such list.
    """
    document = yaml_documents.parse(yaml_documents.read_text(path), str(path))
    content = document.get("questions") if isinstance(document, dict) else document
    if not isinstance(content, list) or not content:
        raise InputError(f"{path}: give `questions:`, a list of `real`, `label` and {{name, ask, answers}}")
    found = [_question(path, number, one, labels) for number, one in enumerate(content)]
    names = [one.name for one in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"{path}: questions: `{twice}` stands there twice")
    return found


def _question(path: Path, number: int, said: object, labels: Mapping[str, str]) -> Question:
    where = f"{path}: questions[{number}]"
    if said == REAL:
        return _real()
    if said == LABEL:
        return _label(labels)
    if not isinstance(said, dict) or set(said) - {"name", "ask", "answers"} or not {"name", "ask"} <= set(said):
        raise InputError(f"{where}: `real`, `label`, or {{name, ask, answers}}; answers left out take any text")
    name, ask, answers = str(said["name"]), str(said["ask"]), said.get("answers", [])
    if not _NAME.fullmatch(name) or name in (REAL, LABEL, *_RESERVED):
        raise InputError(f"{where}.name: `{name}`: small letters, digits and _, and none of {', '.join(_RESERVED)}")
    if not isinstance(answers, list) or len(answers) == 1 or not all(isinstance(one, str) and one for one in answers):
        raise InputError(f"{where}.answers: two texts or more, in quotes where YAML reads yes and no otherwise")
    if len(set(answers)) < len(answers):
        raise InputError(f"{where}.answers: one stands there twice")
    return Question(name, ask, tuple(answers))


def _real() -> Question:
    return Question(REAL, "Is it a photograph, or was it made by a machine?", ANSWERS_REAL)


def _label(labels: Mapping[str, str]) -> Question:
    return Question(LABEL, "What does it show?", tuple(labels))


def of_plain(said: Sequence[Mapping[str, Any]]) -> list[Question]:
    """The questions that :meth:`Question.to_dict` gave."""
    return [Question(str(one["name"]), str(one["ask"]), tuple(map(str, one["answers"]))) for one in said]

"""Readers' answers, as the page saves them or a program of tables does."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from synthgen.errors import InputError
from synthgen.reader_study.folder import ReaderStudy
from synthgen.reader_study.questions import Question

_MOST_BYTES = 16 * 2**20
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Reader:
    """A reader and what they answered.

    Attributes:
        name: Their code: the file's name without ``answers-`` before it.
        answers: Of each question, the answer to each image that they answered, by its number.
    """

    name: str
    answers: Mapping[str, Mapping[str, str]]


def read(study: ReaderStudy, paths: Sequence[Path]) -> list[Reader]:
    """Each reader's answers, by their code.

    Raises:
        InputError: Two files are of one reader, or one has answers to other images or questions, or others than were
            to choose from; one line a fault, with the file's row.
    """
    readers = [_read(study, path) for path in paths]
    names = [one.name for one in readers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"--answers: two files are of the reader `{twice}`; name them answers-CODE.csv")
    return sorted(readers, key=lambda one: one.name)


def _read(study: ReaderStudy, path: Path) -> Reader:
    lines = _lines(path)
    columns = [one.strip() for one in next(lines, (0, []))[1]]
    while columns and not columns[-1]:  # as a program of tables leaves them
        columns.pop()
    known = ["id", *(one.name for one in study.questions)]
    if fault := _fault(columns, known):
        raise InputError(f"{path}: {fault}; its columns are {', '.join(known)}")
    width = max(map(len, study.key))
    found: dict[str, dict[str, str]] = {one.name: {} for one in study.questions}
    faults, seen = list[str](), set[str]()
    for line, cells in lines:
        row = dict(zip(columns, (one.strip() for one in cells), strict=False))
        number = row.get("id", "").zfill(width)  # a program of tables takes 007 for 7
        if number not in study.key or number in seen or any(one.strip() for one in cells[len(columns) :]):
            what = "twice" if number in seen else "more cells than columns"
            what = what if number in study.key else "no image of this study"
            faults.append(f"{path}: line {line}: id `{row.get('id', '')}`: {what}")
            continue
        seen.add(number)
        for question in study.questions:
            if answer := row.get(question.name, ""):
                chosen = _answer(question, answer)
                if chosen is None:
                    said = f"{question.name}: `{answer}`: none of {', '.join(question.answers)}"
                    faults.append(f"{path}: line {line}: {said}")
                else:
                    found[question.name][number] = chosen
    if faults:
        more = [f"{path}: {len(faults) - _MOST_NAMED:,} faults more"] if len(faults) > _MOST_NAMED else []
        raise InputError(*faults[:_MOST_NAMED], *more)
    if not any(found.values()):
        raise InputError(f"{path}: not one answer in it")
    return Reader(path.stem.removeprefix("answers-").removeprefix("answers").strip("-_ ") or path.stem, found)


def _fault(columns: Sequence[str], known: Sequence[str]) -> str:
    """What is wrong with a header; empty where nothing is."""
    if "id" not in columns:
        return "it has no column `id`"
    if twice := next((name for name in columns if columns.count(name) > 1), None):
        return f"the column `{twice}` stands there twice"
    strange = next((name for name in columns if name not in known), None)
    return "" if strange is None else f"no column `{strange}` is asked for"


def _answer(question: Question, said: str) -> str | None:
    """One of the answers, however it is written; ``None`` where it is none of them."""
    if not question.answers:
        return said
    return next((one for one in question.answers if one.casefold() == said.casefold()), None)


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV that is separated by commas or semicolons, with their lines; empty ones left out."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InputError(f"{path}: larger than answers are; is it the right file?")
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path}: not in UTF-8; save it as `CSV UTF-8`") from None
    except OSError as error:
        raise InputError(f"{path}: can't be read: {error.strerror}") from None
    first = text.partition("\n")[0]
    separator = ";" if first.count(";") > first.count(",") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        yield from ((reader.line_num, cells) for cells in reader if any(one.strip() for one in cells))
    except csv.Error as error:
        raise InputError(f"{path}: line {reader.line_num}: {error}") from None

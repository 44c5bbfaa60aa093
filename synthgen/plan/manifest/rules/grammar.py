"""Reads a rule by a small grammar.

rule       = all ("or" all)*
all        = term ("and" term)*
term       = "not" term | "(" rule ")" | comparison
comparison = scorer.column ("<" | "<=" | ">" | ">=" | "==" | "!=") number, or the other way round
"""

import re

from synthgen.errors import ManifestError
from synthgen.plan.manifest.rules.parts import COMPARE, Both, Comparison, Not, Rule

_COLUMN = re.compile(r"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_TOKEN = re.compile(rf"\s*(?:(?P<word>[A-Za-z_][\w.]*)|(?P<number>{_NUMBER})|(?P<sign><=|>=|==|!=|<|>|\(|\)))")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
_MOST_CHARACTERS, _DEEPEST = 2000, 50


def parse(text: str) -> Rule:
    """The rule that a text writes.

    Raises:
        ManifestError: It is none; the message says at which character, and what was expected there.
    """
    if len(text) > _MOST_CHARACTERS:
        raise ManifestError(f"longer than {_MOST_CHARACTERS} characters; make several rules of it, all must hold")
    reader = _Reader(text)
    rule = reader.rule(0)
    if reader.token is not None:
        raise reader.fault("expected `and`, `or` or the end")
    return rule


class _Reader:
    """Reads a rule token by token; ``token`` is the one that comes next, ``None`` at the end."""

    def __init__(self, text: str) -> None:
        self._text, self._at, self._next = text.rstrip(), 0, 0
        self.token: str | None = None
        self._kind = ""
        self._step()

    def rule(self, depth: int) -> Rule:
        found = self._all(depth)
        while self._taken("or"):
            found = Both(found, self._all(depth), every=False)
        return found

    def fault(self, expected: str) -> ManifestError:
        found = f"found `{self.token}`" if self.token is not None else "the rule ends there"
        return ManifestError(f"{expected} at character {self._at + 1}, {found}")

    def _all(self, depth: int) -> Rule:
        found = self._term(depth)
        while self._taken("and"):
            found = Both(found, self._term(depth), every=True)
        return found

    def _term(self, depth: int) -> Rule:
        if depth > _DEEPEST:
            raise self.fault(f"more than {_DEEPEST} parentheses or `not` within one another")
        if self._taken("not"):
            return Not(self._term(depth + 1))
        if not self._taken("("):
            return self._comparison()
        found = self.rule(depth + 1)
        if not self._taken(")"):
            raise self.fault("expected `)`")
        return found

    def _comparison(self) -> Comparison:
        mirrored = self._kind == "number"
        first = self._number() if mirrored else self._column()
        sign = self.token
        if sign not in COMPARE:
            raise self.fault(f"expected one of {', '.join(COMPARE)}")
        self._step()
        if mirrored:
            return Comparison(str(self._column()), _MIRRORED[sign], float(first))
        return Comparison(str(first), sign, self._number())

    def _column(self) -> str:
        column = self.token or ""
        if not _COLUMN.fullmatch(column):
            raise self.fault("expected a column, as in `near_copy.similarity`,")
        self._step()
        return column

    def _number(self) -> float:
        if self._kind != "number":
            raise self.fault("expected a number")
        number = float(self.token or 0)
        self._step()
        return number

    def _taken(self, token: str) -> bool:
        if self.token != token:
            return False
        self._step()
        return True

    def _step(self) -> None:
        """Go on to the next token."""
        self._at = self._next
        if self._at >= len(self._text):
            self.token, self._kind = None, ""
            return
        match = _TOKEN.match(self._text, self._at)
        if match is None:
            self._at += len(self._text[self._at :]) - len(self._text[self._at :].lstrip())
            self.token = self._text[self._at]
            raise self.fault("expected a column, a number or a comparison")
        self._kind = str(match.lastgroup)
        self.token, self._at, self._next = match[self._kind], match.start(self._kind), match.end()

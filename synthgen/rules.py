"""The rules that images are kept by: a small grammar over columns of scores, parsed and never evaluated as code.

::

    rule    = compare | best | balance
    compare = SCORER.COLUMN ("<" | "<=" | ">" | ">=" | "==" | "!=") NUMBER
    best    = ("highest" | "lowest") COUNT "by" SCORER.COLUMN      of each label and skin tone
    balance = "balance" "skin_tone"                                of each label, as many of every tone as of its rarest
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from synthgen.documents import near

_COLUMN = r"(?P<scorer>[a-z][\w-]*)\.(?P<column>[a-z]\w*)"
_NUMBER = r"(?P<value>[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)"
_COMPARE = re.compile(rf"{_COLUMN}\s*(?P<operator><=|>=|==|!=|<|>)\s*{_NUMBER}", re.IGNORECASE)
_BEST = re.compile(rf"(?P<order>highest|lowest)\s+(?P<count>[1-9]\d{{0,8}})\s+by\s+{_COLUMN}")
_BALANCE = re.compile(r"balance\s+skin_tone")
_FORMS = "`near_copy.similarity < 0.86`, `highest 50 by agreement.probability` or `balance skin_tone`"


@dataclass(frozen=True, slots=True)
class Compare:
    """Keeps an image whose value compares so; one that has no value (NaN) is kept."""

    text: str
    column: str
    operator: str
    value: float


@dataclass(frozen=True, slots=True)
class Best:
    """Keeps so many of each label and skin tone, those with the highest or the lowest values."""

    text: str
    column: str
    highest: bool
    count: int


@dataclass(frozen=True, slots=True)
class Balance:
    """Keeps, of each label, as many images of every skin tone as there are of its rarest."""

    text: str


Rule = Compare | Best | Balance


def parse(text: str, columns: Mapping[str, tuple[str, ...]]) -> Rule:
    """Read a rule.

    Args:
        text: What was written.
        columns: The columns that there are to compare, by scorer.

    Raises:
        ValueError: It is no rule, or names a scorer or a column that is not there; the message says what is near.
    """
    words = " ".join(text.split())
    if _BALANCE.fullmatch(words):
        return Balance(words)
    compare, best = _COMPARE.fullmatch(words), _BEST.fullmatch(words)
    if compare:
        return Compare(words, _column(compare, columns), compare["operator"], float(compare["value"]))
    if best:
        return Best(words, _column(best, columns), best["order"] == "highest", int(best["count"]))
    raise ValueError(f"`{words}` is no rule; write one like {_FORMS}")


def _column(match: re.Match[str], columns: Mapping[str, tuple[str, ...]]) -> str:
    scorer, column = match["scorer"], match["column"]
    if scorer not in columns:
        raise ValueError(f"no scorer `{scorer}` under `curate.scorers`; {near(scorer, columns)}")
    if column not in columns[scorer]:
        raise ValueError(f"`{scorer}` has no column `{column}`; {near(column, columns[scorer])}")
    return f"{scorer}.{column}"

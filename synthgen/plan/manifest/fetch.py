"""What a manifest says of a real dataset that is given as addresses: ``real.fetch``."""

import re
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from synthgen.core.yaml_documents import Strict

_Text = Annotated[str, Field(min_length=1)]
_Texts = _Text | Annotated[list[_Text], Field(min_length=1)]
COLUMN = re.compile(r"\{([^{}]+)\}")


class Fetch(Strict):
    """Where each image is to be had, and where it goes; lists where a row of the data has several images.

    Attributes:
        url: The column that holds the address; of several, the empty ones are skipped.
        to: The file in the source's folder, as a pattern over columns: ``images/{md5hash}.jpg``; one for each ``url``.
        md5: The column that holds the file's MD5, in hexadecimal; not checked where it is left out or empty.
        prefix: Put before what the column holds, where that is only the end of an address.
        requests_per_second: To one host, at the most.
        max_attempts: How often an address is asked for before it counts as failed.
        user_agent: Who we say we are; ``synthgen`` and its version if left out.
    """

    url: _Texts
    to: _Texts
    md5: _Text | None = None
    prefix: str = ""
    requests_per_second: float = Field(default=5.0, gt=0, le=1000)
    max_attempts: int = Field(default=5, ge=1, le=20)
    user_agent: str = Field(default="", pattern=r"^[ -~]*$")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """Each column of addresses, with the pattern of its file."""
        urls, patterns = ([value] if isinstance(value, str) else value for value in (self.url, self.to))
        return list(zip(urls, patterns, strict=True))

    @property
    def columns(self) -> list[str]:
        """Every column that is named, once."""
        named = [name for url, pattern in self.pairs for name in (url, *COLUMN.findall(pattern))]
        return list(dict.fromkeys([*named, *([self.md5] if self.md5 else [])]))

    @field_validator("to")
    @classmethod
    def _names_columns(cls, to: str | list[str]) -> str | list[str]:
        for pattern in [to] if isinstance(to, str) else to:
            if not COLUMN.search(pattern):
                raise ValueError(f"`{pattern}` names no column, so all would be one file; write images/{{column}}.jpg")
        return to

    @field_validator("prefix")
    @classmethod
    def _is_of_the_web(cls, prefix: str) -> str:
        if prefix and not prefix.startswith(("https://", "http://")):
            raise ValueError("must begin with https:// or http://")
        return prefix

    @model_validator(mode="after")
    def _as_many(self) -> Self:
        counts = [1 if isinstance(value, str) else len(value) for value in (self.url, self.to)]
        if counts[0] != counts[1]:
            raise ValueError(f"`url` names {counts[0]} columns and `to` {counts[1]} files; give one file for each")
        if counts[0] > 1 and self.md5:
            raise ValueError("`md5` is for one `url`; leave it out where there are several")
        return self

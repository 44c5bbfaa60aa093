"""Which real images a manifest takes out, also of a run that has begun: ``real.exclude``."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from synthgen.core.yaml_documents import Strict

_Text = Annotated[str, Field(min_length=1)]


def texts(values: Any) -> Any:
    """A list of texts, where YAML may have read some as numbers or truth values."""
    if not isinstance(values, list):
        return values
    return [str(one) if isinstance(one, bool | int | float) else one for one in values]


def _by_column(mapping: Any) -> Any:
    return {key: texts(values) for key, values in mapping.items()} if isinstance(mapping, dict) else mapping


_Texts = Annotated[list[_Text], BeforeValidator(texts)]


class Exclude(Strict):
    """Real images that are taken out, with all that was made from them; an image goes that any of these names.

    Attributes:
        ids: By the id that metadata give, or by the name of the file.
        groups: By group, which is a patient or a lesion: all images of each.
        where: By metadata: images of rows whose column has one of these values, whichever column.
        file: A text file with an id or a group a line; empty lines and those that begin with ``#`` say nothing.
    """

    ids: _Texts = []
    groups: _Texts = []
    where: Annotated[dict[_Text, Annotated[list[str], Field(min_length=1)]], BeforeValidator(_by_column)] = {}
    file: _Text | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_whom(cls, written: Any) -> Any:
        names = texts(written if isinstance(written, list) else [written])
        if names and all(isinstance(one, str) for one in names):
            listed = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
            raise ValueError(
                f"say what is named: `{{ids: [{listed}]}}` for images, `{{groups: [{listed}]}}` for patients"
            )
        return written

    @model_validator(mode="after")
    def _something(self) -> "Exclude":
        if not (self.ids or self.groups or self.where or self.file):
            raise ValueError("names nothing; give ids, groups, where or file, or leave it out")
        return self

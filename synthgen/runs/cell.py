"""A cell of a run or dataset: one entry's images of one label and skin tone."""

from typing import Generic, NamedTuple, TypeVar

Tone = TypeVar("Tone", int, str)


class Cell(NamedTuple, Generic[Tone]):
    """One entry's images of one label and skin tone.

    Attributes:
        entry: The entry's name.
        label: The label.
        tone: The skin tone: in a ``Cell[int]`` its value on the manifest's scale, as plans have it; in a ``Cell[str]``
            its name, as records write it.
    """

    entry: str
    label: str
    tone: Tone

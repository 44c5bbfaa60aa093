"""An image with its record as the gallery and the contact sheet show it, the order of both, and the safe write."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.errors import InputError

THUMBNAIL = 128  # pixels of an image's longest side in the page
_FITZPATRICK = ("I", "II", "III", "IV", "V", "VI")
_FITZPATRICK_GROUPS = ("12", "34", "56")
_MONK = tuple(str(tone) for tone in range(1, 11))
_SCALE_ORDER = (*_FITZPATRICK, *_FITZPATRICK_GROUPS, *_MONK)


@dataclass(frozen=True, slots=True)
class Picture:
    """One image that was made, with its record.

    ``record`` is the sample's decoded JSON; ``image`` the bytes of its JPEG, PNG or WebP file; ``original`` those of
    the image that it starts from, at the size that was made; ``None`` where it starts from none, or none is shown.
    ``rejected`` says why it is not kept, and is empty for one that is; ``None`` where nothing was judged.
    """

    record: Mapping[str, Any]
    image: bytes
    original: bytes | None = None
    rejected: str | None = None

    @property
    def key(self) -> str:
        """The key names the sample, and is the same in the record and in the file's name."""
        return str(self.record["key"])


def tones_in_order(pictures: Iterable[Picture]) -> list[str]:
    """The skin tones that occur, in their scale's order, foreign names next, unknown last."""
    return sorted({str(picture.record["skin_tone"]) for picture in pictures}, key=_tone_rank)


def labels_in_order(pictures: Iterable[Picture]) -> list[str]:
    """The labels that occur, by label_id, as the dataset counts them."""
    found = {(int(p.record["label_id"]), str(p.record["label"])) for p in pictures}
    return list(dict.fromkeys(label for _, label in sorted(found)))


def refuse_foreign(out: Path, is_own: Callable[[Path], bool]) -> None:
    """Raises :class:`~synthgen.errors.InputError` where something lies at ``out`` that is not ours."""
    if os.path.lexists(out) and not (out.is_file() and is_own(out)):
        raise InputError(f"{out}: was not made by synthgen preview, so it is left alone; choose another name")


def replace_own(out: Path, data: bytes, is_own: Callable[[Path], bool]) -> None:
    """Put ``data`` in the place of ``out`` in one step, where ``out`` is absent or ``is_own``.

    Raises :class:`~synthgen.errors.InputError` where something else lies there.
    """
    refuse_foreign(out, is_own)
    out.parent.mkdir(parents=True, exist_ok=True)
    atomic.sweep(out.parent, out.name)
    scratch = out.with_name(f".{out.name}.{atomic.owner()}")
    try:
        with atomic.naming(out):
            scratch.write_bytes(data)
        scratch.replace(out)
    finally:
        scratch.unlink(missing_ok=True)


def _tone_rank(tone: str) -> tuple[int, str]:
    if tone == "unknown":
        return len(_SCALE_ORDER) + 1, tone
    return (_SCALE_ORDER.index(tone) if tone in _SCALE_ORDER else len(_SCALE_ORDER)), tone

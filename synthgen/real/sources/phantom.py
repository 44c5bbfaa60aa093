"""Procedural skin images with known label and tone, drawn when they are read; no data are needed."""

import io
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from synthgen.core.yaml_documents import near
from synthgen.errors import DamagedError, Fault, ManifestError
from synthgen.plan import skin_tones
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.real.sources import SourceRow
from synthgen.vision.images import codec

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_DRAWN = "algorithmicMedia"  # IPTC: made by an algorithm that has learned from no data
_TYPES = tuple(skin_tones.NAMES["fitzpatrick"])
_PLACE = re.compile(r"(?:(mask)/)?([a-z-]+)-([1-6])-([0-9]{7,})")


class Settings(SourceSettings):
    """How many to draw in all, from which seed, and by which camera: ``a`` or ``b``.

    They are dealt round over the manifest's labels that can be drawn and the six Fitzpatrick types; the n-th of a label
    and type is that of ``synthgen phantom`` with the same seed and site.
    """

    count: Annotated[int, Field(ge=1, le=10_000_000)]
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    site: Literal["a", "b"] = "b"

    @property
    def has_masks(self) -> bool:
        """Whether a mask comes with its images: every phantom's is drawn with it."""
        return True


def open_source(settings: Settings, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> "PhantomReader":
    """The phantoms of some settings."""
    return PhantomReader(settings, labels)


class PhantomReader:
    """Lists phantoms and draws them."""

    name = "synthgen phantom"
    columns: Sequence[str] = ("label", "skin_tone", "fitzpatrick", "site")

    def __init__(self, settings: Settings, labels: Collection[str]) -> None:
        self._settings = settings
        self._labels = labels

    def rows(self) -> Iterator[SourceRow]:
        """Every phantom's label and type.

        Raises:
            ManifestError: None of the manifest's labels can be drawn.
        """
        from synthgen.phantom.conditions import CONDITIONS

        labels = [label for label in CONDITIONS if label in self._labels]
        if not labels:
            given = next(iter(self._labels), "")
            said = f"phantom draws no label of the manifest; {near(given, CONDITIONS)}"
            raise ManifestError(Fault.at("real.source", said, "conflict"))
        cells = [(label, tone) for tone in _TYPES for label in labels]
        for number in range(self._settings.count):
            label, tone = cells[number % len(cells)]
            place = f"{label}-{tone}-{number // len(cells):07d}"
            values = {"label": label, "skin_tone": skin_tones.name("fitzpatrick", tone), "fitzpatrick": tone}
            yield SourceRow(place, place, values | {"site": self._settings.site}, place, mask=f"mask/{place}")

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Nothing has to be kept."""
        return {}

    def read(self, location: str) -> bytes:
        """The PNG of a phantom or of its mask, the same bytes each time."""
        from synthgen.phantom import render

        found = _PLACE.fullmatch(location)
        if not found:
            raise DamagedError(f"no phantom {location}")
        mask, label, tone, number = found[1], found[2], int(found[3]), int(found[4])
        site = self._settings.site
        render.check([label], [tone], site)
        phantom = render.render_one(
            label, tone, site, render.image_seed(self._settings.seed, site, label, tone, number)
        )
        return _mask(phantom.mask) if mask else codec.encode(phantom.image, codec.Encoding("png"), _DRAWN)


def _mask(mask: "npt.NDArray[np.bool_]") -> bytes:
    """A mask as PNG: 255 where the disease is."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(mask.astype("uint8") * 255).save(file, format="png")
    return file.getvalue()

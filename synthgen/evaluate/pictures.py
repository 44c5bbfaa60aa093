"""Reads the pixels of single images, real and synthetic, when they are asked for; none is held."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen import datasets_on_disk, images, photographs, tars
from synthgen.errors import DamagedError
from synthgen.evaluate.synthetic import Place

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from synthgen.real import Source

    Pixels = npt.NDArray[np.uint8]

_BESIDE_THE_IMAGE = ("json", "cls")


class Pictures:
    """Reads images of a study, each as uint8 sRGB of shape (height, width, 3).

    Args:
        read_real: The bytes of an indexed real image.
        places: Where each synthetic image lies, by key.
    """

    def __init__(self, read_real: Callable[[Source], bytes], places: Mapping[str, Place]) -> None:
        self._read_real, self._places = read_real, places
        self._held: tuple[Path, dict[str, bytes]] = (Path(), {})

    def real(self, source: Source) -> Pixels:
        """A real image.

        Raises:
            InputError: It is not the one that was indexed, or can't be read any more.
        """
        return photographs.open_photograph(self._read_real(source))

    def synthetic(self, key: str) -> Pixels:
        """A synthetic image.

        Raises:
            DamagedError: It can't be read.
        """
        place = self._places[key]
        if place.shard.suffix == ".tar":
            with place.shard.open("rb") as file:
                file.seek(place.offset)
                files = tars.unpack(file.read(place.size))
            return images.decode(next(files[name] for name in files if name not in _BESIDE_THE_IMAGE))
        if self._held[0] != place.shard:  # rows of Parquet are read a shard at a time, as they are asked for in order
            stored = datasets_on_disk.read_shard(place.shard)
            self._held = place.shard, {sample.key: sample.image for sample in stored}
        if key not in self._held[1]:
            raise DamagedError(f"{place.shard}: {key} is gone; run `synthgen verify`")
        return images.decode(self._held[1][key])

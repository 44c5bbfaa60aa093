"""Images of a dataset on the Hugging Face Hub, or of one here that the `datasets` library opens."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from synthgen.core import atomic
from synthgen.core.paths import expanded
from synthgen.core.yaml_documents import near
from synthgen.errors import DamagedError, Fault, ManifestError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.real.sources import SourceRow, _hf_loading
from synthgen.real.sources._hf_dataset import Opened
from synthgen.real.sources._hf_places import Places

_Text = Annotated[str, Field(min_length=1)]
_KEPT = "sha256:"


class Settings(SourceSettings):
    """The dataset: an id on the Hub, or a folder, a Parquet file or an image folder here; scripts are never run.

    Attributes:
        path: The id or the path.
        name: The configuration, where the dataset has several.
        revision: The commit or tag on the Hub.
        hub_split: The only split to take; all where left out. A column ``hub_split`` says which one a row is from.
        streaming: Read the images one after another and keep only those that are used, instead of downloading all.
        follow_links: Whether links that lead out of a folder are followed.
    """

    path: _Text
    name: _Text | None = None
    revision: _Text | None = None
    hub_split: _Text | None = None
    streaming: bool = False
    follow_links: bool = Field(default=False, exclude=True)


def open_source(settings: Settings, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> "HubReader":
    """The images of a dataset; it is loaded when something of it is asked for."""
    return HubReader(settings, base, cache)


class HubReader:
    """Lists and reads the images of a dataset; a ClassLabel is its name, and ``a.b`` is field ``b`` of struct ``a``."""

    def __init__(self, settings: Settings, base: Path, cache: Path | None) -> None:
        self.name = PurePosixPath(settings.path).stem if (base / settings.path).exists() else settings.path
        self._settings, self._base, self._cache = settings, base, cache or base

    @property
    def columns(self) -> Sequence[str]:
        """All columns but those of images.

        Raises:
            InputError: The dataset can't be loaded.
        """
        return list(dict.fromkeys([*self._data.columns, "hub_split"]))

    def rows(self) -> Iterator[SourceRow]:
        """Every image of every row.

        Raises:
            InputError: There is no such column of images, or the dataset can't be loaded.
        """
        asked = self._settings.columns
        masks = self._asked("mask", [asked.mask] if asked.mask else [])
        images = self._asked("image", self._images(asked.image))
        for split, number, paths, refused, values in self._data.rows([*images, *masks]):
            places = {name: f"{split}/{number}/{name}" for name in paths}
            mask = next((places[name] for name in masks if name in places and not refused.get(name)), "")
            held = [name for name in images if name in places]
            stems = [PurePosixPath(paths[name]).stem or f"{split}-{number:07d}" for name in held]
            for name, stem in zip(held, stems, strict=True):
                said, origin = {"hub_split": split} | values, f"{split}/{stems[0]}"
                yield SourceRow(places[name], stem, said, origin, mask, refused.get(name, ""))
            if not held:
                yield SourceRow("", "", values, "")

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Where the dataset is streamed, write the files to the cache, each called by its sha256.

        Raises:
            InputError: The dataset can't be loaded.
        """
        if not self._settings.streaming:
            return {}
        wanted = set(locations)
        self._cache.mkdir(parents=True, exist_ok=True)
        atomic.sweep(self._cache)
        moved: dict[str, str] = {}
        for split, number, row in self._data.streamed():
            for name in self._data.pictures:
                place = f"{split}/{number}/{name}"
                if place in wanted:
                    moved |= self._kept(place, row[name])
        return moved

    def read(self, location: str) -> bytes:
        """The file's own bytes.

        Raises:
            DamagedError: It is not there any more.
            InputError: The dataset can't be loaded.
        """
        if location.startswith(_KEPT):
            try:
                return (self._cache / location.removeprefix(_KEPT)).read_bytes()
            except OSError as error:
                raise DamagedError(f"no file {location.removeprefix(_KEPT)} ({error.strerror})") from None
        if self._settings.streaming:
            raise DamagedError(f"no image {location} in {self._settings.path}")
        split, number, name = location.split("/", 2)
        return self._data.read(split, int(number), name)

    @cached_property
    def _data(self) -> Opened:
        one = self._settings
        local = self._base / expanded(one.path, "real.path")
        places = Places(one.path, local, follow_links=one.follow_links)
        splits = _hf_loading.load(
            one.path,
            local,
            places,
            name=one.name,
            revision=one.revision,
            split=one.hub_split,
            streaming=one.streaming,
        )
        return Opened(one.path, splits, one.streaming, places)

    def _kept(self, place: str, image: object) -> dict[str, str]:
        """From a place in the stream to the one in the cache; nothing for an image that can't be read."""
        try:
            content = self._data.content(image)
        except DamagedError:
            return {}
        digest = hashlib.sha256(content).hexdigest()
        if not (self._cache / digest).exists():
            atomic.write(self._cache / digest, content)
        return {place: _KEPT + digest}

    def _images(self, asked: str | list[str] | None) -> list[str]:
        """The columns of images that are asked for: the one called ``image``, or the first, where none is."""
        if asked is None:
            others = [name for name in self._data.pictures if name != self._settings.columns.mask]
            return ["image"] if "image" in others else others[:1] or ["image"]
        return [asked] if isinstance(asked, str) else asked

    def _asked(self, key: str, names: list[str]) -> list[str]:
        known = self._data.pictures
        missing = [name for name in names if name not in known]
        if missing:
            told = self._data.told_of_others
            there = near(missing[0], known) if known or not told else f"there are none, but {told}"
            raise ManifestError(
                *(
                    Fault.at(f"real.columns.{key}", f"no column of images `{name}`; {there}", "not_found")
                    for name in missing
                )
            )
        return names

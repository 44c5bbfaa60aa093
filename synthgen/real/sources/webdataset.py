"""Images in WebDataset tars, on disk or at an address; listing reads headers and metadata only."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import Field

from synthgen.core.yaml_documents import near
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest.settings import SourceSettings
from synthgen.real.sources import SourceRow, _tars
from synthgen.real.sources._files import EXTENSIONS
from synthgen.real.sources._tars import TarMember

_Text = Annotated[str, Field(min_length=1)]


class Settings(SourceSettings):
    """The tars: paths or addresses that fsspec opens, in which ``*`` and braces may stand, ``train-{000..012}.tar``.

    A folder means the tars in it. The columns are the fields of a sample's ``json``, its ``cls`` and ``txt``,
    ``__key__``, and ``__url__``, which is the tar's name. ``columns.image`` and ``columns.mask`` are extensions:
    ``jpg``, ``mask.png``.
    """

    path: _Text | Annotated[list[_Text], Field(min_length=1)]


def open_source(settings: Settings, base: Path, cache: Path | None, *, labels: Collection[str] = ()) -> "TarReader":
    """The images of some tars."""
    return TarReader(settings, base)


class TarReader:
    """Lists the samples of tars, and reads their members where they lie."""

    def __init__(self, settings: Settings, base: Path) -> None:
        self._settings, self._base = settings, base
        self._paths = [settings.path] if isinstance(settings.path, str) else settings.path
        self._held: list[TarMember] | None = None
        parts = PurePosixPath(self._paths[0].partition("://")[2] or self._paths[0]).parts
        self.name = next((part for part in reversed(parts[:-1]) if part not in ("data", "..", "/")), "")
        self.name = self.name or (parts[-1] if parts else base.resolve().name)

    @property
    def columns(self) -> Sequence[str]:
        """All the metadata that any sample has.

        Raises:
            InputError: There are no such tars, or one can't be read.
        """
        found = list(dict.fromkeys(name for sample in self._samples() for name in sample.values))
        dotted = next((name for one in self._samples() for name in one.members if name.endswith(".json")), "")
        if dotted and not any(one.read for one in self._samples()):
            raise ManifestError(
                Fault.at(
                    "real.path",
                    f"no sample has a `json`; what follows the first dot of a name is its extension, here `{dotted}`: "
                    "rename the members so that their keys hold no dot",
                    "unsupported",
                )
            )
        return found

    def rows(self) -> Iterator[SourceRow]:
        """Every image of every sample.

        Raises:
            InputError: No sample has the extension that the settings name, or a tar can't be read.
        """
        asked = self._settings.columns
        images = [asked.image] if isinstance(asked.image, str) else asked.image or []
        masks = [asked.mask] if asked.mask else []
        self._check("image", images)
        self._check("mask", masks)
        for sample in self._samples():
            names = images or _conventional(sample, masks)
            found = [sample.members[name] for name in names if name in sample.members] or [""]
            mask = next((sample.members[name] for name in masks if name in sample.members), "")
            stem = PurePosixPath(sample.key).name
            if sample.broken:
                yield SourceRow("", stem, sample.values, sample.key, fault="its JSON can't be read")
                continue
            for _ in range(0 if images else len(_pictures(sample, masks)) - 1):
                yield SourceRow("", stem, sample.values, sample.key, fault="a further image of its sample")
            for place in found:
                yield SourceRow(place, stem, sample.values, sample.key, mask)

    def keep(self, locations: Collection[str]) -> Mapping[str, str]:
        """Members are read where they lie."""
        return {}

    def read(self, location: str) -> bytes:
        """The bytes of a member.

        Raises:
            DamagedError: The tar ends within it.
            InputError: The tar can't be read.
        """
        return _tars.read(location, self._base)

    def _check(self, key: str, names: Sequence[str]) -> None:
        known = dict.fromkeys(extension for sample in self._samples() for extension in sample.members) if names else {}
        faults = [
            f"real.columns.{key}: no sample has `{name}`; {near(name, known)}" for name in names if name not in known
        ]
        if faults:
            raise ManifestError(*faults)

    def _samples(self) -> list[TarMember]:
        if self._held is None:
            tars = dict.fromkeys(tar for path in self._paths for tar in _tars.named(path, self._base))
            self._held = [sample for tar in tars for sample in _tars.samples(tar, self._base)]
        return self._held


def _conventional(sample: TarMember, masks: Collection[str]) -> list[str]:
    """The extension of a sample's image: one that is no more than a format's, or else ends in one."""
    return _pictures(sample, masks)[:1]


def _pictures(sample: TarMember, masks: Collection[str]) -> list[str]:
    """The extensions of a sample's images, that of the one that counts first."""
    others = [extension for extension in sample.members if extension not in masks]
    plain = [extension for extension in others if f".{extension}" in EXTENSIONS]
    return plain or [extension for extension in others if extension.endswith(EXTENSIONS)]

"""Where the files of a dataset may lie: in its own folder, on its page of the Hub, or in the cache of its downloads.

A cell, or the header of a card, may name any file or address; whoever opens a stranger's dataset would have it read.
The library ``datasets`` follows all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

from synthgen.errors import Fault, ManifestError

_ARCHIVES = ("zip", "tar", "gzip", "bz2", "lz4", "xz", "zstd")  # that `datasets` looks into, as in zip://a.png::b.zip
_SHOWN = 80


class Places:
    """The places that files of one dataset may lie in.

    Args:
        path: The dataset: a folder or a file here, or an id on the Hub.
        local: Where that is here; not there for an id.
        follow_links: Whether links may lead out of its folder.
    """

    def __init__(self, path: str, local: Path, *, follow_links: bool = False) -> None:
        self._path, self._local, self._follow_links = path, local, follow_links

    def refusal(self, named: str) -> str:
        """Why a file that the data name is not read; empty where it may be."""
        *inner, last = named.split("::")
        archives = all(part.partition("://")[0] in _ARCHIVES for part in inner)
        return "" if archives and self._holds(last) else f"outside of the dataset: {named[:_SHOWN]}"

    def check_header(self) -> None:
        """Refuse a folder whose card names files elsewhere, before anything is asked for by those names.

        Raises:
            ManifestError: It names some.
        """
        from huggingface_hub import metadata_load

        card = self._local / "README.md"
        if not self._local.is_dir() or not card.is_file():
            return
        configs = (metadata_load(card) or {}).get("configs")
        for config in configs if isinstance(configs, list) else []:
            if isinstance(config, dict):
                self._check(_texts([config.get("data_files"), config.get("data_dir")]), _leads_away)

    def check_files(self, data_files: Any) -> None:
        """Refuse a dataset whose own files would be read from elsewhere.

        Args:
            data_files: What the library has found, by split; ``None`` for what it keeps in its cache.

        Raises:
            ManifestError: Some of them lie elsewhere.
        """
        if not self._local.is_file():  # else the user has named that very file
            self._check(_texts(data_files), lambda name: bool(self.refusal(name)))

    def _check(self, names: Iterable[str], leads_away: Any) -> None:
        away = next((name for name in names if leads_away(name)), "")
        if away:
            said = f"`{self._path}` names files outside of it, `{away[:_SHOWN]}`; nothing of it is read"
            raise ManifestError(Fault.at("real.path", said, "unsupported"))

    def _holds(self, name: str) -> bool:
        if "://" in name:
            own = tuple(f"hf://datasets/{self._path}{mark}" for mark in "@/")
            return not self._local.exists() and name.startswith(own) and ".." not in name.split("/")
        try:
            path = Path(name)
            if self._follow_links and self._local.is_dir() and ".." not in path.parts:
                return path.absolute().is_relative_to(self._local.absolute())
            return any(path.resolve().is_relative_to(root) for root in self._roots)
        except (OSError, RuntimeError, ValueError):  # links in a circle, or a character that no path has
            return False

    @cached_property
    def _roots(self) -> list[Path]:
        """The folders there are: its own, or that of its downloads, and the one that archives are unpacked in."""
        import datasets
        from huggingface_hub import constants

        own = [self._local] if self._local.is_dir() else []
        if not self._local.exists():
            own = [Path(constants.HF_HUB_CACHE) / f"datasets--{self._path.replace('/', '--')}"]
        return [one.resolve() for one in (*own, Path(datasets.config.EXTRACTED_DATASETS_PATH))]


def _leads_away(pattern: str) -> bool:
    return "://" in pattern or pattern.startswith(("/", "~", "\\")) or ".." in pattern.replace("\\", "/").split("/")


def _texts(found: Any) -> Iterator[str]:
    """Every text in some values, however deep."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for name, value in found.items():
            if name != "split":
                yield from _texts(value)
    elif isinstance(found, list | tuple):
        for value in found:
            yield from _texts(value)

"""Finds what ships with synthgen by its bare name: manifests, prompts and the card's template."""

from importlib.resources import files
from pathlib import Path
from typing import Literal

Kind = Literal["manifests", "prompts"]


def root() -> Path:
    """The folder that holds ``manifests/``, ``prompts/`` and ``dataset_card.md``.

    In an installed wheel it lies inside the package; in a checkout it is the repository's top.
    """
    package = Path(str(files("synthgen")))
    inside = package / "shipped"
    return inside if inside.is_dir() else package.parent


def names(kind: Kind) -> list[str]:
    """The bare names of everything of one kind that ships, sorted."""
    return sorted(path.stem for path in (root() / kind).glob("*.yaml"))


def find(kind: Kind, name: str) -> Path | None:
    """The path of a shipped file by its bare name, with or without ``.yaml``; ``None`` if none."""
    stem = name.removesuffix(".yaml")
    return root() / kind / f"{stem}.yaml" if stem in names(kind) else None


def card_template() -> Path:
    """The path of the dataset card's template."""
    return root() / "dataset_card.md"


def manifest(given: Path) -> tuple[Path, Path]:
    """A manifest's file, and the folder that its relative paths start from.

    They start from the manifest's own folder, or from the current one where ``given`` is the bare name of a manifest
    that ships: nobody keeps data inside a package.

    Args:
        given: A file, or the bare name of one that ships; returned as it is where it is neither.
    """
    found = None if given.is_file() else find("manifests", str(given))
    return (given, given.resolve().parent) if found is None else (found, Path.cwd())

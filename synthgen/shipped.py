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

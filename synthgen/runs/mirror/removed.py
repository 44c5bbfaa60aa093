"""What was taken away from a run since it met its mirror: it does not come back, and adapters move as a whole."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from synthgen.core import adapter_folder, atomic
from synthgen.runs import set_aside
from synthgen.runs.own_files import own_file

Listing = Mapping[str, str]
_FACTS = f"/{adapter_folder.FACTS}"
_ASIDE = f"{adapter_folder.FOLDER}/.aside/"


def stays_away(name: str, listing: Listing, mine: Listing, before: Listing) -> bool:
    """Whether a file that a mirror lists is not to come here: it was taken away here, or its adapter is another here.

    What a run can't do without, as the salt of pseudonyms or the index of real images, always comes.

    Args:
        name: Its path in the run.
        listing: The sha256 of each file of the mirror.
        mine: The sha256 of each file here.
        before: The sha256 of each file when both last met.
    """
    facts = _facts_of(name)
    if facts in listing:
        return mine.get(facts) != listing[facts] and before.get(facts) == listing[facts]
    removable = name == set_aside.FILE or name.startswith((f"{adapter_folder.FOLDER}/", "sources/"))
    return removable and name not in mine and before.get(name) == listing[name]


def follow(root: Path, listing: Listing, gone: Listing, mine: Listing, before: Listing) -> bool:
    """Whether an adapter was moved here as it was elsewhere, or made room for the one that took its place there.

    One that has changed here since both last met stays as it is.

    Args:
        root: The run's folder.
        listing: The sha256 of each file of the mirror.
        gone: The sha256 of each file that was taken away there.
        mine: The sha256 of each file here.
        before: The sha256 of each file when both last met.

    Raises:
        DamagedError: The mirror names a file outside of the run.
    """
    found = False
    for facts in sorted(_adapters(mine), key=lambda name: name.startswith(_ASIDE)):  # set aside before taken back
        ours, folder = mine[facts], facts.removesuffix(_FACTS)
        unknown = facts not in listing and gone.get(facts) != ours
        files = [name for name in mine if name.startswith(f"{folder}/")]
        if listing.get(facts) == ours or unknown or any(before.get(name) != mine[name] for name in files):
            continue
        places = [one for one in _adapters(listing) if listing[one] == ours and one != facts]
        here, there = root / folder, own_file(root, places[0]).parent if places else None
        if there and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            atomic.publish(here, there)
        elif there or facts in listing:
            shutil.rmtree(here)  # the mirror keeps its bytes
        else:
            continue
        found = True
    return found


def _facts_of(name: str) -> str:
    """The path of the facts of the adapter that a file is of."""
    parts = name.split("/")
    depth = 3 if name.startswith(_ASIDE) else 2
    return "/".join(parts[:depth]) + _FACTS if parts[0] == adapter_folder.FOLDER and len(parts) > depth else ""


def _adapters(listing: Listing) -> Iterator[str]:
    """The path of the facts of each adapter."""
    return (name for name in listing if name.endswith(_FACTS) and _facts_of(name) == name)

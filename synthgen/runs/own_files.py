"""The files that a folder's own tables name: in it, whoever wrote the tables, and no link, pipe or device elsewhere."""

from pathlib import Path, PurePosixPath

from synthgen.errors import DamagedError

_SHOWN = 80


def own_file(folder: Path, name: str) -> Path:
    """Where a file lies that data call by this name, there or not.

    Args:
        folder: The folder that the name starts from.
        name: As a table, an index or a provenance has it.

    Raises:
        DamagedError: It would be read from outside of the folder, or is no regular file.
    """
    parts = PurePosixPath(name.replace("\\", "/")).parts
    path = folder / name
    try:
        inside = bool(parts) and ".." not in parts and not PurePosixPath(name).is_absolute()
        inside = inside and path.resolve().is_relative_to(_home(folder.resolve()))
        strange = inside and path.exists() and not path.is_file()
    except (OSError, RuntimeError, ValueError):  # links in a circle, or a character that no path has
        inside, strange = False, False
    if not inside:
        raise DamagedError(f"{folder}: names a file outside of it: {name[:_SHOWN]}; nothing of it is read")
    if strange:
        raise DamagedError(f"{path}: no regular file")
    return path


def _home(folder: Path) -> Path:
    """What a folder's files may lie in: itself; of one in the Hub's cache, whose files are links to blobs, its page."""
    for above in folder.parents:
        if above.name == "snapshots" and (above.parent / "blobs").is_dir():
            return above.parent
    return folder

"""Which plug-in files may be run: those that the user has named, remembered by their sha256.

Naming a manifest to a command runs the plug-in files that it names, as running any script does. A folder that is merely
opened (verified, previewed, packed) may come from a stranger, and so may the code beside its data.
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from synthgen.core import atomic, locks
from synthgen.errors import InputError

VARIABLE = "SYNTHGEN_TRUST_PLUGINS"
_MOST = 1000  # files remembered, the newest
_named: dict[str, str] = {}  # by this process, whose home may not be writable
_everything = [False]


def remember(files: Mapping[str, Path]) -> None:
    """Remember files by the sha256 of their content: the user has named them.

    Where the file of the user's can't be written, as in a container, it is remembered as long as the process lives.
    """
    found = {sha256: str(path) for sha256, path in files.items()}
    _named.update(found)
    if _holds(found, _read() if found else {}):
        return
    try:
        _file().parent.mkdir(parents=True, exist_ok=True)
        with locks.held(_file().with_suffix(".lock")):  # two commands that begin at once keep each other's
            kept = dict(list(({**_read(), **found}).items())[-_MOST:])
            atomic.write(_file(), json.dumps(kept, indent=1).encode())
    except (OSError, RuntimeError, InputError):  # RuntimeError: nobody's home; InputError: no lock to be had
        return


def _holds(found: Mapping[str, str], known: Mapping[str, str]) -> bool:
    return all(known.get(sha256) == path for sha256, path in found.items())


def trusts(sha256: str) -> bool:
    """Whether a file of that content may be run: the user has named it once, or trusts every plug-in now."""
    if _everything[0] or os.environ.get(VARIABLE) == "1":
        return True
    return sha256 in _named or sha256 in _read()


def last_seen(sha256: str) -> Path | None:
    """Where a file of that content was when the user named it; ``None`` for one that was never named."""
    found = _named.get(sha256) or _read().get(sha256)
    return Path(found) if found else None


@contextmanager
def everything() -> Iterator[None]:
    """Trust every plug-in file inside."""
    before, _everything[0] = _everything[0], True
    try:
        yield
    finally:
        _everything[0] = before


def said() -> tuple[bool, dict[str, str]]:
    """What the user has said to this process: whether to trust every plug-in, and which files, by their sha256."""
    return _everything[0], dict(_named)


def repeat(told: tuple[bool, dict[str, str]]) -> None:
    """Trust, as long as this process lives, what was :func:`said` to the one that started it."""
    _everything[0] = _everything[0] or told[0]
    _named.update(told[1])


def _file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("synthgen") / "plugins.json"


def _read() -> dict[str, str]:
    """What is remembered; an absent or unreadable file remembers nothing."""
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # RuntimeError: nobody's home
        return {}
    return {str(key): str(value) for key, value in content.items()} if isinstance(content, dict) else {}

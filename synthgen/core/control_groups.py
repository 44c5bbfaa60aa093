"""How many processors a container may keep busy, which ``os.cpu_count`` does not know.

Not loky's ``cpu_count``, which reads the same files: it comes with joblib, which nothing here needs.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from synthgen.core import digits

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")


def cpus(root: Path = _ROOT, own: Path = _OWN) -> float | None:
    """The smallest share that this process's control groups set, in processors, by version 2 or 1; ``None`` for none.

    Args:
        root: Where control groups are mounted.
        own: The list of those that this process is in.
    """
    shares = [share for folder in _folders(root, own) if (share := _share(folder)) is not None]
    return min(shares, default=None)


def _folders(root: Path, own: Path) -> Iterator[Path]:
    """The folders of this process's groups and of all above them; in a container often the root alone is there."""
    for line in _read(own).splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        for mount in [root / controllers, root / "cpu"] if controllers else [root]:
            inside = PurePosixPath(path.lstrip("/"))
            yield from (mount / part for part in (inside, *inside.parents) if ".." not in part.parts)


def _share(folder: Path) -> float | None:
    quota, period = [*_read(folder / "cpu.max").split(), "", ""][:2]
    if not period:
        quota, period = _read(folder / "cpu.cfs_quota_us").strip(), _read(folder / "cpu.cfs_period_us").strip()
    allowed, each = digits.whole(quota), digits.whole(period)
    return allowed / each if allowed is not None and each else None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, ValueError):
        return ""

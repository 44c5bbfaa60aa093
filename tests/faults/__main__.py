"""The harness of faults, as long as one likes: ``python tests/faults --damages 2000 --kills 1200``."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parent))
sys.modules["torch"] = None  # type: ignore[assignment]  # nothing here needs it, and it takes seconds

import damages  # noqa: E402
import kills  # noqa: E402
import page  # noqa: E402
import specimen  # noqa: E402


def main() -> int:
    """Damage and kill; returns 1 where a damage was missed or a file was another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=2000, metavar="N", help="damage so many files")
    parser.add_argument("--kills", type=float, default=1200, metavar="S", help="kill commands for so many seconds")
    parser.add_argument("--seed", type=int, default=1, help="what decides every case")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("MPLCONFIGDIR", os.fspath(Path.home() / ".cache/matplotlib"))  # its fonts take seconds
        os.environ |= {"XDG_CACHE_HOME": f"{scratch}/cache", "XDG_CONFIG_HOME": f"{scratch}/config"}
        if asked.damages:
            bad += _damage(Path(scratch) / "damages", asked.seed, asked.damages, write=asked.write)
        if asked.kills:
            bad += _kill(Path(scratch) / "kills", asked.seed, asked.kills, write=asked.write)
    return 1 if bad else 0


def _damage(root: Path, seed: int, number: int, *, write: bool) -> int:
    targets, found, began = specimen.build(root), [], time.monotonic()
    for case in damages.cases(targets, seed, range(number)):
        found.append(case)
        if case.outcome == "missed":
            print(f"missed: {case.where}", flush=True)
        if len(found) % 100 == 0:
            print(f"{len(found)} damages in {time.monotonic() - began:.0f} s", flush=True)
            if write:  # so that one that is stopped has not been for nothing
                page.store("damages", page.damages(found, seed))
    summary = page.damages(found, seed)
    if write:
        page.store("damages", summary)
    print(f"{len(found)} damages, {len(summary['missed'])} missed")
    return len(summary["missed"])


def _kill(root: Path, seed: int, seconds: float, *, write: bool) -> int:
    root.mkdir()
    found = []
    for one in kills.episodes(root, seed, seconds):
        found.append(one)
        print(f"{one.verb}: {one.moment:.3f} s: {', '.join(one.differs) or 'the same'}", flush=True)
    summary = page.kills(found, seed)
    if write:
        page.store("kills", summary)
    print(f"{len(found)} commands, {sum(one.killed for one in found)} killed, {len(summary['differing'])} not the same")
    return len(summary["differing"])


if __name__ == "__main__":
    sys.exit(main())

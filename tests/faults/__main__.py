"""The harness of faults, as long as one likes: ``python tests/faults --damages 2000 --kills 1200 --manifests 1000``."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.fspath(Path(__file__).parent))
if "--torch" not in sys.argv:
    sys.modules["torch"] = None  # type: ignore[assignment]  # nothing else needs it, and it takes seconds

import damages
import kills
import page
import specimen

import manifests


def main() -> int:
    """Damage and kill; returns 1 where a damage was missed or a file was another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--damages", type=int, default=2000, metavar="N", help="damage so many files")
    parser.add_argument("--kills", type=float, default=1200, metavar="S", help="kill commands for so many seconds")
    parser.add_argument("--signals", type=float, default=600, metavar="S", help="send signals for so many seconds")
    parser.add_argument(
        "--manifests", type=int, default=1000, metavar="N", help="change so many manifests and plan them"
    )
    parser.add_argument("--torch", action="store_true", help="kill commands that take torch, and no others")
    parser.add_argument("--seed", type=int, default=1, help="what decides every case")
    parser.add_argument("--write", action="store_true", help="write docs/reliability.md")
    asked = parser.parse_args()
    print(f"seed {asked.seed}", flush=True)
    bad = 0
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.setdefault("MPLCONFIGDIR", os.fspath(Path.home() / ".cache/matplotlib"))  # its fonts take seconds
        os.environ |= {"HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9"}
        os.environ |= {"XDG_CACHE_HOME": f"{scratch}/cache", "XDG_CONFIG_HOME": f"{scratch}/config"}
        if asked.damages:
            bad += _damage(Path(scratch) / "damages", asked.seed, asked.damages, write=asked.write)
        if asked.manifests:
            bad += _plan(Path(scratch) / "manifests", asked.seed, asked.manifests, write=asked.write)
        for part in ("kills", "signals"):
            if getattr(asked, part):
                bad += _kill(Path(scratch) / part, asked, part)
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


def _plan(root: Path, seed: int, number: int, *, write: bool) -> int:
    found = []
    for case in manifests.cases(root, seed, range(number)):
        found.append(case)
        if case.bad:
            print(case.where, flush=True)
    summary = page.manifests(found, seed)
    if write:
        page.store("manifests", summary)
    print(f"{len(found)} manifests, {len(summary['bad'])} that ended otherwise than they have to")
    return len(summary["bad"])


def _kill(root: Path, asked: argparse.Namespace, part: str) -> int:
    root.mkdir()
    found = []
    options = {"signals": part == "signals", "torch": asked.torch}
    for one in kills.episodes(root, asked.seed, getattr(asked, part), **options):
        found.append(one)
        print(f"{one.verb}: {one.sent} after {one.moment:.3f} s: {', '.join(one.differs) or 'the same'}", flush=True)
        if asked.write:  # so that one that is stopped has not been for nothing
            page.store(part, page.kills(found, asked.seed), more=asked.torch)
    summary = page.kills(found, asked.seed)
    middle = sum(one.killed for one in found)
    print(f"{len(found)} commands, {middle} in the middle, {len(summary['differing'])} not the same")
    return len(summary["differing"])


if __name__ == "__main__":
    sys.exit(main())

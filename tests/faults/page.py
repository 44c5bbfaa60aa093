"""Writes ``docs/reliability.md`` from what the harness has found; every figure of the page comes from there."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results.json"
PAGE = Path(__file__).parents[2] / "docs/reliability.md"
_HEAD = """# Reliability

What happens to files on disk, to commands, and to manifests with mistakes, and what is then lost. `make faults` wrote
this page: it damages files, kills commands and changes manifests, as many as one likes (`make faults
FAULTS_ARGS="--damages 20000 --kills 7200 --manifests 5000 --seed 5"`), and a short form runs with the tests. Seeds are
given, so each case can be had again.

"""
_DAMAGES = """## Damage

A small study has a file of every kind that is left on disk: a run that was topped up, its scores and verdicts, an
adapter, a dataset in each format, a report. One file is damaged at a time: a bit flipped, the end cut, a stretch
zeroed, deleted, swapped with another of its kind, replaced by a copy of another, appended to, or a value edited; half
the time with its time of modification kept. Then `verify` reads the folder. **Seen**: it names the damage, and what to
do. **Mended**: the file is a copy of what is elsewhere, which `curate` makes again, to the same verdicts. **Missed**:
neither.

"""
_DAMAGES_NOT = """
Not covered: a change by somebody who writes the file's own sha256 anew, which is forging and not damage; a file of a
run of version 0.2.0 or earlier that has no sha256 of its own (JSON and tables); features kept in `scores/.features`,
which have checksums of their own and are computed again; `.pseudonyms`, a salt that nothing else tells; `preview.html`,
which is made again. The adapter and the reports hold random numbers.

"""
_KILLS = """## Kills

Each command is killed with SIGKILL at a random moment, run again to its end, and every file that it leaves is compared
with those of an unbroken one, to the byte; of receipts all but times. A scratch file left lying counts as a difference.

"""
_SIGNALS = """## Signals

The same with SIGTERM, SIGINT, SIGHUP or SIGUSR1, which have to end a command with exit code 75 within ten seconds (or 0
where it was done just then), or with SIGSTOP and, after a moment, SIGCONT, which have to change nothing.

"""
_MANIFESTS = """## Manifests

Every manifest that ships is changed, in one to four places: a value that is odd there, a key gone, mistyped, added,
wrapped or moved, or the text itself cut, indented, or with a letter of YAML's more. Then `plan` reads it. **Refused**:
exit code 2, a line for each fault, within two seconds of CPU. **Planned**: the change is none that matters, or a
manifest that is as good. **Broken**: a traceback, another exit code, another kind of line, too slow.

"""
_KILLS_NOT = """
Not in these tables: `fetch` and `publish`, which take a network, and whose tests break connections; several processes
in one folder; power cuts, of which a kill shows nothing. `finetune` and `classifier-eval` take torch: `--torch` tries
them, and tests of their own kill them each time (`tests/finetune/test_resume.py`, `tests/evaluate/test_evaluate.py`).
"""


def store(part: str, found: Mapping[str, Any], *, more: bool = False) -> None:
    """Keep what one part of the harness has found, in place of what it found before, and write the page.

    With ``more`` rows of other commands stay.
    """
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    before = results.get(part) if more else None
    if before:
        verbs = tuple(f"{verb}," for verb in found["rows"])
        stays = [one for one in before["differing"] if not one.startswith(verbs)]
        found = {**found, "rows": before["rows"] | found["rows"], "differing": stays + found["differing"]}
    results[part] = found
    RESULTS.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    PAGE.write_text(text(results), encoding="utf-8")


def text(results: Mapping[str, Any]) -> str:
    """The page."""
    parts = [_HEAD]
    if damages := results.get("damages"):
        parts += [_DAMAGES, _table_of_damages(damages), _named("missed", damages["missed"]), _DAMAGES_NOT]
    if found := results.get("manifests"):
        parts += [_MANIFESTS, _table_of_manifests(found), _named("broken", found["bad"]), "\n"]
    for part, head in (("kills", _KILLS), ("signals", _SIGNALS)):
        if found := results.get(part):
            parts += [head, _table_of_kills(found), _named("not the same", found["differing"]), "\n"]
    if "kills" in results or "signals" in results:
        parts[-1] = _KILLS_NOT
    return "".join(parts)


def damages(found: Sequence[Any], seed: int) -> dict[str, Any]:
    """What is kept of damages."""
    rows: dict[str, Counter[str]] = {}
    for case in found:
        rows.setdefault(case.kind, Counter()).update([case.outcome, f"{case.damage} {case.outcome}"])
    missed = [case.where for case in found if case.outcome == "missed"]
    return {"seed": seed, "rows": {kind: dict(row) for kind, row in rows.items()}, "missed": missed}


def kills(found: Sequence[Any], seed: int) -> dict[str, Any]:
    """What is kept of kills."""
    rows: dict[str, Counter[str]] = {}
    for one in found:
        said = ["begun", "killed" if one.killed else "done before", "differs" if one.differs else "same"]
        rows.setdefault(one.verb, Counter()).update(said)
    differing = [
        f"{one.verb}, {one.sent} after {one.moment:.3f} s: {', '.join(one.differs)}" for one in found if one.differs
    ]
    return {"seed": seed, "rows": {verb: dict(row) for verb, row in rows.items()}, "differing": differing}


def manifests(found: Sequence[Any], seed: int) -> dict[str, Any]:
    """What is kept of manifests."""
    rows: dict[str, Counter[str]] = {}
    for case in found:
        rows.setdefault(case.change, Counter()).update(["broken" if case.bad else case.outcome])
    slowest = max((case.seconds for case in found if case.outcome == "refused"), default=0.0)
    bad = [case.where for case in found if case.bad]
    return {"seed": seed, "rows": {change: dict(row) for change, row in rows.items()}, "bad": bad,
            "slowest": round(slowest, 2)}  # fmt: skip


def _table_of_manifests(found: Mapping[str, Any]) -> str:
    lines, total = ["| change | tried | refused | planned | broken |", "|---|--:|--:|--:|--:|"], Counter[str]()
    for change, row in sorted(found["rows"].items()):
        total.update(row)
        lines.append(_manifest_line(change, row))
    lines += [_manifest_line("**all**", total), ""]
    return "\n".join([*lines, f"Seed {found['seed']}. The slowest refusal took {found['slowest']} s of CPU.", ""])


def _manifest_line(change: str, row: Mapping[str, int]) -> str:
    told = [row.get(outcome, 0) for outcome in ("refused", "planned", "broken")]
    return f"| {change} | {sum(told):,} | {' | '.join(f'{one:,}' for one in told)} |"


def _table_of_damages(found: Mapping[str, Any]) -> str:
    names = ("flip", "truncate", "zero", "delete", "swap", "duplicate", "append", "edit")
    lines = [f"| file | tried | seen | mended | missed | {' | '.join(names)} |", f"|---|{'--:|' * (4 + len(names))}"]
    total = Counter[str]()
    for kind, row in found["rows"].items():
        total.update(row)
        lines.append(_damage_line(kind, row, names))
    lines.append(_damage_line("**all**", total, names))
    return "\n".join(
        [*lines, "", f"Seed {found['seed']}. A column of a damage: how many were noticed, of how many.", ""]
    )


def _damage_line(kind: str, row: Mapping[str, int], names: Sequence[str]) -> str:
    def of(name: str) -> str:
        noticed = row.get(f"{name} seen", 0) + row.get(f"{name} mended", 0)
        return f"{noticed}/{noticed + row.get(f'{name} missed', 0)}"

    told = [row.get(outcome, 0) for outcome in ("seen", "mended", "missed")]
    return f"| {kind} | {sum(told):,} | {' | '.join(f'{one:,}' for one in told)} | {' | '.join(map(of, names))} |"


def _table_of_kills(found: Mapping[str, Any]) -> str:
    lines = [
        "| command | begun | in the middle | done before | the same to the byte |",
        "|---|--:|--:|--:|--:|",
    ]
    total = Counter[str]()
    for verb, row in found["rows"].items():
        total.update(row)
        lines.append(_kill_line(f"`{verb}`", row))
    lines.append(_kill_line("**all**", total))
    return "\n".join([*lines, "", f"Seed {found['seed']}.", ""])


def _kill_line(verb: str, row: Mapping[str, int]) -> str:
    return f"| {verb} | {' | '.join(str(row.get(name, 0)) for name in ('begun', 'killed', 'done before', 'same'))} |"


def _named(what: str, cases: Sequence[str]) -> str:
    if not cases:
        return f"\nNone was {what}.\n"
    return "\n".join(["", f"{what.capitalize()}:", "", *(f"- {one}" for one in cases), ""])

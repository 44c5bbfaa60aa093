"""``synthgen verify``: re-reads every byte."""

import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from synthgen.cli import _options, _progress, _signals
from synthgen.cli._terminal import say

if TYPE_CHECKING:
    from synthgen.runs.foreign_code import ForeignCode
    from synthgen.runs.verify import Finding


_MADE_LATER = "missing"


@click.command("verify")
@click.argument("directory", metavar="DIR", type=_options.FolderOrMirror(path_type=Path, file_okay=False))
@_options.mirror(_options.BRINGS)
@_options.trust
@_options.verbosity
def command(directory: Path, *, mirror: str | None, quiet: bool) -> int:
    """Re-read every byte of a run or a packed dataset and say what is whole, missing or damaged.

    Checks checksums, counts, keys, fields, that every image decodes, and the plan's digests. Damaged work shards are
    marked, and the next `synthgen generate` makes exactly those again.

    Of a study's folder its run is verified. Python files that the folder asks to run are listed first, and none of them
    is run unless you trust it.

    Exit code 1: something is damaged. 3: whole, but not complete.

    Example: synthgen verify runs/quickstart/work
    """
    from synthgen import study
    from synthgen.extensions import EXTENSIONS
    from synthgen.runs import foreign_code, study_layout
    from synthgen.runs.folders import is_either
    from synthgen.runs.verify import verify

    if mirror is not None:
        with _signals.stoppable() as stop, _progress.Stages(stop, quiet=quiet) as stages:
            study.brought(directory, mirror, progress=stages, stop=stop)
    directory = study_layout.either_of(directory)
    for code in foreign_code.asked(directory) if is_either(directory) else ():
        if not (quiet and code.trusted):
            say(_of_code(code))
    states: Counter[str] = Counter()
    images = failed = 0
    for place, found in itertools.groupby(verify(directory, EXTENSIONS), _place):
        findings = list(found)
        states.update(finding.state for finding in findings)
        images += sum(finding.samples for finding in findings)
        failed += sum(finding.failed for finding in findings)
        if place == _MADE_LATER:
            say(f"missing: {_span(findings)}: not made yet")
        else:
            for finding in findings:
                if finding.state != "whole":
                    say(f"{finding.state}: {finding.path}: {finding.message}")
    if not quiet and (told := _signed(directory, states["damaged"])):
        say(told)
    if not quiet:
        what = f"{states['whole']} files whole, {states['missing']} missing, {states['damaged']} damaged"
        held = f"; {images:,} images" if is_either(directory) else ""  # a report has none
        say(what + held + (f", {failed:,} could not be made" if failed else ""))
    return 1 if states["damaged"] else 3 if states["missing"] else 0


def _signed(dataset: Path, damaged: int) -> str:
    """Who signed a dataset; empty where nobody did, or something is damaged."""
    from synthgen.runs import signature

    if damaged or not (dataset / signature.FILE).is_file():
        return ""
    if not signature.is_installed():
        return "its signature was not checked: pip install 'synthgen-images[sign]'"
    return f"{signature.read(dataset)}; whether that certificate is to be trusted is not known here"


def _of_code(code: "ForeignCode") -> str:
    """The line of a Python file that the folder asks to run."""
    said = f"sha256 {code.sha256[:12]}" if code.sha256 else "not there"
    trusted = "you have named it, or trust it" if code.trusted else "not trusted; not run without --trust-plugins"
    return f"asks to run: {code.what}: {code.path} ({said}): {trusted}"


def _place(finding: "Finding") -> str:
    """What findings that follow each other are told together by: work shards that are simply not made yet."""
    return _MADE_LATER if finding.state == "missing" and not finding.message else finding.path


def _span(findings: Sequence["Finding"]) -> str:
    first, last = findings[0].path, findings[-1].path
    return first if len(findings) == 1 else f"{first} to {last} ({len(findings)} files)"

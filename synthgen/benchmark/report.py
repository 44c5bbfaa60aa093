"""The report of a benchmark: one screen, a Markdown page and a JSON file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.runner import StepResult
from synthgen.core import atomic
from synthgen.core.releases import __version__

NAME = "gpu-report"
_MARKS = {"ok": "ok", "warn": "warn", "failed": "FAILED", "skipped": "skipped"}


def failed(results: Sequence[StepResult]) -> bool:
    """Whether anything failed; what was skipped or warned of has not."""
    return any(result.count("failed") for result in results)


def line(result: StepResult) -> str:
    """A step in one line."""
    counts = ", ".join(f"{result.count(status)} {_MARKS[status]}" for status in _MARKS if result.count(status))
    if result.skipped:
        return f"{result.letter}  {result.title}: skipped, {result.fault}"
    said = f"{result.letter}  {result.title}: {counts or 'nothing to check'} ({result.seconds:.0f} s)"
    return f"{said}; {result.fault}" if result.fault else said


def summary(results: Sequence[StepResult]) -> Iterator[str]:
    """What is printed at the end: the counts, whatever failed or was warned of, and the rates."""
    yield ", ".join(f"{_MARKS[status]} {sum(result.count(status) for result in results)}" for status in _MARKS)
    for status in ("failed", "warn"):
        for result in results:
            for check in result.checks:
                if check["status"] == status:
                    yield f"  {_MARKS[status]} {result.letter} {check['name']}" + _said(check["said"])
    for result in results:
        if result.fault and not result.skipped:
            yield f"  FAILED {result.letter} {result.title}: {result.fault}"
    rates = [
        (figure["name"], figure["value"])
        for result in results
        for figure in result.figures
        if figure["unit"] in ("images/s", "h")
    ]
    if rates:
        yield "rates:"
        width = max(len(name) for name, _ in rates)
        yield from (f"  {name:<{width}}  {value:g}" for name, value in rates)


def write(results: Sequence[StepResult], folder: Path, *, device: str, reduced: bool) -> tuple[Path, Path]:
    """Write ``gpu-report.md`` and ``gpu-report.json`` into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    document = {
        "generator": f"synthgen {__version__}",
        "device": device,
        "reduced": reduced,
        "failed": failed(results),
        "rates": [] if reduced else list(rates(results)),
        "steps": [result.to_dict() for result in results],
    }
    page, data = folder / f"{NAME}.md", folder / f"{NAME}.json"
    atomic.write(data, json.dumps(document, indent=1, ensure_ascii=False).encode())
    atomic.write(page, "\n".join(_page(results, device, reduced)).encode())
    return page, data


def rates(results: Sequence[StepResult]) -> Iterator[dict[str, Any]]:
    """The fastest rate of each architecture, as ``synthgen plan --gpu-report`` reads it."""
    figures = [(str(one["name"]), one["value"]) for result in results for one in result.figures]
    for of in ARCHITECTURES.values():
        ending = f": images/s at {of.steps} steps"
        timed = [float(value) for said, value in figures if said.startswith(f"{of.name}: ") and said.endswith(ending)]
        if timed:
            yield {
                "architecture": of.name,
                "family": of.family,
                "weights": of.weights,
                "pixels": of.side**2,
                "passes": of.passes,
                "images_per_second": max(timed),
            }


def _page(results: Sequence[StepResult], device: str, reduced: bool) -> Iterator[str]:
    yield "# What this device does"
    yield ""
    size = "networks reduced to tiny ones, so figures say nothing of real models" if reduced else "full-size networks"
    yield f"Made by `synthgen doctor --benchmark` of synthgen {__version__} on {device}, {size}."
    yield ""
    yield "```"
    yield from (line(result) for result in results)
    yield ""
    yield from summary(results)
    yield "```"
    for result in results:
        yield ""
        yield f"## {result.letter}: {result.title}"
        yield ""
        if result.fault:
            yield f"{'Skipped' if result.skipped else 'FAILED'}: {_cell(result.fault)}"
            yield ""
        if result.figures:
            yield "| measured | | |"
            yield "|---|--:|---|"
            for figure in result.figures:
                yield f"| {_cell(figure['name'])} | {_cell(figure['value'])} | {_cell(figure['unit'])} |"
            yield ""
        if result.checks:
            yield "| checked | | |"
            yield "|---|---|---|"
            for check in result.checks:
                yield f"| {_cell(check['name'])} | {_MARKS[check['status']]} | {_cell(check['said'])} |"
    yield ""


def _said(text: str) -> str:
    return f": {text}" if text else ""


def _cell(value: object) -> str:
    """A value as a cell of a Markdown table: what would end the cell or begin a tag is escaped."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")

"""What a step of the benchmark finds: checks that hold or not, and figures."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

SO_FAR = "findings.json"
"""The file in a step's scratch folder that holds what it has found so far."""
Status = Literal["ok", "warn", "failed", "skipped"]


@dataclass
class Findings:
    """What one step has found so far, kept whenever something is added, so that a step that is cut short loses nothing.

    Attributes:
        step: The step's name.
        keep: Is given the whole as one line of JSON.
        checks: What holds or not: ``name``, ``status`` and what was ``said``.
        figures: What was measured: ``name``, ``value`` and ``unit``.
    """

    step: str
    keep: Callable[[bytes], object] = field(repr=False)
    checks: list[dict[str, str]] = field(default_factory=list)
    figures: list[dict[str, Any]] = field(default_factory=list)

    def check(self, name: str, holds: bool, said: str = "", *, otherwise: Status = "failed") -> None:
        """Add whether something holds; ``otherwise`` is its status where it does not."""
        self._add(name, "ok" if holds else otherwise, said)

    def skip(self, name: str, why: str) -> None:
        """Add that something was left out, and why."""
        self._add(name, "skipped", why)

    def fail(self, name: str, why: str) -> None:
        """Add that something could not be done, and why."""
        self._add(name, "failed", why)

    def figure(self, name: str, value: float | str, unit: str = "") -> None:
        """Add what was measured; numbers are kept to four digits."""
        kept = float(f"{value:.4g}") if isinstance(value, float) else value
        self.figures.append({"name": name, "value": kept, "unit": unit})
        self.keep(self.line().encode())

    def line(self) -> str:
        """All of it as one line of JSON."""
        return json.dumps({"step": self.step, "checks": self.checks, "figures": self.figures}, ensure_ascii=False)

    def _add(self, name: str, status: Status, said: str) -> None:
        self.checks.append({"name": name, "status": status, "said": " ".join(said.split())[:300]})
        self.keep(self.line().encode())

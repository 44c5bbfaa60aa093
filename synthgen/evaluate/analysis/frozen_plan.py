"""The analysis plan of a study: what will be compared, tested and claimed, frozen before there is any result."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.errors import DamagedError, InputError
from synthgen.evaluate.analysis import statistics
from synthgen.evaluate.analysis.predictions import FILE as PREDICTIONS
from synthgen.evaluate.analysis.predictions import Predictions, StudyFacts
from synthgen.evaluate.note import Note
from synthgen.plan.manifest.primary import Primary

FILE = "analysis-plan.json"
RULES = 1  # of the analysis: raised where another version tests or claims otherwise
_NOT_PLANNED = ("notes", "excluded", "name", "frozen")  # what a study found of its images, and what it is called


@dataclass(frozen=True, slots=True)
class AnalysisPlan:
    """What decides a study's claims before any result: its design, and what is to be shown of it.

    Attributes:
        content: The plan as plain values, by the name of each part.
    """

    content: dict[str, Any]

    @classmethod
    def of(cls, study: StudyFacts, trials: Iterable[tuple[str, str, int]], images: Sequence[str]) -> "AnalysisPlan":
        """The plan of a study.

        Args:
            study: Its facts.
            trials: The key, arm and seed of every trial; a key is a digest of all that decides a training.
            images: The ids of the test images.
        """
        known = sorted(trials)
        primary = Primary.of(study.primary, {arm for _, arm, _ in known})
        facts = {name: one for name, one in json.loads(study.to_json()).items() if name not in _NOT_PLANNED}
        return cls(
            facts
            | {
                "primary": primary.model_dump(mode="json"),
                "trials": {"count": len(known), "sha256": _sha256([key for key, _, _ in known])},
                "seeds": len({seed for _, _, seed in known}),
                "test_images": {"count": len(images), "sha256": _sha256(list(images))},
                "analysis": {"rules": RULES, "level": round(1 - statistics.LEVEL, 6), "draws": statistics.DRAWS},
            }
        )

    @property
    def digest(self) -> str:
        """The sha256 of the plan, in hex: what a protocol or a registry can name."""
        return _sha256(self.content)

    def differing(self, other: "AnalysisPlan") -> list[str]:
        """The names of the parts in which another plan is not this one."""
        names = sorted({*self.content, *other.content})
        return [name for name in names if self.content.get(name) != other.content.get(name)]


def freeze(out: Path, plan: AnalysisPlan) -> Path:
    """Write a plan into the report's folder, whose path is returned; the same one again changes nothing.

    Raises:
        InputError: There are results already, or another plan is frozen there.
    """
    frozen = read(out)
    if frozen is not None and frozen.digest == plan.digest:
        return out / FILE
    if frozen is not None:
        parts = ", ".join(frozen.differing(plan))
        raise InputError(f"{out / FILE}: another plan is frozen, it differs in {parts}; choose another folder")
    if (out / PREDICTIONS).exists() or any(out.glob("trials/*/*.safetensors")):
        raise InputError(
            f"{out}: there are results already, so nothing can be frozen before them; choose another folder"
        )
    said = {"format": 1, "sha256": plan.digest, "plan": plan.content}
    atomic.write(out / FILE, json.dumps(said, indent=1, sort_keys=True).encode() + b"\n")
    return out / FILE


def read(out: Path) -> AnalysisPlan | None:
    """The plan that was frozen in a report's folder; ``None`` where none was.

    Raises:
        DamagedError: It can't be read, or has been changed since.
    """
    path = out / FILE
    if not path.is_file():
        return None
    try:
        said = json.loads(path.read_bytes())
        found = AnalysisPlan(dict(said["plan"]))
        whole = found.digest == said["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        whole = False
    if not whole:
        raise DamagedError(
            f"{path}: not as it was frozen; put it back, or remove it, and the report says that none was"
        )
    return found


def followed(predictions: Predictions, out: Path) -> str:
    """Whether a study follows the plan frozen in its report's folder, as a note's Markdown; empty where none was.

    Raises:
        DamagedError: The plan can't be read, or has been changed since.
    """
    frozen = read(out)
    if frozen is None:
        return predictions.study.frozen
    trials = [(one.key, one.arm, one.seed) for one in predictions.trials]
    parts = ", ".join(frozen.differing(AnalysisPlan.of(predictions.study, trials, predictions.images)))
    if parts:
        said = "This study does not follow the analysis plan that was frozen before its results"
        return Note(f"{said} ({frozen.digest[:16]}): it differs in {parts}.", serious=True).markdown
    said = "This study follows the analysis plan that was frozen before its results"
    return Note(f"{said}: sha256 {frozen.digest}.").markdown


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

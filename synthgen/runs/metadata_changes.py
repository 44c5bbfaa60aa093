"""Says how the metadata of real images differ from the index that a run froze; no image is opened for it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from synthgen.errors import SynthgenError
from synthgen.plan.manifest import Manifest
from synthgen.plan.real_index import FaultKind, Index, Source
from synthgen.real import indexing

_WATCHED = ("folder",)  # whose metadata are tables here: reading another source may be a download
_log = logging.getLogger(__name__)
_SHOWN = 5
_told: dict[Path, str] = {}


@dataclass(frozen=True, slots=True)
class MetadataChanges:
    """How many real images the metadata say something else of than a frozen index.

    Attributes:
        new: Images that the index lacks.
        relabelled: With another label or skin tone.
        otherwise: With another group, split or licence.
        not_allowed: Usable in the index, and now left out: no row, no label, no consent, or not among the values
            of ``where``.
        no_file: Usable in the index, and their file is gone.
        withdrawn: The ids of those that are not allowed any more.
        reasons: Why rows are left out that were not, with how many; rows that are gone altogether are in none.
    """

    new: int = 0
    relabelled: int = 0
    otherwise: int = 0
    not_allowed: int = 0
    no_file: int = 0
    withdrawn: tuple[str, ...] = ()
    reasons: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        """The counts that are not 0, in words; empty where nothing has changed."""
        words = {
            "new": self.new,
            "relabelled": self.relabelled,
            "with another group, split or licence": self.otherwise,
            "no longer allowed": self.not_allowed,
            "whose file is gone": self.no_file,
        }
        return ", ".join(f"{count:,} {what}" for what, count in words.items() if count)

    @property
    def advice(self) -> str:
        """Who is not allowed any more, why, and how they are taken out; empty where nobody is."""
        if not self.withdrawn:
            return ""
        more = len(self.withdrawn) - _SHOWN
        listed = ", ".join(self.withdrawn[:_SHOWN]) + (f", and {more:,} more" if more > 0 else "")
        why = ", ".join(f"{count:,} {reason}" for reason, count in self.reasons.items()) or "their rows are gone"
        return f"no longer allowed: {listed} ({why}); `real.exclude: {{ids: [...]}}` takes them out"


def compare(frozen: Index, now: Index) -> MetadataChanges:
    """How an index by metadata alone differs from a frozen one; images that were at fault already don't count."""
    before = {one.id: one for one in frozen.sources}
    after = {one.id: one for one in now.sources}
    usable = [one for one in before.values() if not one.fault]
    pairs = [(one, after[one.id]) for one in usable if one.id in after]
    there = [(one, other) for one, other in pairs if other.fault_kind is not FaultKind.NO_FILE]
    shown = [(one, other) for one, other in there if (one.label, one.tone) != (other.label, other.tone)]
    left_out = {reason: count - frozen.left_out.get(reason, 0) for reason, count in now.left_out.items()}
    return MetadataChanges(
        new=sum(one.id not in before and not one.fault for one in now.sources),
        relabelled=len(shown),
        otherwise=sum(_kept_with(one) != _kept_with(other) for one, other in there) - _both(shown),
        not_allowed=len(usable) - len(pairs),
        no_file=len(pairs) - len(there),
        withdrawn=tuple(one.id for one in usable if one.id not in after),
        reasons={reason: more for reason, more in left_out.items() if more > 0},
    )


def warn(root: Path, read: Manifest, frozen: Index) -> None:
    """Log in a line what has changed since a run's index was frozen, once a process for each change.

    Nothing is said where the real images can't be reached, which a run that is moved or only packed does not need.

    Args:
        root: The run.
        read: Its manifest.
        frozen: Its index.
    """
    document, real = read.document, read.real
    if real is None or str(real.source) not in _WATCHED:
        return
    try:
        now = indexing.scan(
            real.source,
            real.settings.model_copy(update={"stratify": None}),  # what is drawn is not compared
            labels=document.labels,
            scale=document.skin_tones.scale,
            tones=document.skin_tones.values,
            seed=document.seed,
            base=read.base,
        )
    except (SynthgenError, OSError) as error:
        _log.debug("%s: real images are not compared with their metadata: %s", root, error)
        return
    if real.settings.stratify:  # the split of a group depends on all others, which may be new
        drawn = {one.id: one.split for one in now.sources}
        frozen = Index(tuple(replace(one, split=drawn.get(one.id, one.split)) for one in frozen.sources))
    if real.settings.near_duplicates:  # groups and splits are of what images look like, which metadata don't show
        groups = {one.id: (one.group, one.split) for one in now.sources}
        same = ((one, *groups.get(one.id, (one.group, one.split))) for one in frozen.sources)
        frozen = Index(tuple(replace(one, group=group, split=split) for one, group, split in same))
    changes = compare(frozen, now)
    said = str(changes)
    if said and _told.get(root) != said:
        advice = changes.advice or "`real.exclude` takes images out"
        _log.warning(
            "%s: the metadata of real images have changed since it was begun: %s; it goes on with those it froze. "
            "%s; for all of the new state begin another run, with another --out",
            root,
            said,
            advice[0].upper() + advice[1:],
        )
    _told[root] = said


def _kept_with(one: Source) -> tuple[str, str, str]:
    return one.group, one.split, one.license


def _both(shown: list[tuple[Source, Source]]) -> int:
    """Of relabelled images, those that have another group, split or licence too; they are counted once."""
    return sum(_kept_with(one) != _kept_with(other) for one, other in shown)

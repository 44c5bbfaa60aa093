"""The verdicts of a run, ``verdicts.parquet``: a row an image in the plan's order, whether it is kept, and why not.

Rows have ``key``, ``accepted`` and ``reasons``. What they follow from, and what they add up to, is in the file's
metadata. Nothing of it holds a time, so the same scores judged by the same rules give the same bytes.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from synthgen.core import checksums, table_file
from synthgen.core.hashing import sha256_file
from synthgen.errors import DamagedError, IncompleteError
from synthgen.plan.manifest import Curate
from synthgen.runs.audit import Audit

FILE, SCORES = "verdicts.parquet", "scores"
LISTED = (FILE, "survivors.csv", "survivors.png")  # in the run's list of checksums, which `curate` writes last
_META = "synthgen"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Filter:
    """One reason for which images were rejected.

    Attributes:
        reason: In words, as the rows have it.
        rejected: How many images it rejected.
        alone: How many of these nothing else rejected.
    """

    reason: str
    rejected: int
    alone: int


@dataclass(frozen=True, slots=True)
class Ratio:
    """How often a filter rejects dark skin beside light skin.

    Attributes:
        reason: The filter's reason; empty for all rules together.
        light: Images of light skin, judged.
        light_rejected: Of these, rejected by it.
        dark: Images of dark skin, judged.
        dark_rejected: Of these, rejected by it.
        ratio: Of the two rates, dark to light; ``None`` where no image of light skin was rejected.
        low: Of its 95 % interval, the lower end.
        high: The upper end.
    """

    reason: str
    light: int
    light_rejected: int
    dark: int
    dark_rejected: int
    ratio: float | None
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class CurationSummary:
    """The summary of a run's verdicts: what they follow from, and what they add up to.

    Attributes:
        run: The digest of the run's work shards that were judged, as of :func:`synthgen.runs.receipts.shards_digest`.
        scores: The sha256 of each scorer's file.
        curate: The ``curate`` block of the manifest that was judged by.
        judged: Images judged.
        accepted: Images accepted.
        filters: Every reason that there could be, in the order they are looked at.
        parity: How often dark skin is rejected beside light skin.
        audit: The near-duplicate audit; ``None`` where near-duplicates were not looked for.
    """

    run: str
    scores: Mapping[str, str]
    curate: Mapping[str, Any]
    judged: int
    accepted: int
    filters: Sequence[Filter]
    parity: Sequence[Ratio]
    audit: Audit | None

    def document(self) -> dict[str, Any]:
        """The summary as plain values, as the file keeps them and a dataset's digest covers them."""
        return asdict(self) | {"audit": self.audit.found if self.audit else ""}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was decided on one image.

    Attributes:
        key: Its key.
        accepted: Whether it is kept.
        reasons: Why it is not; empty where it is.
    """

    key: str
    accepted: bool
    reasons: tuple[str, ...]


def write(root: Path, keys: Any, accepted: Any, reasons: Any, facts: CurationSummary) -> None:
    """Write verdicts, durably: Arrow arrays of N keys, truth values and lists of reasons."""
    import pyarrow

    kept = json.dumps({"format": _FORMAT, **facts.document()}, sort_keys=True)
    table = pyarrow.table({"key": keys, "accepted": accepted, "reasons": reasons})
    table_file.write(root / FILE, table, {_META: kept})


def read_summary(root: Path) -> CurationSummary | None:
    """The summary of a run's verdicts; ``None`` where it has none.

    Raises:
        DamagedError: The file can't be read.
    """
    if not (root / FILE).exists():
        return None
    file = _open(root)
    with _reading(root):
        document = json.loads(file.schema_arrow.metadata[_META.encode()])
        if document.pop("format") != _FORMAT:
            raise ValueError("written by another version of synthgen")
        filters = [Filter(**one) for one in document.pop("filters")]
        parity = [Ratio(**one) for one in document.pop("parity")]
        found = document.pop("audit")
        return CurationSummary(filters=filters, parity=parity, audit=Audit(found) if found else None, **document)


def check(root: Path, run: str, curate: Curate | None) -> CurationSummary | None:
    """The summary of a run's verdicts, once it is sure that they are of this run, these scores and these rules.

    Args:
        root: The run.
        run: The digest of its work shards that count.
        curate: The ``curate`` block of its manifest; ``None`` where it has none.

    Raises:
        IncompleteError: They are missing where the manifest asks for some, or older than what they follow from.
    """
    facts, again = read_summary(root), f"run `synthgen curate {root}` again"
    if facts is None:
        if curate is None:
            return None
        raise IncompleteError(
            f"{root}: its manifest says what to keep, and nothing is judged yet; run `synthgen curate {root}`"
        )
    if curate is None:
        raise IncompleteError(
            f"{root / FILE}: the manifest has no `curate:` any more; put it back, or move this file away to pack all"
        )
    if facts.run != run:
        raise IncompleteError(f"{root / FILE}: the run has other images since it was judged; {again}")
    if dict(facts.curate) != curate.model_dump(mode="json"):
        raise IncompleteError(f"{root / FILE}: the manifest has other rules since it was judged; {again}")
    if dict(facts.scores) != {name: score_digest(root, name) for name in facts.scores}:
        raise IncompleteError(f"{root / FILE}: there are other scores since it was judged; {again}")
    return facts


def scores_path(root: Path, scorer: str) -> Path:
    """Where the scores that a scorer gave a run's images lie."""
    return root / SCORES / f"{scorer}.parquet"


def score_digest(root: Path, scorer: str) -> str:
    """The sha256 of a scorer's file; empty where there is none."""
    path = scores_path(root, scorer)
    return sha256_file(path) if path.exists() else ""


def read_accepted(root: Path) -> Iterator[tuple[str, bool]]:
    """Each image's key, and whether it is accepted, a few thousand in memory at a time."""
    for batch in _open(root).iter_batches(columns=["key", "accepted"]):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def read(root: Path) -> Iterator[Verdict]:
    """What was decided on each image of a run, in the plan's order; nothing where nothing was.

    Raises:
        DamagedError: It can't be read.
    """
    if not (root / FILE).exists():
        return
    for batch in _open(root).iter_batches(columns=["key", "accepted", "reasons"]):
        for row in batch.to_pylist():
            yield Verdict(row["key"], row["accepted"], tuple(row["reasons"]))


def read_scores(root: Path) -> dict[str, Any]:
    """The scores of each scorer that has finished, by its name: an Arrow table with a row an image.

    Raises:
        DamagedError: They can't be read.
    """
    found = {}
    for path in sorted((root / SCORES).glob("[!.]*.parquet")):
        with table_file.reading(path, advice=f"run `synthgen curate {root}` again"):
            found[path.stem], _ = table_file.read(path)
    return found


def acceptance_in_order(root: Path, facts: CurationSummary | None) -> Callable[[str], bool]:
    """A function that tells of one image after the other, in the order of the run, whether it is accepted.

    Args:
        root: The run.
        facts: What its verdicts follow from, as of :func:`check`; every image is accepted where it has none.
    """
    if facts is None:
        return lambda _: True
    rows = read_accepted(root)

    def accepted(key: str) -> bool:
        judged, kept = next(rows, ("", False))
        if judged != key:
            raise DamagedError(f"{root / FILE}: has no verdict on `{key}`; run `synthgen curate {root}` again")
        return kept

    return accepted


def _open(root: Path) -> Any:
    from pyarrow import parquet

    checksums.check(root / FILE, f"run `synthgen curate {root}` again")
    with _reading(root):
        return parquet.ParquetFile(root / FILE)


def _reading(root: Path) -> AbstractContextManager[None]:
    return table_file.reading(root / FILE, advice=f"run `synthgen curate {root}` again")

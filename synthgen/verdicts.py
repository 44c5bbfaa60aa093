"""Verdicts on disk: which images of a run are kept, and why the others are not; a row for every image, none deleted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from synthgen import durable
from synthgen.errors import DamagedError, IncompleteError

FILE = "verdicts.parquet"
_FACTS = b"synthgen"
_FIELDS = ("key", "label", "skin_tone", "accepted", "reason")


@dataclass(frozen=True)
class Verdicts:
    """What became of each image.

    Attributes:
        rows: ``key``, ``label``, ``skin_tone``, ``accepted`` and ``reason`` of every image, a pyarrow table; the reason
            holds the rules that it does not keep, empty where it keeps all.
        facts: What they were decided by: ``rules``, ``scores`` (a digest for each scorer), ``images`` (of the run), and
            ``audit``, what the search for near-copies found.
    """

    rows: Any
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """The sha256, in hex, of what they were decided by."""
        import hashlib

        return hashlib.sha256(json.dumps(self.facts, sort_keys=True).encode()).hexdigest()

    def rejected(self) -> dict[str, str]:
        """The reason of each image that is not kept, by key."""
        import pyarrow.compute

        table = self.rows.filter(pyarrow.compute.invert(self.rows["accepted"]))
        return dict(zip(table["key"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def reasons(self) -> dict[str, int]:
        """How many images each reason rejects, the most frequent first; in an image's reason, every rule counts."""
        found = Counter[str]()
        for (*_, reason), count in self.counts().items():
            found.update(dict.fromkeys(filter(None, reason.split("; ")), count))
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))

    def counts(self) -> Counter[tuple[str, str, str]]:
        """Images by (label, skin tone, reason); the reason is empty for those that are kept."""
        grouped = self.rows.group_by(["label", "skin_tone", "reason"]).aggregate([([], "count_all")]).to_pydict()
        names = zip(grouped["label"], grouped["skin_tone"], grouped["reason"], strict=True)
        return Counter(dict(zip(names, grouped["count_all"], strict=True)))


def write(root: Path, verdicts: Verdicts) -> None:
    """Write ``RUN/verdicts.parquet``, whole or not at all; the same verdicts give the same bytes."""
    import pyarrow as pa
    from pyarrow import parquet

    table = verdicts.rows.replace_schema_metadata({_FACTS: json.dumps(verdicts.facts, sort_keys=True)})
    sink = pa.BufferOutputStream()
    parquet.write_table(table, sink, compression="zstd")
    durable.write(root / FILE, sink.getvalue().to_pybytes())


def read(root: Path) -> Verdicts:
    """Read a run's verdicts.

    Raises:
        IncompleteError: There are none yet.
        DamagedError: They can't be read.
    """
    import pyarrow as pa
    from pyarrow import parquet

    path = root / FILE
    if not path.is_file():
        raise IncompleteError(f"{root}: no verdicts yet; run `synthgen curate {root}` first")
    try:
        table = parquet.read_table(path)
        if tuple(table.column_names) != _FIELDS:
            raise ValueError("other columns")
        return Verdicts(table, json.loads(table.schema.metadata[_FACTS]))
    except (OSError, pa.ArrowException, ValueError, KeyError, TypeError) as error:
        reason = " ".join(str(error).split())
        raise DamagedError(f"{path}: not a run's verdicts ({reason}); remove it and run `synthgen curate`") from None


def images_digest(shards: Sequence[str]) -> str:
    """Names the images of a run: the sha256, in hex, over the sha256 of every work shard, in the plan's order."""
    import hashlib

    return hashlib.sha256("".join(shards).encode()).hexdigest()

"""Which generated images a run's rules keep, where it has verdicts that are still true."""

from dataclasses import dataclass
from pathlib import Path

from synthgen import made, runs, verdicts
from synthgen.errors import IncompleteError
from synthgen.plan import Plan


@dataclass(frozen=True)
class Judged:
    """What verdicts say.

    Attributes:
        accepted: The keys of images that are kept; ``None`` where nothing is judged.
        reason: Why nothing is, where the manifest asks for it; empty otherwise.
    """

    accepted: frozenset[str] | None
    reason: str = ""

    def kept(self, key: str) -> bool | None:
        """Whether an image is kept; ``None`` where nothing is judged."""
        return None if self.accepted is None else key in self.accepted


def read(root: Path, plan: Plan) -> Judged:
    """The verdicts of a run; a packed dataset has none, as it holds nothing but what was kept.

    Raises:
        DamagedError: They can't be read.
    """
    curate = plan.manifest.document.curate
    if curate is None or not runs.is_run(root):
        return Judged(None)
    digest = made.digest(shard.receipt.sha256 for shard in made.shards(root, plan))
    try:
        verdicts.check(root, digest, curate)
    except IncompleteError as error:
        return Judged(None, str(error))
    return Judged(frozenset(key for key, accepted in verdicts.stream(root) if accepted))

"""Whether a dataset that is in the way may go: only where nothing is lost with it that its run could not give again."""

from pathlib import Path

from synthgen.core.hashing import sha256_file
from synthgen.pack.card.results import finish
from synthgen.runs import dataset_folder, set_aside
from synthgen.runs.folders import Run

_LEFT = (".lock", ".DS_Store", "Thumbs.db")  # what writing in a folder, and looking at it, leaves there


def objection(run: Run, out: Path) -> str:
    """Why a dataset may not give its name to another of the run; empty where it may.

    It may where the run has made every image that it holds, whether these count still or are set aside, and where
    nobody has put a file into the folder or written in its card.

    Args:
        run: The run that is packed.
        out: The dataset in the place that is asked for.

    Raises:
        DamagedError: The dataset's metadata, or what the run has set aside, can't be read.
    """
    made = {one.sha256 for shard in run.finished_shards() for one in shard.samples}
    made |= {one.sha256 for one in set_aside.read(run.root)}
    held = dataset_folder.read_metadata(out, ["key", "image_sha256"])
    if foreign := next((row["key"] for row in held if row["image_sha256"] not in made), None):
        return f"its image {foreign} is none of {run.root}"
    return of_somebody(out)


def of_somebody(out: Path) -> str:
    """What in a dataset's folder somebody has written, who would lose it with the dataset; empty where nothing is.

    Args:
        out: The dataset.

    Raises:
        DamagedError: The dataset's metadata can't be read.
    """
    finish(out)  # a report's way into its card, if that was broken off
    provenance = dataset_folder.read_provenance(out)
    unknown = dataset_folder.unknown_files(out, provenance, hidden=True)
    if added := next((name for name in unknown if Path(name).name not in _LEFT), None):
        return f"{added} in it is not of the dataset"
    card, facts = out / dataset_folder.CARD, provenance["files"].get(dataset_folder.CARD, {})
    if card.is_file() and sha256_file(card) != facts.get("sha256"):
        return f"somebody has changed {dataset_folder.CARD} in it"
    return ""

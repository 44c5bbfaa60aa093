"""What a packed dataset still holds of what its run has set aside since."""

from pathlib import Path

from synthgen.errors import IncompleteError
from synthgen.plan.manifest.settings import Extensions
from synthgen.runs import dataset_folder, set_aside, study_layout
from synthgen.runs.folders import Run


def count(dataset: Path, extensions: Extensions) -> int:
    """How many images of a dataset the run of its study has set aside; 0 where no run lies in its place.

    Images are told by their bytes, since a dataset may have other keys.

    Raises:
        DamagedError: A file of the run or the dataset can't be read.
        InputError: The run's manifest can't be read any more.
    """
    root = study_layout.run_in(study_layout.home_of(dataset))
    if root is None or not dataset_folder.is_dataset(dataset) or not (rows := set_aside.read(root)):
        return 0
    counted = {one.sha256 for shard in Run(root, extensions).finished_shards() for one in shard.samples}
    gone = {row.sha256 for row in rows} - counted - {""}
    return sum(row["image_sha256"] in gone for row in dataset_folder.read_metadata(dataset, ["image_sha256"]))


def check(dataset: Path, extensions: Extensions) -> None:
    """Refuse a dataset that holds images which its run has set aside since it was packed.

    Raises:
        IncompleteError: It does.
    """
    if held := count(dataset, extensions):
        raise IncompleteError(
            f"{dataset}: {held:,} of its images were set aside in its run since it was packed; move it away, run "
            f"`synthgen pack {study_layout.run_of(dataset)} --out {dataset}`, and publish that"
        )

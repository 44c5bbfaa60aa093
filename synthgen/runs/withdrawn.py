"""What a packed dataset still holds of what its run has set aside since."""

from pathlib import Path

from synthgen.errors import Fault, IncompleteError, InputError
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index
from synthgen.runs import dataset_folder, run_file, set_aside, study_layout
from synthgen.runs.folders import Run


def count(dataset: Path, extensions: Extensions, run: Path | None = None) -> int:
    """How many images of a dataset its run has set aside; 0 where nobody says the run and none lies in its place.

    Images are told by their bytes, since a dataset may have other keys.

    Args:
        dataset: The dataset.
        extensions: The plug-ins there are.
        run: The run that it was packed from; the one of its study where left out.

    Raises:
        DamagedError: A file of the run or the dataset can't be read.
        InputError: The run's manifest can't be read any more, or ``run`` has none of the images.
    """
    root = run or study_layout.run_in(study_layout.home_of(dataset))
    if root is None or not dataset_folder.is_dataset(dataset):
        return 0
    aside = {row.sha256 for row in set_aside.read(root)} - {""}
    if not aside and run is None:
        return 0
    counted = {one.sha256 for shard in Run(root, extensions).finished_shards() for one in shard.samples}
    held = [row["image_sha256"] for row in dataset_folder.read_metadata(dataset, ["image_sha256"])]
    if run is not None and held and (counted | aside).isdisjoint(held):
        raise InputError(Fault.at(str(run), f"has made none of the images of {dataset}; give its own run", "conflict"))
    return sum(one in aside - counted for one in held)


def check(dataset: Path, extensions: Extensions, run: Path | None = None) -> None:
    """Refuse a dataset that its run has set images of aside since it was packed, or that lists who is excluded.

    Args:
        dataset: The dataset.
        extensions: The plug-ins there are.
        run: The run that it was packed from; the one of its study where left out.

    Raises:
        IncompleteError: It is such a dataset.
        InputError: As of :func:`count`.
    """
    held = count(dataset, extensions, run)
    root = run or study_layout.run_in(study_layout.home_of(dataset))
    said = f"{held:,} of its images were set aside in its run since it was packed" if held else ""
    if not held and root and dataset_folder.is_dataset(dataset) and _lists_others(dataset, root):
        said = "what it says of real images is from before `real.exclude` took some of them out"
    if said:
        again = f"`synthgen pack {root if run else study_layout.run_of(dataset)} --out {dataset}`"
        raise IncompleteError(f"{dataset}: {said}; run {again}, and publish that")


def _lists_others(dataset: Path, root: Path) -> bool:
    """Whether a dataset knows other real images than its run, which takes some out."""
    document = run_file.read(root)
    excluded, path = run_file.excluded(document), root / run_file.index_file(document)
    known = dataset_folder.read_provenance(dataset).get("real_images_digest")
    return bool(excluded and known and path.exists()) and Index.read(path).without(excluded or {}).digest != known

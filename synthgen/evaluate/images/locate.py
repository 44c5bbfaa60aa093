"""Finds the synthetic images that a study is about: this run, a run or dataset folder, or a dataset on the Hub."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

from synthgen.core import hub, paths
from synthgen.errors import InputError, PlanMismatchError, UnavailableError, one_line
from synthgen.plan import real_index
from synthgen.plan.manifest import Manifest, RealImages
from synthgen.plan.real_index import Index
from synthgen.runs import dataset_folder, folders, load_plan, run_folder, study_layout


def find(synthetic: str, given: Path | None, *, name: str, base: Path, out: Path, run: bool = False) -> Path:
    """The folder of a run or a packed dataset; of a study's own folder, its dataset before its run.

    Args:
        synthetic: ``evaluate.synthetic`` of the manifest.
        given: A folder that takes its place; ``None`` for none.
        name: The manifest's name: ``this`` run is looked for beside the report, and then in ``runs/NAME``.
        base: The folder that relative paths start from.
        out: The report's folder.
        run: Whether of a study's own folder its run comes before its dataset.

    Raises:
        InputError: There is no such folder, or it is neither a run nor a dataset.
        UnavailableError: A Hub id can't be had.
    """
    if given is not None:
        return _inside(given, "--synthetic", run)
    if synthetic == "this":
        return _this(name, out, run)
    folder = base / paths.expanded(str(synthetic), "evaluate.synthetic")
    if folder.is_dir():
        return _inside(folder, "evaluate.synthetic", run)
    if not hub.REPO_ID.fullmatch(synthetic):
        raise InputError(f"evaluate.synthetic: no folder {folder}, and `{synthetic}` is no Hub id (org/name)")
    return _downloaded(synthetic)


def holds_run(folder: Path) -> bool:
    """Whether a folder is a run, or a study's own with a run in it."""
    return study_layout.run_in(folder) is not None


def _this(name: str, out: Path, run: bool) -> Path:
    places = [out.resolve().parent, Path("runs") / name]
    for place in places:
        found = _of_study(place, run)
        if found and name_of(found) == name:
            return found
    looked = " and ".join(str(place) for place in places)
    raise InputError(
        f"evaluate.synthetic: no run or dataset of `{name}` in {looked}; "
        "run `synthgen generate` first, or give its folder with --synthetic"
    )


def _inside(folder: Path, where: str, run: bool) -> Path:
    found = _of_study(folder, run)
    if found is None:
        raise InputError(f"{where}: {folder} is {folders.NEITHER}")
    return found


def _of_study(folder: Path, run: bool) -> Path | None:
    there = study_layout.run_in(folder), study_layout.dataset_in(folder)
    return next((one for one in (there if run else reversed(there)) if one), None)


def name_of(folder: Path) -> str:
    """The name of the manifest that a run or dataset was made by; empty where it can't be told."""
    file = folder / ("run.json" if run_folder.is_run(folder) else dataset_folder.PROVENANCE)
    try:
        return str(json.loads(file.read_bytes())["name"])
    except (ValueError, KeyError, TypeError):
        return ""


def _downloaded(name: str) -> Path:
    """A dataset of the Hub, whole, in the Hub's own cache."""
    from huggingface_hub import snapshot_download

    try:
        with hub.without_bars("huggingface_hub"):
            folder = Path(snapshot_download(name, repo_type="dataset"))
    except (hub.http_error(), OSError, ValueError) as error:
        reason = one_line(error)[:200]
        raise UnavailableError(f"evaluate.synthetic: `{name}` can't be had from the Hub: {reason}") from None
    if not dataset_folder.is_dataset(folder):
        raise InputError(f"evaluate.synthetic: `{name}` is no dataset that synthgen packed (it has no provenance.json)")
    return folder


def find_index(
    read: Manifest, images: RealImages, root: Path | None, out: Path, progress: Callable[[int, int], None]
) -> tuple[Index, Path]:
    """The index of real images, and the folder that keeps it: the run's own where it has one, or else the report's.

    Args:
        read: The manifest.
        images: Where its real images come from.
        root: The run or dataset of synthetic images; ``None`` for none.
        out: The report's folder.
        progress: Told how many images have been opened, and of how many.

    Raises:
        PlanMismatchError: The study's own run, or report, has indexed other real images.
        InputError: The real images can't be had.
    """
    for home in _homes(root):
        try:
            return load_plan.index(read, images, home, progress), home
        except PlanMismatchError:
            if name_of(home) == read.document.name:
                raise
            continue  # the synthetic images are of another study, which has other real images
    home, trained = out / "real", any(out.glob("trials/*/*"))
    return load_plan.index(read, images, home, progress, other=not trained), home


def _homes(root: Path | None) -> Sequence[Path]:
    """The folders of runs that may have indexed the same real images: the run itself, or the one beside a dataset."""
    found = [] if root is None else [root, study_layout.run_of(root)]
    return [home for home in found if (home / "run.json").is_file() and (home / real_index.FILE).is_file()]

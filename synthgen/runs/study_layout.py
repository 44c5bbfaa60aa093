"""A study's folder: where its run, its dataset and its report lie, whichever of them somebody names.

``synthgen run`` makes ``runs/NAME/`` with ``work/``, ``dataset/``, ``report/`` and ``preview.html``. A run that
``generate`` made in ``runs/NAME`` itself is that study's run too, so that nothing is made a second time in ``work/``.
"""

from pathlib import Path

from synthgen.runs import dataset_folder, run_file

WORK, DATASET, REPORT = "work", "dataset", "report"


def run_in(folder: Path) -> Path | None:
    """The run that a folder is, or that is the study's whose folder it is; ``None`` where there is none."""
    return next((one for one in (folder, folder / WORK) if run_file.is_run(one)), None)


def dataset_in(folder: Path) -> Path | None:
    """The packed dataset that a folder is, or that is the study's whose folder it is; ``None`` where there is none."""
    return next((one for one in (folder, folder / DATASET) if dataset_folder.is_dataset(one)), None)


def home_of(folder: Path) -> Path:
    """The study's folder that somebody means by a folder: itself, or the one whose run, dataset or report it is."""
    whole = folder.resolve()
    part = whole.name in (WORK, DATASET, REPORT) and (run_in(whole.parent) or dataset_in(whole.parent))
    return folder.parent if part and folder.name == whole.name else whole.parent if part else folder


def run_of(folder: Path) -> Path:
    """The run that somebody means by a folder: itself, a study's, or the one beside a study's dataset or report.

    The folder as it was given where there is none.
    """
    return run_in(folder) or run_in(home_of(folder)) or folder


def dataset_of(folder: Path) -> Path:
    """The packed dataset that somebody means by a folder: itself, a study's, or the one beside a study's run.

    The folder as it was given where there is none.
    """
    return dataset_in(folder) or dataset_in(home_of(folder)) or folder


def either_of(folder: Path) -> Path:
    """The run or the packed dataset that somebody means by a folder; of a study's own folder its run."""
    if run_file.is_run(folder) or dataset_folder.is_dataset(folder):
        return folder
    return run_in(folder) or dataset_in(folder) or folder


def work_of(study: Path) -> Path:
    """Where the run of a study lies, or comes to lie."""
    return run_in(study) or study / WORK

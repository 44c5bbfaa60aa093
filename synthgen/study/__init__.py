"""The verbs in their order, as a command and a notebook call them: :mod:`synthgen.study.verbs`, and a whole study."""

from synthgen.core.devices import DeviceRequest
from synthgen.evaluate import rescore
from synthgen.extensions import EXTENSIONS
from synthgen.pack import add_report
from synthgen.runs.folders import Dataset, Run
from synthgen.study.task import Stage, Task
from synthgen.study.verbs import (
    FolderLike,
    ManifestLike,
    Progress,
    curate,
    evaluate,
    fidelity,
    finetune,
    generate,
    open_run,
    pack,
    plan,
    preview,
    publish,
    read_manifest,
    run,
    study_folder,
    top_up,
)
from synthgen.study.verbs import open as open_folder
from synthgen.study.whole import fill

__all__ = [
    "EXTENSIONS",
    "Dataset",
    "DeviceRequest",
    "FolderLike",
    "ManifestLike",
    "Progress",
    "Run",
    "Stage",
    "Task",
    "add_report",
    "curate",
    "evaluate",
    "fidelity",
    "fill",
    "finetune",
    "generate",
    "open_folder",
    "open_run",
    "pack",
    "plan",
    "preview",
    "publish",
    "read_manifest",
    "rescore",
    "run",
    "study_folder",
    "top_up",
]

"""The verbs in their order, as a command and a notebook call them, and a whole study, which is all of them."""

from synthgen.core.devices import DeviceRequest
from synthgen.evaluate import power, rescore, share
from synthgen.extensions import EXTENSIONS
from synthgen.pack import add_report
from synthgen.runs.folders import Dataset, Run
from synthgen.runs.signature import sign
from synthgen.study.inputs import (
    FolderLike,
    ManifestLike,
    Progress,
    brought,
    check_study,
    differences,
    open_mirror,
    open_run,
    plan,
    read_manifest,
    retrained,
    run_folder_of,
    scan,
    scan_if_there,
    study_folder,
    withdrawn_images,
)
from synthgen.study.inputs import open as open_folder
from synthgen.study.task import Stage, Task
from synthgen.study.verbs import (
    analyse_reader_study,
    checklist,
    compare,
    curate,
    evaluate,
    fidelity,
    finetune,
    freeze,
    generate,
    pack,
    preview,
    publish,
    reader_study,
    run,
    top_up,
)
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
    "analyse_reader_study",
    "brought",
    "check_study",
    "checklist",
    "compare",
    "curate",
    "differences",
    "evaluate",
    "fidelity",
    "fill",
    "finetune",
    "freeze",
    "generate",
    "open_folder",
    "open_mirror",
    "open_run",
    "pack",
    "plan",
    "power",
    "preview",
    "publish",
    "read_manifest",
    "reader_study",
    "rescore",
    "retrained",
    "run",
    "run_folder_of",
    "scan",
    "scan_if_there",
    "share",
    "sign",
    "study_folder",
    "top_up",
    "withdrawn_images",
]

"""The front door: each function does what the command of its name does, on the same files.

A manifest is a path, the bare name of one that ships, a dict, or what :func:`read_manifest` or :func:`plan` gave. What
takes long is a :class:`~synthgen.study.task.Task`: iterate over it for receipts, or call its ``result()``. What can be
told from the manifest, the options and the folder is told when the function is called; what only reading or making
images shows, at the step that shows it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from synthgen.core.devices import DeviceRequest
from synthgen.curate import curation_of
from synthgen.errors import Fault, InputError, PlanMismatchError, counted
from synthgen.extensions import EXTENSIONS
from synthgen.generate import Selection
from synthgen.plan import Plan
from synthgen.runs import dataset_folder, run_folder, study_layout, verdicts, withdrawn
from synthgen.runs import mirror as mirrors
from synthgen.runs.folders import Dataset, Run
from synthgen.runs.mirror import Mirror, NoMirror
from synthgen.study import whole
from synthgen.study.inputs import (
    FolderLike,
    ManifestLike,
    MirrorLike,
    Progress,
    Stop,
    brought,
    differences,
    never,
    open,  # noqa: A004 - the front door's
    open_mirror,
    open_run,
    path_of,
    plan,
    read_manifest,
    run_folder_of,
    study_folder,
)
from synthgen.study.task import Stage, Task

if TYPE_CHECKING:
    from synthgen.compare import Comparison
    from synthgen.core.report import Block
    from synthgen.curate import Scored, Survivors
    from synthgen.curate.fidelity import Report
    from synthgen.evaluate import ClassifierTraining
    from synthgen.finetune import Step, Trained
    from synthgen.pack import PackedShard
    from synthgen.plan.manifest import Layout, Manifest
    from synthgen.publish import Event
    from synthgen.reader_study.folder import ReaderStudy
    from synthgen.runs.receipts import Receipt

__all__ = [  # noqa: RUF022 - in the order that a study uses them
    "finetune",
    "generate",
    "top_up",
    "curate",
    "fidelity",
    "compare",
    "pack",
    "preview",
    "reader_study",
    "analyse_reader_study",
    "evaluate",
    "publish",
    "run",
]

Thing = TypeVar("Thing")


def finetune(
    manifest: ManifestLike,
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    workers: int | None = None,
    accept_changes: bool = False,
    base: str | os.PathLike[str] | None = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[Step | Trained, Run]:
    """Train every adapter of a manifest that is not there yet; gives how far each is, and of each on disk its facts.

    Args:
        manifest: The manifest.
        out: The run's folder; gone on with if it is this plan's.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        workers: Processes that train an adapter each, with a GPU each where there are GPUs; the weights are the same.
            Where left out, one after another in this process. A script that asks for more needs
            ``if __name__ == "__main__":``, as for :func:`pack`.
        accept_changes: Whether what is made and planned no more may be set aside, adapters as well as images.
        base: The folder that relative paths of a dict start from.
        stop: Asked between steps; StoppedError is raised once it says so.
        progress: Told of real images as they are indexed, and as they are encoded.

    Raises:
        InputError: The manifest or the folder is at fault, or what was asked for can't be had here.
    """
    from synthgen.finetune import finetune as train
    from synthgen.finetune import prepare

    counted("workers", workers)
    device = DeviceRequest(device).device  # refused before anything is written, if there is none
    root = run_folder_of(out)
    planned = plan(manifest, root, base=base, progress=progress)
    job = prepare(planned, root, EXTENSIONS, accept_changes=accept_changes)
    made = train(job, device, workers=workers, stop=stop, progress=progress)
    steps = _returning(made, lambda: Run(root, EXTENSIONS, job.plan))
    return Task(Stage("finetune", job.steps, unit="steps"), steps, job=job)


def generate(
    manifest: ManifestLike,
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "auto",
    batch_size: int | None = None,
    memory: str | None = None,
    runner: str = "local",
    workers: int | Literal["auto"] | None = None,
    shards: tuple[int | None, int | None] | None = None,
    array: tuple[int, int] | None = None,
    limit: int | None = None,
    accept_changes: bool = False,
    mirror: MirrorLike = None,
    base: str | os.PathLike[str] | None = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[Receipt, Run]:
    """Make every planned image that is not made yet; gives the receipt of each work shard once it is on disk.

    A run of another manifest follows this one from now on: what both have stays, what is new is made, and what is
    planned no more is set aside, if ``accept_changes`` allows it.

    Args:
        manifest: The manifest.
        out: The run's folder; gone on with if it is this plan's.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto`` (fp16 on CUDA, bf16 on a CPU that has it, else fp32), ``fp16``, ``bf16`` or ``fp32``.
        attention: ``auto``, ``sdpa``, ``cudnn``, ``flash-3`` or ``xformers``.
        batch_size: Images denoised together; what fits the device where left out.
        memory: ``fit`` (all on the device, where left out), ``offload`` or ``fp8``.
        runner: ``local``, ``ray`` for many GPUs, or a plug-in.
        workers: How many a runner starts: of ``local`` one where left out, and with ``auto`` what is fastest here, one
            a GPU or core; of Ray, one a GPU. A script that asks for several runs what it does under
            ``if __name__ == "__main__":``, since each of them imports it.
        shards: Only these work shards, first and stop as in a slice, counted over the whole plan.
        array: ``(i, n)``: only part i, from 0, of n, for job arrays.
        limit: Stop after so many images more, in whole shards.
        accept_changes: Whether images that are made and planned no more may be set aside; none is deleted.
        mirror: An address that fsspec opens, such as ``s3://bucket/run``: finished work shards are copied there, and
            what other machines have copied there is taken as done.
        base: The folder that relative paths of a dict start from.
        stop: Asked between batches; StoppedError is raised once it says so.
        progress: Told of real images as they are indexed.

    Raises:
        InputError: The manifest or the folder is at fault, or what was asked for can't be had here.
    """
    from synthgen.generate import generate as make
    from synthgen.generate import prepare

    request = DeviceRequest(device, dtype, attention, batch_size, memory)
    selection = Selection((None, None) if shards is None else shards, (0, 1) if array is None else array, limit)
    read = _runs_by(manifest, base, runner, workers)
    root = run_folder_of(out)
    copied = mirrors.opened(mirror, root, stop)
    planned = plan(read, root, progress=progress)
    copied.check(planned, EXTENSIONS, accept_changes=accept_changes)
    (first, last), (part, parts) = selection.shards, selection.array
    of_all = (slice(first, last), slice(part, None, parts))
    whole_run = (first, last, parts) == (None, None, 1)  # then what is set aside comes too
    copied.bring_shards(planned, None if whole_run else of_all, progress, stop)
    job = prepare(planned, root, selection, EXTENSIONS, accept_changes=accept_changes)
    receipts = make(job, request, runner_name=runner, workers=workers, stop=stop, mirror=copied)
    before = sum(job.finished)
    steps = _copied(_returning(receipts, lambda: Run(root, EXTENSIONS, job.plan)), copied)
    return Task(Stage("generate", job.samples + before, before), steps, length=len(job.todo), job=job)


def top_up(
    manifest: ManifestLike,
    out: str | os.PathLike[str],
    *,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "auto",
    batch_size: int | None = None,
    memory: str | None = None,
    runner: str = "local",
    workers: int | Literal["auto"] | None = None,
    accept_changes: bool = False,
    mirror: MirrorLike = None,
    base: str | os.PathLike[str] | None = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[Any, Run]:
    """Generate and curate, and make more of the cells that lack accepted images of the quota: ``generate --top-up``.

    Gives each stage as it begins, its receipts, and of each round the survivors.

    Args:
        manifest: The manifest, which has a quota.
        out: The run's folder; gone on with if it is this plan's.
        device: As of :func:`generate`.
        dtype: As of :func:`generate`.
        attention: As of :func:`generate`.
        batch_size: As of :func:`generate`.
        memory: As of :func:`generate`.
        runner: As of :func:`generate`.
        workers: As of :func:`generate`.
        accept_changes: As of :func:`generate`.
        mirror: As of :func:`generate`.
        base: The folder that relative paths of a dict start from.
        stop: Asked in between; StoppedError is raised once it says so.
        progress: Told of real images as they are indexed.

    Raises:
        InputError: The manifest has no quota, or it or the folder is at fault.
    """
    request = DeviceRequest(device, dtype, attention, batch_size, memory)
    read = _runs_by(manifest, base, runner, workers)
    if read.curation is None or read.curation.written.quota is None:
        raise InputError("--top-up: the manifest has no `curate.quota` to fill; see docs/curate.md")
    root = run_folder_of(out)
    copied = mirrors.opened(mirror, root, stop)
    planned = plan(read, root, progress=progress)
    copied.check(planned, EXTENSIONS, accept_changes=accept_changes)
    copied.bring_shards(progress=progress, stop=stop)
    options: dict[str, Any] = {"runner_name": runner, "workers": workers, "accept_changes": accept_changes}
    steps = whole.fill(planned, root, request, stop=stop, mirror=copied, **options)
    return Task(Stage("generate", planned.samples), _copied(steps, copied))


def curate(
    folder: FolderLike,
    *,
    manifest: ManifestLike | None = None,
    base: str | os.PathLike[str] | None = None,
    device: str = "auto",
    workers: int | Literal["auto"] | None = None,
    mirror: MirrorLike = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[Scored | Survivors, Survivors]:
    """Score every image of a run that is not scored yet, and judge all of them by the rules of its manifest.

    Gives each work shard as it is scored, and last who survives; verdicts and tables lie in the run then.

    Args:
        folder: The run.
        manifest: A manifest of the same images, by whose ``curate`` they are judged, and which the run then keeps.
        base: The folder that relative paths of a dict start from.
        device: What networks of scorers compute on: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        workers: Processes that score, this one where left out; with ``auto`` one a GPU, or up to one a core where there
            are thousands of images. The bytes are the same. For more than one a script runs what it does under
            ``if __name__ == "__main__":``.
        mirror: The run's mirror, as of :func:`generate`: what the folder lacks is brought here first.
        stop: Asked between shards; StoppedError is raised once it says so.
        progress: Told of real images as they are indexed, where a scorer needs them and they are not yet.

    Raises:
        InputError: The folder is no run, or the manifest does not say what to keep.
        IncompleteError: The run holds no image yet.
        PlanMismatchError: The manifest plans other images.
    """
    from synthgen.curate import prepare

    if workers != "auto":
        counted("workers", workers)
    run = open_run(brought(folder, mirror, progress=progress, stop=stop))
    if manifest is not None:
        run = _following(run, manifest, base, progress, curation_of)
    device = DeviceRequest(device).device  # refused before anything is read, if there is none
    job = prepare(run.plan, run.root, partial(progress, "indexing real images") if progress else None, device)
    length = sum(len(scoring.unscored(job.shards)) for scoring in job.scorings) + 1
    return Task(Stage("curate", job.images), whole.curate(run, job, stop, workers), length=length, job=job)


def checklist(folder: Run | Dataset) -> list[str]:
    """What the scorer ``vlm`` found of a run, in a few lines: answers as is hoped for, calls and tokens.

    Args:
        folder: A run that is scored; nothing is said of one that asked no such model.

    Raises:
        DamagedError: The scores can't be read.
    """
    from synthgen.curate import checklist as answers

    return [*answers.lines(folder.root)]


def fidelity(
    folder: FolderLike,
    *,
    backbone: str = "gabor",
    out: str | os.PathLike[str] | None = None,
    limit: int = 10_000,
    progress: Progress | None = None,
) -> Report:
    """How like the real images the generated ones are, by entry, label and skin tone: ``curate --report``.

    Args:
        folder: A run or a packed dataset.
        backbone: Whose features it is measured on: ``gabor``, ``efficientnet-lite0``, or a folder or Hub id of a
            transformers vision model.
        out: The report's folder; ``fidelity`` in a run, or beside a packed dataset, where left out.
        limit: Images of each kind that are measured at most.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The folder is neither or holds no image, the real images can't be had, or ``out`` is not ours.
    """
    from synthgen.curate import fidelity as reports

    counted("limit", limit)
    place = Path(out) if out is not None else None
    return reports.report(open(folder), backbone=backbone, out=place, limit=limit, progress=progress)


def compare(
    folders: Sequence[FolderLike],
    out: str | os.PathLike[str],
    *,
    price: float | None = None,
    rows: int = 24,
    backbone: str = "gabor",
    device: str = "auto",
    limit: int = 10_000,
    progress: Progress | None = None,
) -> Comparison:
    """What several generators made of the same prompts and seeds, side by side, as a sheet and a league table.

    Args:
        folders: Two runs or more, one a generator, whose manifests differ in what makes their images alone; the others
            are held against the first, image by image.
        out: The folder that it is written to; new, empty, or that of an earlier comparison.
        price: What an hour of one device costs, in whatever currency; costs are left out without it.
        rows: Rows of the sheet at the most.
        backbone: As of :func:`fidelity`.
        device: What networks of scorers compute on: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        limit: Images of each kind that fidelity is measured of at the most.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The runs were asked for other images: the key of the manifest that says so. Or ``out`` is not ours.
        IncompleteError: A run holds no image yet, or no image was made by all of them.
    """
    from synthgen.compare import compare as side_by_side

    counted("rows", rows)
    counted("limit", limit)
    if price is not None and not 0 < price < float("inf"):
        raise InputError(Fault(f"price {price!r}: give a number above 0", path="price", kind="out_of_range"))
    device = DeviceRequest(device).device  # refused before anything is read, if there is none
    return side_by_side(
        [open_run(folder) for folder in folders],
        Path(out),
        price=price,
        rows=rows,
        backbone=backbone,
        device=device,
        limit=limit,
        progress=progress,
    )


def pack(
    folder: FolderLike,
    out: str | os.PathLike[str],
    *,
    manifest: ManifestLike | None = None,
    partial: bool = False,
    format: Layout | None = None,
    card: str | os.PathLike[str] | None = None,
    report: str | os.PathLike[str] | None = None,
    workers: int = 1,
    mirror: MirrorLike = None,
    base: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Task[PackedShard, Dataset]:
    """Pack a run into a dataset folder; gives each shard as it is there, and nothing where it is packed already.

    Args:
        folder: The run.
        out: The dataset folder; new, empty, or a dataset of this run, which gives its place to the new one once that is
            whole.
        manifest: A manifest of the same images, by whose ``pack`` and ``publish`` it is packed, and which the run then
            keeps; the run's own where left out.
        partial: Pack what is there of a run that is not finished.
        format: ``webdataset``, ``parquet``, ``imagefolder``, a plug-in, or ``auto`` for Parquet where tars would be
            more than the Hub's viewer shows; ``pack.format`` where left out.
        card: A Jinja template for the card; the one that ships where left out.
        report: A report of :func:`evaluate`, whose findings go into the card.
        workers: Processes that write shards; the bytes are the same. A script that asks for more than one runs what it
            does under ``if __name__ == "__main__":``, since each of them imports it.
        mirror: The run's mirror, as of :func:`generate`: what the folder lacks is brought here first.
        base: The folder that relative paths of a dict start from.
        progress: Told of work shards as they are brought from the mirror; may raise to stop.

    Raises:
        InputError: The folder is no run, or ``out`` holds something else.
        PlanMismatchError: The manifest plans other images.
    """
    from synthgen.pack import add_report, formats
    from synthgen.pack import pack as write

    counted("workers", workers)
    copied = open_mirror(mirror, study_layout.run_of(path_of(folder)))
    run = open_run(brought(folder, copied, progress=progress))
    if manifest is not None:
        run = _following(run, manifest, base)
    asked = run.plan.manifest
    formats.check(format or asked.document.pack.format, asked.plugins)
    dataset_folder.check_ours(Path(out))
    template = Path(card) if card is not None else None
    shards = write(run, Path(out), partial=partial, workers=workers, layout=format, template=template)

    def done() -> Dataset:
        if report is not None:
            add_report(Path(out), Path(report))
        copied.send_salt()
        return Dataset(Path(out), EXTENSIONS)

    judged = verdicts.read_summary(run.root)
    return Task(Stage("pack", judged.accepted if judged else run.plan.samples), _returning(shards, done))


def publish(
    dataset: FolderLike,
    repo: str = "",
    *,
    public: bool = False,
    dry_run: bool = False,
    revision: str = "main",
    tag: str = "",
    message: str = "",
    allow: Sequence[str] = (),
    work: FolderLike | None = None,
) -> Task[Event, Event | None]:
    """Publish a packed dataset on the Hugging Face Hub; gives what happens as it happens, last that it is published.

    What the repository holds of an earlier one, and this dataset does not, is deleted in the same commit.

    Args:
        dataset: The dataset folder.
        repo: ``ORG/NAME``; the manifest's ``publish.repo`` where left out.
        public: Everyone may see it; private otherwise.
        dry_run: Check everything, say what would go, and send nothing.
        revision: The branch; made if need be.
        tag: Tag the commit, once every file was compared.
        message: The first words of the commit's message; the digests follow.
        allow: Columns and files that everyone may see although they could name a person.
        work: The run that the dataset was packed from, which says what is set aside since; the one beside it, if there
            is one, where left out.

    Raises:
        InputError: The folder is no packed dataset.
        IncompleteError: It holds images that its run has set aside since.
        SynthgenError: Not published, and why.
    """
    from synthgen.publish import PublishOptions
    from synthgen.publish import publish as send

    request = PublishOptions(
        repo, public=public, dry_run=dry_run, branch=revision, tag=tag, message=message, allow=tuple(allow)
    )

    def events() -> Generator[Event, None, Event | None]:
        last, folder = None, study_layout.dataset_of(path_of(dataset))
        withdrawn.check(folder, EXTENSIONS, None if work is None else open_run(work).root)
        for last in send(folder, request):
            yield last
        return last

    return Task(Stage("publish", unit="kB"), events())


def evaluate(
    manifest: ManifestLike,
    out: str | os.PathLike[str],
    *,
    synthetic: FolderLike | None = None,
    workers: int | None = None,
    base: str | os.PathLike[str] | None = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[ClassifierTraining, Path]:
    """Train the manifest's study of classifiers, with synthetic images and without; gives each training that is done.

    Leaks and near-duplicates are looked for first, when it is called. The result is the path of ``report.html``.

    Args:
        manifest: The manifest.
        out: The report's folder.
        synthetic: The run or dataset of synthetic images; as ``evaluate.synthetic`` says where left out.
        workers: Processes that train; the numbers are the same. Up to one a core where left out. For more than one a
            script needs ``if __name__ == "__main__":``, as for :func:`pack`.
        base: The folder that relative paths of a dict start from.
        stop: Asked between trainings; StoppedError is raised once it says so.
        progress: Told what is prepared, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The study can't be done as asked.
        IncompleteError: The run lacks images.
    """
    from synthgen.evaluate import evaluate as train
    from synthgen.evaluate import finished, prepare

    counted("workers", workers)
    read = _read(manifest, base)
    given = path_of(synthetic) if synthetic is not None else None
    job = prepare(read, Path(out), EXTENSIONS, given=given, progress=progress)
    done = finished(job)
    units = _returning(train(job, workers=workers, stop=stop, progress=progress), lambda: Path(out) / "report.html")
    return Task(
        Stage("classifier-eval", len(job.names), done, "trainings"), units, length=len(job.names) - done, job=job
    )


def freeze(
    manifest: ManifestLike,
    out: str | os.PathLike[str],
    *,
    synthetic: FolderLike | None = None,
    base: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write the analysis plan of the manifest's study before any result is there; gives the path of it.

    Args:
        manifest: The manifest.
        out: The report's folder.
        synthetic: The run or dataset of synthetic images; as ``evaluate.synthetic`` says where left out.
        base: The folder that relative paths of a dict start from.
        progress: Told what is prepared, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The study can't be done as asked, has results already, or another plan is frozen.
    """
    from synthgen.evaluate import freeze as write_plan
    from synthgen.evaluate import prepare

    read = _read(manifest, base)
    given = path_of(synthetic) if synthetic is not None else None
    return write_plan(prepare(read, Path(out), EXTENSIONS, given=given, progress=progress))


def preview(
    folder: FolderLike,
    out: str | os.PathLike[str],
    *,
    limit: int = 5000,
    originals: bool = True,
    work: FolderLike | None = None,
) -> Path:
    """Write a gallery of a run or dataset as one HTML file, and a contact sheet beside it, whose path it returns.

    Args:
        folder: A run or a packed dataset.
        out: The HTML file; the contact sheet goes beside it as ``.png``.
        limit: Pictures at the most, spread evenly.
        originals: Whether the page shows the images that pictures start from.
        work: The run that a packed dataset is of, which has the names behind its pseudonyms; where left out the one in
            ``work`` beside it.

    Raises:
        InputError: The folder is neither, holds no image yet, or ``out`` is no name of a page or not ours.
    """
    from synthgen.preview import show

    counted("limit", limit)
    page = Path(out)
    if page.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--out {page}: the gallery is an HTML file; name it {page.stem}.html")
    return show(
        open(folder), page, limit, starts=originals, work=None if work is None else study_layout.run_of(path_of(work))
    )


def reader_study(
    folder: FolderLike,
    out: str | os.PathLike[str],
    *,
    per_cell: int = 2,
    questions: str | os.PathLike[str] | None = None,
    photographs: bool = True,
    progress: Progress | None = None,
) -> ReaderStudy:
    """Write a folder of images for people to judge without knowing which are synthetic; returns the study.

    Args:
        folder: A run.
        out: The folder; it must not exist, or be empty. ``for-readers`` in it is handed over, ``key.csv`` is not.
        per_cell: Synthetic images of each entry, label and skin tone, and as many photographs as there are.
        questions: A YAML file of questions.
        photographs: Whether photographs are among the images.
        progress: Told of real images as they are indexed, where that was not done yet.

    Raises:
        InputError: It is no run, or has no image yet; ``out`` holds something; or the questions can't be asked.
    """
    from synthgen.reader_study import write

    counted("per_cell", per_cell)
    return write(
        open_run(folder),
        Path(out),
        per_cell=per_cell,
        questions=None if questions is None else Path(questions),
        photographs=photographs,
        progress=partial(progress, "indexing real images") if progress else None,
    )


def analyse_reader_study(root: str | os.PathLike[str], answers: Sequence[str | os.PathLike[str]]) -> Sequence[Block]:
    """Write what readers' answers say into ``report`` in a reader study's folder; returns what the page is made of.

    Args:
        root: The folder that :func:`reader_study` wrote.
        answers: The files that readers gave back.

    Raises:
        InputError: It is no such folder, or a file has answers of something else.
    """
    from synthgen.reader_study import analyse

    return analyse(Path(root), [Path(path) for path in answers])


def run(
    manifest: ManifestLike,
    out: str | os.PathLike[str] | None = None,
    *,
    device: str = "auto",
    dtype: str = "auto",
    attention: str = "auto",
    batch_size: int | None = None,
    memory: str | None = None,
    runner: str = "local",
    workers: int | Literal["auto"] | None = None,
    accept_changes: bool = False,
    mirror: MirrorLike = None,
    base: str | os.PathLike[str] | None = None,
    stop: Stop = never,
    progress: Progress | None = None,
) -> Task[Any, Run]:
    """Do everything a manifest asks for, from fine-tuning to the preview; gives each stage and the receipts of all.

    The result is the run; the packed dataset, report and preview lie beside it.

    Args:
        manifest: The manifest.
        out: The study's folder; ``runs/NAME`` where left out.
        device: As of :func:`generate`.
        dtype: As of :func:`generate`.
        attention: As of :func:`generate`.
        batch_size: As of :func:`generate`.
        memory: As of :func:`generate`.
        runner: As of :func:`generate`.
        workers: As of :func:`generate`.
        accept_changes: As of :func:`generate`.
        mirror: As of :func:`generate`.
        base: The folder that relative paths of a dict start from.
        stop: Asked in between; StoppedError is raised once it says so.
        progress: Told of real images as they are indexed, and as they are encoded for a training.

    Raises:
        InputError: The manifest or the folder is at fault, or what was asked for can't be had here.
    """
    request = DeviceRequest(device, dtype, attention, batch_size, memory)
    read = _runs_by(manifest, base, runner, workers)
    folder = study_layout.home_of(Path(out) if out is not None else study_folder(read))
    copied = mirrors.opened(mirror, study_layout.work_of(folder), stop)
    planned = plan(read, study_layout.work_of(folder), progress=progress)
    whole.check(planned, folder, runner)
    copied.check(planned, EXTENSIONS, accept_changes=accept_changes)
    copied.bring_shards(progress=progress, stop=stop)
    options: dict[str, Any] = {"runner_name": runner, "workers": workers, "accept_changes": accept_changes}
    steps = whole.run(planned, folder, request, stop=stop, progress=progress, mirror=copied, **options)
    return Task(Stage("run"), _copied(steps, copied))


def _following(
    run: Run,
    manifest: ManifestLike,
    base: str | os.PathLike[str] | None,
    progress: Progress | None = None,
    check: Callable[[Plan], object] = lambda _: None,
) -> Run:
    """A run that keeps another manifest of the same images from now on.

    Args:
        run: The run.
        manifest: The manifest.
        base: The folder that relative paths of a dict start from.
        progress: Told of real images as they are indexed.
        check: Refuses a plan that lacks what it is read for, before anything is written.

    Raises:
        PlanMismatchError: It plans other images; a line for each entry says by which keys.
    """
    held = run.plan  # a run that can't be read is said before what is wrong with the manifest
    planned = plan(manifest, run.root, base=base, progress=progress)
    check(planned)
    if planned.digest != held.digest:
        raise PlanMismatchError(
            *(
                f"{run.root}: the manifest plans other images of entry `{one.entry}` "
                f"({'; '.join(one.changes) or 'the run lacks it'}); "
                + f"run `synthgen generate{' --accept-changes' if one.aside else ''}` with it first, or undo the change"
                for one in differences(planned, run)
                if one.changes or not one.grows or one.new
            )
        )
    return Run(run.root, EXTENSIONS, run_folder.reserve(run.root, planned))


def _runs_by(
    manifest: ManifestLike, base: str | os.PathLike[str] | None, runner: str, workers: int | str | None
) -> Manifest:
    """The manifest, read, once it is sure that there is a runner of that name, among its own files too.

    Raises:
        InputError: There is none, or the manifest is at fault, or nobody can have so many workers.
    """
    from synthgen.generate import runners

    if workers != "auto":
        counted("workers", workers)
    read = _read(manifest, base)
    runners.runner(runner, read.plugins)
    return read


def _read(manifest: ManifestLike, base: str | os.PathLike[str] | None) -> Manifest:
    """The manifest, read."""
    return manifest.manifest if isinstance(manifest, Plan) else read_manifest(manifest, base=base)


def _copied(steps: Generator[Thing, None, Any], copied: Mirror | NoMirror) -> Generator[Thing, None, Any]:
    """The same steps, and a complaint at their end where the mirror lacks something."""
    result = yield from steps
    copied.check_sent()
    return result


def _returning(steps: Iterator[Thing], result: Callable[[], Any]) -> Generator[Thing, None, Any]:
    """The same steps, with what comes of them as what the generator returns."""
    yield from steps
    return result()

"""A study that is ready to be trained: its images listed, its leaks and near-duplicates found, its trials designed."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from synthgen.core import adapter_folder, atomic
from synthgen.errors import InputError
from synthgen.evaluate.design import arms, caveats, feasibility
from synthgen.evaluate.design.design import Design, design, refuse
from synthgen.evaluate.design.trials import Trial, digest
from synthgen.evaluate.images import examples, locate, near_duplicates, synthetic
from synthgen.evaluate.images.examples import Examples
from synthgen.evaluate.images.foreign import ForeignListing, list_foreign
from synthgen.evaluate.images.near_duplicates import NearDuplicates
from synthgen.evaluate.images.synthetic import SyntheticListing
from synthgen.evaluate.note import Note
from synthgen.evaluate.train import backbone
from synthgen.evaluate.train.backbone import Network
from synthgen.plan.manifest import Evaluate, Manifest
from synthgen.plan.manifest.settings import Extensions
from synthgen.plan.real_index import Index
from synthgen.real import indexing
from synthgen.runs.stored_images import ImageReader

STUDY = "study.json"
_FORMAT = 1


def reserve(out: Path, name: str) -> None:
    """Make a folder this study's, or check that it is.

    Raises:
        InputError: It is not empty and no report, or the report of another study; nothing is written to it.
    """
    path = out / STUDY
    if out.exists() and any(not one.name.startswith(".") for one in out.iterdir()):
        try:
            held = json.loads(path.read_bytes())["name"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{out} is not empty and not a report (no {STUDY}); choose another folder") from None
        if held != name:
            raise InputError(f"{out} holds the report of `{held}`, this is `{name}`; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    atomic.sweep(out)
    if not path.exists():
        atomic.write(path, json.dumps({"format": _FORMAT, "name": name}).encode())


Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class EvaluateJob:
    """A study that is ready to be trained.

    Attributes:
        manifest: Its manifest.
        settings: What is asked.
        out: The report's folder.
        index: The real images.
        network: What its classifiers stand on.
        design: Its trials.
        near_duplicates: What was found to look like something else; ``None`` without synthetic images.
        examples: Its images in rows.
        of_curation: What a reader has to know of how synthetic images were chosen.
    """

    manifest: Manifest
    settings: Evaluate
    out: Path
    index: Index
    network: Network
    design: Design
    near_duplicates: NearDuplicates | None
    examples: Examples
    of_curation: tuple[Note, ...]

    @cached_property
    def names(self) -> dict[str, Trial]:
        """Each distinct training by its name, with a trial that it is of, in the design's order."""
        return {self.name(trial): trial for trial in self.design.trials}

    def name(self, trial: Trial) -> str:
        """The name of a trial's training in the results' store."""
        return digest([trial.training, self.network.digest])

    @property
    def labels(self) -> list[str]:
        """The labels that are told apart."""
        return labels_of(self.manifest)

    @property
    def notes(self) -> tuple[Note, ...]:
        """The notes of the report."""
        classifier = Note(f"The learner, {self.network.description}: {self.network.origin}")
        looked_for = self.near_duplicates.notes() if self.near_duplicates else ()
        return (*self.design.notes, *self.of_curation, classifier, *looked_for)


def prepare(
    manifest: Manifest,
    out: Path,
    extensions: Extensions,
    *,
    given: Path | None = None,
    progress: Progress | None = None,
) -> EvaluateJob:
    """A study that is ready to be trained; one that can't be done is refused.

    Args:
        manifest: The manifest.
        out: The report's folder.
        extensions: The strategies and sources there are.
        given: The run or dataset of synthetic images, in place of ``evaluate.synthetic``.
        progress: Told what is done, how much of it, and how much there is; may raise to stop.

    Raises:
        InputError: The study can't be done as asked; one line for each fault.
        IncompleteError: The run lacks images.
    """
    settings, images, document = manifest.document.evaluate, manifest.real, manifest.document
    if settings is None or images is None:
        raise InputError("evaluate: missing; say what to study, as docs/evaluate.md does")
    reserve(out, document.name)
    labels, report = labels_of(manifest), progress or _silent
    network = backbone.load(settings.learner, manifest.base, len(labels))
    root = _synthetic_root(manifest, settings, given, out)
    index, home = locate.find_index(manifest, images, root, out, partial(report, "indexing real images"))
    found = _listed(root, manifest, settings, extensions, index)
    elsewhere = _foreign(manifest, given, index, out, partial(report, "indexing synthetic images"))
    if elsewhere:
        found = SyntheticListing(elsewhere.images, {})
    read_real = indexing.open_images(images.source, images.settings, manifest.base, home)
    pictures = ImageReader(read_real, found.places, elsewhere.readers if elsewhere else None)
    refuse(feasibility.of_real(settings, index, labels))  # before near-copies are looked for, which takes a while
    scale = document.skin_tones.scale
    report_near = partial(report, "looking for near-copies")
    search = partial(
        near_duplicates.find_near_duplicates, threshold=settings.near_copies, scale=scale, progress=report_near
    )
    alike = search(_of_labels(index, labels), found.images, pictures, out) if root or elsewhere else None
    images_seen = alike.marked(found.images) if alike else found.images
    excluded = alike.of_held if alike else ()
    designed = design(
        settings,
        index,
        images_seen,
        seed=document.seed,
        labels=labels,
        near_copies=excluded,
        look_alikes=alike.real_ids if alike else (),
    )
    side = network.frozen.size if network.frozen else None
    rows = examples.build_examples(
        designed, index.sources, found.images, labels, pictures, side=side, augment=settings.augment[0]
    )
    of_curation = tuple(caveats.of_curation(found.curation, _learned(found.curation, extensions)))
    return EvaluateJob(manifest, settings, out, index, network, designed, alike, rows, of_curation)


def check(manifest: Manifest, out: Path, index: Index | None) -> None:
    """Refuse a study that its real images, its classifier or its folder make impossible, before any image is made.

    Args:
        manifest: The manifest.
        out: The report's folder.
        index: The real images, as far as they are indexed already.

    Raises:
        InputError: The study can't be done as asked; one line for each fault.
    """
    settings, labels = manifest.document.evaluate, labels_of(manifest)
    if settings is None:
        return
    if settings.uncurated and settings.synthetic == "this" and manifest.curation is None:
        raise InputError(
            "evaluate.uncurated: nothing is rejected without `curate:`; say what to keep, or leave this out"
        )
    if settings.uncurated and not isinstance(settings.synthetic, str):
        raise InputError("evaluate.uncurated: nobody knows what was rejected of images made elsewhere; leave it out")
    if (
        settings.uncurated
        and settings.synthetic != "this"
        and not locate.holds_run(manifest.base / str(settings.synthetic))
    ):
        raise InputError(
            f"evaluate.uncurated: `{settings.synthetic}` holds no run, and a dataset no rejected image; name a run"
        )
    reserve(out, manifest.document.name)
    backbone.load(settings.learner, manifest.base, len(labels))
    refuse(feasibility.of_real(settings, index, labels) if index else [])


def check_real(manifest: Manifest, index: Index) -> None:
    """Refuse a study that its real images make impossible, by an index of their metadata alone too.

    Raises:
        InputError: Labels lack images, or splits do; one line for each fault.
    """
    settings = manifest.document.evaluate
    if settings is not None:
        refuse(feasibility.of_real(settings, index, labels_of(manifest)))


def labels_of(manifest: Manifest) -> list[str]:
    """The labels that a study tells apart, in the manifest's order."""
    known, asked = list(manifest.document.labels), manifest.document.evaluate
    return [label for label in known if asked is None or asked.labels is None or label in asked.labels]


def _learned(curation: Mapping[str, Any], extensions: Extensions) -> list[str]:
    """The scorers that images were chosen by and that learned from real images with their labels.

    Of a dataset that was packed before this was kept, built-in ones alone: it has no code to tell of others.
    """
    known, used = curation.get("learns_labels"), curation.get("scores", ())
    if known is not None:
        return [name for name in used if name in known]
    built_in = [name for name in used if name in extensions.scorers.built_in()]
    return [name for name in built_in if extensions.scorers.module(name).Settings.learns_labels]


def _synthetic_root(manifest: Manifest, settings: Evaluate, given: Path | None, out: Path) -> Path | None:
    if not arms.uses_synthetic(settings) or (given is None and not isinstance(settings.synthetic, str)):
        return None
    name, run = manifest.document.name, settings.uncurated
    return locate.find(str(settings.synthetic), given, name=name, base=manifest.base, out=out, run=run)


def _foreign(
    manifest: Manifest, given: Path | None, index: Index, out: Path, progress: Callable[[int, int], None]
) -> ForeignListing | None:
    """Synthetic images of elsewhere, where the study takes some and no folder is given in their place."""
    settings = manifest.document.evaluate
    if manifest.foreign is None or given is not None or settings is None or not arms.uses_synthetic(settings):
        return None
    return list_foreign(manifest.foreign, manifest, index.sources, out, progress)


def _listed(
    root: Path | None, manifest: Manifest, settings: Evaluate, extensions: Extensions, index: Index
) -> SyntheticListing:
    if root is None:
        return SyntheticListing((), {})
    names = synthetic.names_behind(root, extensions, manifest.document.name, index)
    scale = manifest.document.skin_tones.scale
    return synthetic.list_synthetic(
        root,
        extensions,
        scale=scale,
        strategy_of=settings.strategy_of,
        pools=adapter_folder.pools(root),
        uncurated=settings.uncurated,
        names=names,
        model_saw=settings.model_saw,
        training=[source.id for source in index.usable("train")],
    )


def _of_labels(index: Index, labels: Sequence[str]) -> Index:
    """The real images of some labels."""
    return Index(tuple(source for source in index.sources if source.label in labels))


def _silent(_what: str, _done: int, _total: int) -> None:
    return

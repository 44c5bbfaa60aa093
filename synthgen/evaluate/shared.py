"""A report that can be given away: predictions of images and patients under pseudonyms, and all that follows."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from synthgen.core import checksums
from synthgen.errors import DamagedError, Fault, InputError
from synthgen.evaluate import rescored
from synthgen.evaluate.analysis import frozen_plan
from synthgen.evaluate.analysis.predictions import FILE, VALIDATION, Predictions
from synthgen.evaluate.images import near_duplicates
from synthgen.evaluate.prepare import reserve
from synthgen.evaluate.report import write
from synthgen.plan.manifest import Manifest
from synthgen.plan.source_names import Pseudonyms, SourceNames
from synthgen.runs import pseudonyms

_NAMES_INSIDE = (near_duplicates.FILE, "real", "trials", frozen_plan.FILE)  # what a report has that names images
_NOBODY_KNOWN = SourceNames(frozenset(), 0, 0)  # no name is taken for nobody's


def share(out: Path, folder: Path, manifest: Manifest) -> Path:
    """The folder, with the report of ``out`` written into it anew from predictions that name nobody.

    Test images and their groups have pseudonyms by a salt that stays in ``out``, and stand in the pseudonyms' order,
    which says nothing of theirs. Figures are the same; intervals and p values differ from those of ``out`` in their
    last digits, since the draws of test images follow another order, and are to the byte those of whoever scores the
    folder again.

    Args:
        out: The report's folder.
        folder: What can be given away; nothing but an earlier such folder of the same study may be there.
        manifest: Whose ``primary`` and ``against`` are followed.

    Raises:
        DamagedError: There are no predictions, or they can't be read.
        InputError: The folder is the report's own, or holds something else; or the manifest takes other trainings.
    """
    if not (out / FILE).is_file():
        raise DamagedError(f"{out / FILE}: there is none to share; run classifier-eval without --share first")
    for name in (FILE, VALIDATION):
        checksums.check(out / name, "run classifier-eval again")
    held, validation = rescored.following(Predictions.read(out / FILE), manifest), write.read_validation(out)
    _check(out, folder)
    reserve(folder, held.study.name)
    names = Pseudonyms(pseudonyms.salt_of(out), _NOBODY_KNOWN)
    followed = frozen_plan.followed(held, out)
    study = replace(held.study, frozen=followed) if followed else held.study
    tuned = validation and _nameless(replace(validation, study=study), names)
    write.write(_nameless(replace(held, study=study), names), folder, tuned)
    return folder


def _check(out: Path, folder: Path) -> None:
    """Refuse a folder in which a name could lie."""
    if folder.resolve() == out.resolve():
        raise InputError(Fault(f"--share {folder}: is the report itself; give another folder", kind="conflict"))
    found = [name for name in _NAMES_INSIDE if (folder / name).exists()]
    if found:
        raise InputError(
            Fault(
                f"--share {folder}: holds `{found[0]}` of a report that names images; choose another", kind="conflict"
            )
        )


def _nameless(held: Predictions, names: Pseudonyms) -> Predictions:
    """The same predictions, of images and groups under pseudonyms, in the order of these."""
    images = [names.image(one) for one in held.images]
    order = np.argsort(images)
    return replace(
        held,
        images=tuple(images[place] for place in order),
        groups=tuple(names.group(held.groups[place]) for place in order),
        labels=held.labels[order],
        tones=held.tones[order],
        probabilities=np.ascontiguousarray(held.probabilities[:, order]),
    )

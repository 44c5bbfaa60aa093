"""The backbone of a study, loaded before anything else is done, so that one that can't be had is said at once."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from synthgen.core import devices, paths
from synthgen.evaluate.design.trials import digest
from synthgen.plan.manifest.learner import FIXED, SMALL, Learner
from synthgen.vision.features import Backbone, backbone, checkpoints, named

_SMALL_VERSION = "small-cnn-1"  # another layout, another number
_PROBE_VERSION = "probe-2"  # torch's own AdamW


@dataclass(frozen=True, slots=True)
class Network:
    """The backbone of a study's classifiers.

    Attributes:
        name: The name that it is built by, or its folder.
        digest: Of all that decides what it predicts: another network, checkpoint or library, another digest.
        description: The classifier as the report's sentences name it.
        origin: A sentence on where its weights come from.
        frozen: The frozen features; ``None`` where it is trained from pixels.
        former: The digest of the same with the optimizer of 0.1, whose answers differ in their last digits; empty where
            there was none.
    """

    name: str
    digest: str
    description: str
    origin: str
    frozen: Backbone | None
    former: str = ""


def load(classifier: Learner, base: Path, classes: int) -> Network:
    """The backbone of a classifier, loaded.

    Args:
        classifier: What is trained.
        base: The folder that a relative folder starts from.
        classes: How many classes there are.

    Raises:
        UnavailableError: It can't be had here.
    """
    name = classifier.network
    if name not in (*FIXED, SMALL) and (base / paths.expanded(name, "evaluate.learner.backbone")).is_dir():
        name = str((base / paths.expanded(name, "evaluate.learner.backbone")).resolve())
    return _frozen(name, classifier) if classifier.kind == "probe" else _trained(name, classifier, classes)


def _frozen(name: str, classifier: Learner) -> Network:
    found = backbone(name, revision=classifier.revision or None, device=devices.available()[0])
    known = digest([_PROBE_VERSION, found.digest, version("torch")])
    former = digest(["probe", found.digest, version("torch")])
    return Network(name, known, f"a linear probe on frozen features ({Path(name).name})", found.origin, found, former)


def _trained(name: str, classifier: Learner, classes: int) -> Network:
    if name == SMALL:
        known = digest(["finetune", _SMALL_VERSION, version("torch")])
        return Network(name, known, f"{SMALL} from pixels", "Five convolutions that start from nothing.", None)
    from synthgen.vision.classifiers import networks

    networks.build(name, classes, classifier.revision or None)
    checkpoint = named.stands_for(name)
    known = checkpoints.digest(checkpoint.name, classifier.revision or "main")
    known = digest(["finetune", known, version("torch"), version("transformers")])
    how = "its head alone" if classifier.frozen else "as a whole"
    unknown = f"The transformers checkpoint {Path(name).name}; what it was trained on is for its own card to say."
    origin = checkpoint.trained_on or unknown
    return Network(name, known, f"{Path(name).name} from pixels, {how}", origin, None)

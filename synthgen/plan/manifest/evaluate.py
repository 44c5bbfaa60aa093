"""The settings of a study, ``evaluate:`` of a manifest: which arms, at which sizes, over how many seeds, by what."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import total_ordering
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, field_validator, model_validator

from synthgen.core.yaml_documents import Strict, near
from synthgen.plan.manifest.learner import Learner
from synthgen.plan.manifest.primary import ARMS, CONTROLS, DEFAULT_ARMS, SYNTHETIC, UNCURATED, Arm, Primary

__all__ = [
    "ARMS",
    "SYNTHETIC",
    "Arm",
    "Evaluate",
    "ModelSaw",
    "Primary",
    "Share",
    "Strategy",
    "Target",
    "against_faults",
    "faults",
]

ModelSaw = Literal["none", "train", "unknown"]
_UNCURATED = "uncurated "
_Text = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=1, le=10**6)]
Augmentation = Literal["classic", "randaugment", "mixup", "cutmix"]


def _whole(ratio: float) -> float:
    """A ratio as an integer where it is one, as it is told and as trials are named by it."""
    return int(ratio) if ratio == int(ratio) else ratio


_Ratio = Annotated[float, Field(gt=0, le=10**6), AfterValidator(_whole)]


@total_ordering
@dataclass(frozen=True, slots=True)
class Strategy:
    """A way of making images that a study compares; sorted by its text, and false where there is none.

    Its text, which files and reports have, is the name, with ``uncurated`` before it where rejected images are in.

    Attributes:
        name: The ``generate`` entry, or the name of several in ``strategies``; empty where no image is synthetic.
        curated: Whether images that ``curate`` rejects are left out.
    """

    name: str = ""
    curated: bool = True

    @classmethod
    def parse(cls, text: str) -> Self:
        """The strategy that a file's text names."""
        return cls(text.removeprefix(_UNCURATED), curated=not text.startswith(_UNCURATED))

    @property
    def prefix(self) -> str:
        """What stands before its name, and before the keys of its images; empty where it is curated."""
        return "" if self.curated else _UNCURATED

    @property
    def uncurated(self) -> Self:
        """The same without curation: all that its entries planned."""
        return replace(self, curated=False)

    def __str__(self) -> str:
        return self.prefix + self.name

    def __bool__(self) -> bool:
        return bool(self.name)

    def __lt__(self, other: "Strategy") -> bool:
        return str(self) < str(other)


class Share(Strict):
    """A fixed share of every batch is synthetic, whatever the ratio; DA-Fusion's is 0.5."""

    share: Annotated[float, Field(gt=0, lt=1)]


class Target(Strict):
    """Some of the labels that are told from all others together, as malignant from benign.

    Attributes:
        name: What they are called in the report.
        labels: The labels that count as such.
        specificity: The share of others that the threshold leaves alone, as validation images tell; sensitivity is
            told at it.
    """

    name: _Text = "target"
    labels: Annotated[list[_Text], Field(min_length=1)]
    specificity: Annotated[float, Field(gt=0, lt=1)] = 0.9


def _images(value: object) -> object:
    """Say once where synthetic images can be, rather than once for each way to say it."""
    if (isinstance(value, str) and value) or (isinstance(value, dict) and all(isinstance(key, str) for key in value)):
        return value
    raise ValueError("must be `this`, a folder or a Hub id; or a block as under `real:`, of images made elsewhere")


def _mix(value: object) -> object:
    """Say once what a mix can be, rather than once for each thing that it is not."""
    share = value.get("share") if isinstance(value, dict) and len(value) == 1 else None
    between = isinstance(share, float) and 0 < share < 1
    if between or isinstance(value, Share) or value in ("union", "pretrain-then-real"):
        return value
    raise ValueError("must be union, pretrain-then-real, or {share: 0.5} with a share above 0 and below 1")


class Evaluate(Strict):
    """A study of what synthetic images do for a classifier.

    Attributes:
        synthetic: Where the synthetic images are: ``this`` run, a run or dataset folder, or a Hub id; or a block as
            under ``real:``, of images that were made elsewhere, with a ``name`` for the way of making them. Their
            column ``group`` names the real image that each was made from.
        n_real: Real training images a label.
        ratios: Synthetic images a real one; 0.25 is one for every four.
        seeds: How many times the study is repeated, each time on another draw of images.
        arms: What is compared; ``real`` is always one, for every other is compared with it.
        generator_pool: ``n``: no image of a generator that saw real images beyond the trial's own; or ``all``.
        source_pool: ``n``: no image that was made from a real image beyond the trial's own, as in the code of arXiv
            2308.12453; or ``all``.
        model_saw: What the models that images are made with, before any fine-tuning here, saw of the real images:
            ``none``, ``train`` (of the training split) or ``unknown``; or that by the name of each. The model that
            ships saw none.
        mix: How real and synthetic images meet in batches.
        protocol: ``equal-steps``, or ``sagers2023``: steps in proportion to the images, as in arXiv 2308.12453.
        learner: The classifier.
        labels: The labels that are told apart; all of the manifest's where left out.
        near_copies: The similarity, from 0 to 1, from which on an image counts as a near-copy of another; the
            detector's own, which suits photographs of skin, where left out.
        strategies: Entries that count as one way of making images, by its name: those of one recipe whose generators
            were trained on different draws of real images. An entry that is in none is a strategy of its own.
        uncurated: Whether each strategy is studied without curation too: all the images that its entries planned, what
            ``curate`` rejects among them, as a strategy whose name has ``uncurated`` before it.
        against: For a strategy, another that it is compared with in pairs too, arm by arm: for images of a tuned
            model, those of the model that was tuned.
        primary: The family of comparisons that claims are made from; ``real+synthetic`` against ``real`` in top-1,
            where left out.
        augment: How the images of arms that end in ``+augment`` are augmented; of several, each trial takes what does
            best on its validation images.
        validation: What a trial is tuned on: ``all`` validation images, or ``n`` of each label, as many as it has real
            training images, drawn with its seed.
        target: The labels that the report tells from all others together, such as those that are malignant.
    """

    synthetic: Annotated[str | dict[str, Any], BeforeValidator(_images)] = "this"
    n_real: Annotated[list[_Count], Field(min_length=1)] = [1, 8, 16, 32]
    ratios: Annotated[list[_Ratio], Field(min_length=1)] = [1, 10]
    seeds: Annotated[int, Field(ge=1, le=1000)] = 5
    arms: Annotated[list[Arm], Field(min_length=1)] = list(DEFAULT_ARMS)
    generator_pool: Literal["n", "all"] = "n"
    source_pool: Literal["n", "all"] = "n"
    model_saw: ModelSaw | dict[_Text, ModelSaw] = "unknown"
    mix: Annotated[Literal["union", "pretrain-then-real"] | Share, BeforeValidator(_mix)] = "union"
    protocol: Literal["equal-steps", "sagers2023"] = "equal-steps"
    learner: Learner = Learner()
    labels: Annotated[list[_Text], Field(min_length=2)] | None = None
    near_copies: Annotated[float, Field(gt=0, le=1)] | None = None
    strategies: dict[_Text, Annotated[list[_Text], Field(min_length=1)]] = {}
    uncurated: bool = False
    against: dict[_Text, _Text] = {}
    primary: Primary | None = None
    augment: Annotated[list[Augmentation], Field(min_length=1)] = ["classic"]
    validation: Literal["n", "all"] = "all"
    target: Target | None = None

    @field_validator("n_real", "ratios", "arms", "labels", "augment")
    @classmethod
    def _once(cls, values: list[object] | None) -> list[object] | None:
        given = values or []
        for number, value in enumerate(given):
            if value in given[:number]:
                raise ValueError(f"{value} is given twice")
        return values

    @field_validator("arms")
    @classmethod
    def _compared(cls, arms: list[Arm]) -> list[Arm]:
        if "real" not in arms:
            raise ValueError("must have `real`, which every other arm is compared with")
        return arms

    @field_validator("strategies")
    @classmethod
    def _apart(cls, strategies: dict[str, list[str]]) -> dict[str, list[str]]:
        owners: dict[str, str] = {}
        for name, entries in strategies.items():
            if not Strategy.parse(name).curated:
                raise ValueError(f"`{name}`: names that begin with `uncurated ` are for `uncurated`; take another")
            for entry in entries:
                if entry in owners:
                    raise ValueError(f"entry `{entry}` is named in `{owners[entry]}` and in `{name}`; once is enough")
                owners[entry] = name
        return strategies

    @field_validator("against")
    @classmethod
    def _another(cls, against: dict[str, str]) -> dict[str, str]:
        for name, other in against.items():
            if name == other:
                raise ValueError(f"`{name}` can't be compared with itself; name another strategy")
            if against.get(other) == name:
                raise ValueError(f"`{name}` and `{other}` are compared both ways; leave one out")
            if not (Strategy.parse(name).curated and Strategy.parse(other).curated):
                raise ValueError("what curation does is compared by `uncurated: true`; name strategies as they are")
        return against

    @model_validator(mode="after")
    def _has_synthetic(self) -> Self:
        if self.against and set(SYNTHETIC).isdisjoint(self.arms):
            raise ValueError(f"against: compares synthetic images, and no arm has any; add {' or '.join(SYNTHETIC)}")
        return self

    @model_validator(mode="after")
    def _can_augment(self) -> Self:
        if self.learner.kind == "probe" and (len(self.augment) > 1 or self.augment[0] in ("mixup", "cutmix")):
            raise ValueError(
                "augment: a probe's views are made before it is trained, by `classic` or by `randaugment`; name one of "
                "them, or take `learner: {kind: finetune}`"
            )
        return self

    @model_validator(mode="after")
    def _has_primary(self) -> Self:
        primary = self.primary
        if primary is None:
            return self
        named = [primary.against] if primary.against in CONTROLS else []
        missing = [arm for arm in (*primary.arms, *named) if arm not in self.arms]
        if missing:
            raise ValueError(f"primary: `{missing[0]}` is not among `arms`; add it there, or name another")
        if primary.against == UNCURATED and not self.uncurated:
            raise ValueError("primary.against: uncurated images are not in the study; set `uncurated: true`")
        others = self.against.values() if self.against else ()
        if not named and primary.against != UNCURATED and primary.against not in others:
            can_be = ", ".join([*CONTROLS, UNCURATED])
            raise ValueError(
                f"primary.against: `{primary.against}` is neither {can_be}, nor a strategy that `against` compares with"
            )
        if self.protocol == "equal-steps" and "real-step-matched" in (*primary.arms, primary.against):
            raise ValueError("primary: in protocol equal-steps `real-step-matched` is `real` itself; name that")
        shares = [0.5, 1.0] if {"substitute", "substitute+augment"} & set(primary.arms) else []
        for key, known in (("n_real", self.n_real), ("ratios", [*self.ratios, *shares])):
            beyond = [one for one in getattr(primary, key) or [] if one not in known]
            if beyond:
                raise ValueError(f"primary.{key}: {beyond[0]:g} is not in the study's `{key}`; add it there")
        return self

    @property
    def strategy_of(self) -> Mapping[str, str]:
        """The strategy of each entry that ``strategies`` names."""
        return {entry: name for name, entries in self.strategies.items() for entry in entries}


def faults(settings: Evaluate, labels: Collection[str], entries: Collection[str], *, has_real: bool) -> list[str]:
    """What is wrong with a study in view of the rest of its manifest.

    Args:
        settings: The study.
        labels: The manifest's labels.
        entries: The names of the manifest's ``generate`` entries.
        has_real: Whether the manifest says where real images are.
    """
    found = [] if has_real else ["evaluate: needs real images to train and test on; say under `real:` where they are"]
    unknown = [label for label in settings.labels or [] if label not in labels]
    found += [f"evaluate.labels: no label `{label}` in `labels`; {near(label, labels)}" for label in unknown]
    if settings.target:
        found += _target_faults(settings.target, settings.labels or labels)
    if len(labels) < 2:
        found.append("evaluate: there is nothing to tell apart; `labels` has one label alone")
    for name, members in settings.strategies.items():
        path = f"evaluate.strategies.{name}"
        if name in entries and name not in members:
            found.append(f"{path}: is the name of an entry that is not in it; take another name")
        if settings.synthetic == "this":
            found += [f"{path}: no entry `{one}`; {near(one, entries)}" for one in members if one not in entries]
    known = {settings.strategy_of.get(entry, entry) for entry in entries}
    if settings.synthetic == "this":
        found += against_faults(settings, known)
        named = settings.primary.strategies or [] if settings.primary else []
        found += [
            f"evaluate.primary.strategies: no strategy `{one}`; {near(one, sorted(known))}"
            for one in named
            if one not in known
        ]
    return found


def _target_faults(target: Target, labels: Collection[str]) -> list[str]:
    """The faults of ``target`` in view of the labels that are told apart."""
    found = [
        f"evaluate.target.labels: no label `{one}`; {near(one, labels)}" for one in target.labels if one not in labels
    ]
    if not found and set(labels) <= set(target.labels):
        found.append("evaluate.target.labels: are all there are, so there is nothing to tell them from; take some out")
    if target.name in labels and target.labels != [target.name]:
        found.append(f"evaluate.target.name: `{target.name}` is a label; take another name")
    return found


def against_faults(settings: Evaluate, known: Collection[str]) -> list[str]:
    """The faults of ``against`` in view of the strategies that there are."""
    named = dict.fromkeys(name for pair in settings.against.items() for name in pair)
    there = sorted(known)
    return [f"evaluate.against: no strategy `{name}`; {near(name, there)}" for name in named if name not in known]

"""The settings of a study, ``evaluate:`` of a manifest: which arms, at which sizes, over how many seeds, by what."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from synthgen.documents import Strict

Arm = Literal[
    "real",
    "real+augment",
    "real-duplicated",
    "real-step-matched",
    "real-more",
    "real+synthetic",
    "synthetic-only",
    "substitute",
]
ARMS: tuple[Arm, ...] = (
    "real",
    "real+augment",
    "real-duplicated",
    "real-step-matched",
    "real-more",
    "real+synthetic",
    "synthetic-only",
    "substitute",
)
_Text = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=1, le=10**6)]


class Share(Strict):
    """A fixed share of every batch is synthetic, whatever the ratio; DA-Fusion's is 0.5."""

    share: Annotated[float, Field(gt=0, lt=1)]


def _mix(value: object) -> object:
    """Say once what a mix can be, rather than once for each thing that it is not."""
    share = value.get("share") if isinstance(value, dict) and len(value) == 1 else None
    between = isinstance(share, float) and 0 < share < 1
    if between or isinstance(value, Share) or value in ("union", "pretrain-then-real"):
        return value
    raise ValueError("must be union, pretrain-then-real, or {share: 0.5} with a share above 0 and below 1")


class Learner(Strict):
    """What learns in every trial, and for how long.

    Attributes:
        kind: ``probe`` trains a linear head on frozen features, ``finetune`` a network on pixels.
        backbone: The network: the name of a bundled one, a transformers checkpoint or a local folder.
        batch_size: Images an optimizer step.
        optimizer_steps: Of every trial, whatever its arm, in protocol ``equal-steps``.
        epochs: Of every trial in protocol ``sagers2023``. Four in batches of 64 are 20 steps for 9 labels at n = 32 and
            200 with ten synthetic images a real one; about 20 and 196 are told of Sagers et al. 2023, whose epochs are
            not known here.
    """

    kind: Literal["probe", "finetune"] = "probe"
    backbone: _Text = "small-cnn"
    batch_size: _Count = 64
    optimizer_steps: _Count = 500
    epochs: _Count = 4


class Evaluate(Strict):
    """A study of what synthetic images do for a classifier.

    Attributes:
        synthetic: Where the synthetic images are: ``this`` run, a run or dataset folder, or a Hub id.
        n_real: Real training images a label.
        ratios: Synthetic images a real one.
        seeds: How many times the study is repeated, each time on another draw of images.
        arms: What is compared; ``real`` is always one, for every other is compared with it.
        generator_pool: ``n``: no image of a generator that saw real images beyond the trial's own; or ``all``.
        mix: How real and synthetic images meet in batches.
        protocol: ``equal-steps``, or ``sagers2023``: steps in proportion to the images, as in arXiv 2308.12453.
        learner: What learns.
    """

    synthetic: _Text = "this"
    n_real: Annotated[list[_Count], Field(min_length=1)] = [1, 8, 16, 32]
    ratios: Annotated[list[_Count], Field(min_length=1)] = [1, 10]
    seeds: Annotated[int, Field(ge=1, le=1000)] = 5
    arms: Annotated[list[Arm], Field(min_length=1)] = list(ARMS)
    generator_pool: Literal["n", "all"] = "n"
    mix: Annotated[Literal["union", "pretrain-then-real"] | Share, BeforeValidator(_mix)] = "union"
    protocol: Literal["equal-steps", "sagers2023"] = "equal-steps"
    learner: Learner = Learner()

    @field_validator("n_real", "ratios", "arms")
    @classmethod
    def _once(cls, values: list[object]) -> list[object]:
        for number, value in enumerate(values):
            if value in values[:number]:
                raise ValueError(f"{value} is given twice")
        return values

    @field_validator("arms")
    @classmethod
    def _compared(cls, arms: list[Arm]) -> list[Arm]:
        if "real" not in arms:
            raise ValueError("must have `real`, which every other arm is compared with")
        return arms

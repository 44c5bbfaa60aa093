"""The arms of a study, and the family of comparisons that its claims are made from, ``evaluate.primary``."""

from collections.abc import Collection, Mapping
from typing import Annotated, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from synthgen.core.yaml_documents import Strict

Arm = Literal[
    "real",
    "real+augment",
    "real-duplicated",
    "real-step-matched",
    "real-more",
    "real+synthetic",
    "synthetic-only",
    "substitute",
    "real+synthetic+augment",
    "real-more+augment",
    "synthetic-only+augment",
    "substitute+augment",
    "permuted-labels",
]
ARMS: tuple[Arm, ...] = get_args(Arm)
DEFAULT_ARMS: tuple[Arm, ...] = ARMS[:8]  # those that came later are studied where they are asked for
AUGMENTED = "+augment"  # how an arm ends whose images are augmented
# Arms that have synthetic images.
SYNTHETIC: tuple[Arm, ...] = (
    "real+synthetic",
    "synthetic-only",
    "substitute",
    "real+synthetic+augment",
    "synthetic-only+augment",
    "substitute+augment",
    "permuted-labels",
)
Hypothesis = Literal["difference", "non-inferiority", "equivalence"]
CONTROLS: tuple[Arm, ...] = ("real", "real+augment", "real-step-matched", "real-more")
UNCURATED = "uncurated"
_Text = Annotated[str, Field(min_length=1)]
_Count = Annotated[int, Field(ge=1, le=10**6)]


class Primary(Strict):
    """The family of comparisons that a report's claims are made from, named before any result is there.

    Attributes:
        arms: What is compared, at every size and ratio; synthetic images as curated.
        against: What they are compared with: one of :data:`CONTROLS`; ``uncurated``, the same images without curation;
            or another strategy in the same arm, as ``evaluate.against`` has it.
        strategies: Those whose images count; all where left out.
        n_real: The sizes that count; all where left out.
        ratios: The ratios that count, for ``substitute`` the shares; all where left out.
        metric: The figure.
        subset: ``all`` test images, those of one group of skin tones, or ``gap``: light less dark, which asks for whom.
        hypothesis: What is to be shown: that there is a difference; that an arm is worse by no more than a margin; or
            that it differs by no more than that to either side.
        margin: Of non-inferiority or equivalence, as a share: 0.05 is five points.
    """

    arms: Annotated[list[Arm], Field(min_length=1)] = ["real+synthetic"]
    against: _Text = "real"
    strategies: Annotated[list[_Text], Field(min_length=1)] | None = None
    n_real: Annotated[list[_Count], Field(min_length=1)] | None = None
    ratios: Annotated[list[Annotated[float, Field(gt=0)]], Field(min_length=1)] | None = None
    metric: Literal["top1", "top3", "balanced_accuracy", "macro_f1"] = "top1"
    subset: Literal["all", "light", "medium", "dark", "gap"] = "all"
    hypothesis: Hypothesis = "difference"
    margin: float | None = None

    @classmethod
    def of(cls, said: Mapping[str, object], arms: Collection[str]) -> Self:
        """The family that was named; by default ``real+synthetic``, or what a study without it has, against ``real``.

        Args:
            said: What was named, as it is kept; empty for the default.
            arms: The names of the arms that there are.
        """
        if said:
            return cls.model_validate(said)
        for chosen in (["real+synthetic"], [one for one in SYNTHETIC if one in arms]):
            if set(chosen) & set(arms):
                return cls(arms=chosen)  # type: ignore[arg-type]
        return cls(arms=[arm for arm in ARMS if arm in arms and arm != "real"] or ["real+synthetic"])

    @field_validator("margin")
    @classmethod
    def _is_share(cls, margin: float | None) -> float | None:
        if margin is not None and not 0 < margin < 1:
            raise ValueError("is a share above 0 and below 1; five points are 0.05")
        return margin

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.against in self.arms:
            raise ValueError(f"`{self.against}` can't be compared with itself; take it out of `arms`, or of `against`")
        if self.hypothesis == "difference" and self.margin is not None:
            raise ValueError("margin: is of non-inferiority and of equivalence; say which as `hypothesis`")
        if self.hypothesis != "difference" and self.margin is None:
            raise ValueError(f"hypothesis: {self.hypothesis} is to a margin; give `margin`, five points are 0.05")
        if (self.subset, self.hypothesis) == ("gap", "non-inferiority"):
            raise ValueError("hypothesis: a gap is narrower or wider, not worse; ask for its equivalence")
        if self.subset != "all" and self.metric != "top1":
            raise ValueError("subset: groups of skin tones are compared in top1 alone; leave `metric` out")
        return self

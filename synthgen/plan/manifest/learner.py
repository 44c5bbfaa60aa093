"""The classifier of a study's trials: the settings of ``evaluate.learner`` of a manifest."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from synthgen.core.yaml_documents import Strict

SMALL = "small-cnn"
FIXED = ("gabor", "efficientnet-lite0")  # frozen features that ship or come from a package; nothing in them can train
_Count = Annotated[int, Field(ge=1, le=10**6)]


class Learner(Strict):
    """The classifier of every trial, and how long it is trained.

    Attributes:
        kind: ``probe`` trains a linear head on frozen features, ``finetune`` a network on pixels.
        backbone: ``small-cnn`` is the honest default that ships: for ``finetune`` a small network that starts from
            nothing in every trial, for ``probe`` fixed filters that were learned from nothing (``gabor``). Or
            ``efficientnet-lite0`` (probe alone), or a folder or Hub id of a transformers vision model.
        revision: The commit or branch of a Hub id.
        batch_size: Images an optimizer step.
        optimizer_steps: Of every trial, whatever its arm, in protocol ``equal-steps``.
        epochs: Of every trial in protocol ``sagers2023``. Four in batches of 64 are 20 steps for 9 labels at n = 32 and
            200 with ten synthetic images a real one; about 20 and 196 are told of Sagers et al. 2023, whose code has 50
            at the most, with early stopping.
        frozen: Whether the head alone learns, in ``finetune``.
        learning_rate: AdamW's at its highest; the kind's own where left out.
        patience: In ``finetune``: stop for good after so many looks at validation without a better one. Left
            out, the whole budget is spent, and the weights that did best on validation are kept.
        evaluations: In ``finetune``: how often validation is looked at in a training; with as many as ``epochs``,
            ``patience`` counts epochs.
        image_size: The side in pixels that images are brought to, in ``finetune``; where left out, 64 for
            ``small-cnn`` and 224 for a checkpoint.
    """

    kind: Literal["probe", "finetune"] = "probe"
    backbone: Annotated[str, Field(min_length=1)] = SMALL
    revision: str = ""
    batch_size: _Count = 64
    optimizer_steps: _Count = 500
    epochs: _Count = 4
    frozen: bool = False
    learning_rate: Annotated[float, Field(gt=0, le=10)] | None = None
    patience: Annotated[int, Field(ge=1, le=10)] | None = None
    evaluations: Annotated[int, Field(ge=1, le=1000, exclude_if=lambda asked: asked == 10)] = 10
    image_size: Annotated[int, Field(ge=16, le=2048)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        """Refuse a setting that its kind does not have."""
        if self.kind == "finetune" and self.backbone in FIXED:
            raise ValueError(
                f"backbone `{self.backbone}` is for probe; finetune takes {SMALL}, or a folder or Hub id of a "
                "transformers image classifier"
            )
        for name in ("frozen", "patience", "evaluations", "image_size"):
            if self.kind == "probe" and name in self.model_fields_set and getattr(self, name):
                raise ValueError(f"`{name}` is for finetune; a probe has none")
        return self

    @property
    def network(self) -> str:
        """The name of the backbone itself: what ``small-cnn`` stands for in a probe is ``gabor``."""
        return FIXED[0] if self.kind == "probe" and self.backbone == SMALL else self.backbone

    @property
    def side(self) -> int:
        """The side in pixels that images are brought to, in ``finetune``."""
        return self.image_size or (64 if self.backbone == SMALL else 224)

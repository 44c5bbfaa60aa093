"""Prior preservation (Ruiz et al. 2022): images that the model makes before training, shown to it meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any

from synthgen.finetune import latents, sample_grid, step_seeds
from synthgen.finetune.latents import TrainingImages
from synthgen.finetune.settings import TrainingSettings

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

_BATCH = 8
PriorImages = Sequence[tuple[str, "Pixels"]]  # each with its prompt


def images(
    pipe: Any,
    settings: TrainingSettings,
    digest: str,
    *,
    within: Callable[[], AbstractContextManager[Any]],
    inpaint: bool,
) -> PriorImages:
    """Images of ``class_prompts``, made with the prompts in turns, each with its prompt; none where none are wanted.

    Raises:
        DamagedError: One of them is not finite, as half precision may leave it.
    """
    if not settings.with_prior_preservation:
        return []
    source = _text_pipeline(pipe) if inpaint else pipe
    prompts = [
        settings.class_prompts[place % len(settings.class_prompts)] for place in range(settings.num_class_images)
    ]
    found: list[tuple[str, Pixels]] = []
    for first in range(0, len(prompts), _BATCH):
        batch = prompts[first : first + _BATCH]
        start = step_seeds.seed(digest, "prior", first)
        drawn = sample_grid.draw(
            source, batch, [], settings.side, inpaint=False, within=within(), first_seed=start, finite=True
        )
        found += zip(batch, drawn, strict=True)
    return found


def encode(
    pipe: Any,
    made: PriorImages,
    settings: TrainingSettings,
    *,
    masked: bool,
    digest: str,
    rows: Collection[int],
    progress: Callable[[int, int], None] | None = None,
) -> TrainingImages | None:
    """The same, encoded as the images to learn from are, ``rows`` of them; ``None`` for none."""
    if not made:
        return None
    readers = [partial(_same, pixels) for _, pixels in made]
    return latents.encode(
        pipe, readers, [(text,) for text, _ in made], settings,
        masked=masked, digest=f"{digest} prior", rows=rows, progress=progress,
    )  # fmt: skip


def _same(pixels: Pixels) -> Pixels:
    return pixels


def _text_pipeline(pipe: Any) -> Any:
    """The same parts as a pipeline that draws from prompts alone."""
    import diffusers

    kind = getattr(diffusers, type(pipe).__name__.replace("Inpaint", ""))
    found = kind(
        **pipe.components, **({"requires_safety_checker": False} if "safety_checker" in pipe.components else {})
    )
    found.set_progress_bar_config(disable=True)
    return found

"""Images as an IP-Adapter reads them: embeddings, each of which depends on its image alone.

A pipeline given a list of images takes one for each of several IP-Adapters, not one for each sample; given embeddings,
Flux's repeats them once more for each sample. So images are encoded here, by the pipeline's own ``encode_image``, one
by one, and what is made of them is handed on as it is.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from synthgen.diffusion.pipelines import guidance, latents
from synthgen.diffusion.pipelines.out_of_memory import out_of_memory
from synthgen.diffusion.pipelines.task_classes import parameters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from synthgen.core.types import Pixels

_KEPT = 64  # images whose embeddings are kept: samples of one source follow each other
Row = tuple["Tensor", "Tensor"]
"""The embedding of an image and of none, shape (1, images, ...) each."""


class ImagePrompts:
    """The embeddings of images for a pipeline with an IP-Adapter, as its call takes them.

    Args:
        pipe: The diffusers pipeline, whose image encoder and feature extractor are loaded.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._rows: OrderedDict[bytes, Row] = OrderedDict()
        self._by_class = type(pipe).prepare_ip_adapter_image_embeds
        self._paired = "do_classifier_free_guidance" in parameters(self._by_class)
        self._listed = True
        pipe.prepare_ip_adapter_image_embeds = _as_given

    def rows(self, images: Pixels) -> list[Row]:
        """The embeddings of images.

        Args:
            images: uint8 RGB, shape (images, height, width, 3).

        Raises:
            OutOfMemoryError: The device has no room for one of them.
        """
        return [self._row(image) for image in images]

    def arguments(self, rows: Sequence[Row], scale: float) -> dict[str, Any]:
        """What a pipeline's call takes of the embeddings of a batch.

        Args:
            rows: One a sample.
            scale: Its ``guidance_scale``.
        """
        import torch

        network = latents.denoiser(self._pipe)
        where = self._pipe._execution_device, network.dtype
        shown, blank = (torch.cat(each).to(*where) for each in zip(*rows, strict=True))
        paired = self._paired and scale > 1 and not guidance.distilled(self._pipe)
        given = torch.cat([blank, shown]) if paired else shown
        arguments: dict[str, Any] = {"ip_adapter_image_embeds": [given] if self._listed else given}
        if "negative_ip_adapter_image_embeds" in parameters(type(self._pipe).__call__):
            arguments |= {"negative_ip_adapter_image_embeds": [blank]}
        return arguments

    def _row(self, image: Pixels) -> Row:
        key = hashlib.sha256(image.tobytes()).digest()
        if key in self._rows:
            self._rows.move_to_end(key)
            return self._rows[key]
        self._rows[key] = found = self._encoded(image)
        if len(self._rows) > _KEPT:
            self._rows.popitem(last=False)
        return found

    def _encoded(self, image: Pixels) -> Row:
        import numpy as np

        if self._paired:
            blank, shown = self._embeddings(image, True).chunk(2)
            return shown.cpu(), blank.cpu()
        return self._embeddings(image).cpu(), self._embeddings(np.zeros_like(image)).cpu()

    def _embeddings(self, image: Pixels, *paired: bool) -> Tensor:
        """What the pipeline's own class makes of an image; that of none before it, where they come in pairs."""
        import torch

        read = self._pipe.feature_extractor([image], return_tensors="pt").pixel_values
        read = read.to(self._pipe.image_encoder.device, self._pipe.image_encoder.dtype)
        with out_of_memory(1), torch.inference_mode():
            found = self._by_class(self._pipe, read, None, self._pipe._execution_device, 1, *paired)
        self._listed = isinstance(found, list)
        row: Tensor = found[0] if self._listed else found
        return row


def _as_given(_image: Any = None, embeds: Any = None, *_args: Any, **named: Any) -> Any:
    """What a pipeline takes embeddings for that are whole already."""
    return named.get("ip_adapter_image_embeds", embeds)

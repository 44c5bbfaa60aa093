"""A vision-language model of transformers on this machine, from safetensors alone and without code of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from synthgen.core import devices
from synthgen.curate.scorers import Context
from synthgen.curate.scorers.vlm import Answer, Settings
from synthgen.errors import UnavailableError
from synthgen.vision.features import checkpoints

if TYPE_CHECKING:
    from synthgen.core.types import Pixels

_NEEDS = "config.json, a processor with a chat template, a tokenizer and safetensors"


def prepare(settings: Settings, context: Context) -> tuple[dict[str, Any], Callable[[], LocalModel]]:
    """What its answers depend on, and what opens it.

    Raises:
        UnavailableError: It is not there, not in safetensors, or takes no images in its chats.
    """
    kind = devices.available()[0] if context.device == "auto" else devices.describe(context.device).kind
    half = kind == "cuda" and devices.describe(kind).bf16
    model = LocalModel(settings, kind, half=half)
    computed = f"{kind}/{'bf16' if half else 'fp32'}"
    return {"model": model.digest, "computed": computed}, lambda: model


class LocalModel:
    """A model and its processor; answers are greedy, so that they are the same each time on one device."""

    def __init__(self, settings: Settings, device: str, *, half: bool) -> None:
        name, self._settings, self._device = settings.model, settings, device
        with checkpoints.loading(name, _NEEDS):
            import torch
            from transformers import AutoModelForImageTextToText, AutoProcessor

            options = checkpoints.options(name, settings.revision)
            dtype = torch.bfloat16 if half else torch.float32
            network, info = AutoModelForImageTextToText.from_pretrained(
                name, **options, dtype=dtype, output_loading_info=True
            )
            options.pop("use_safetensors")
            self._processor = AutoProcessor.from_pretrained(name, **options, backend="pil")
        if info["missing_keys"]:
            raise UnavailableError(f"{name}: the checkpoint lacks weights ({sorted(info['missing_keys'])[0]})")
        if not getattr(self._processor, "chat_template", None):
            raise UnavailableError(f"{name}: its processor has no chat template, so it can't be asked questions")
        self._network = network.eval().requires_grad_(False).to(device)
        known = checkpoints.digest(name, getattr(network.config, "_commit_hash", None))
        self.digest = f"{known}/{checkpoints.versions('torch', 'transformers')}"

    def over(self, images: list[tuple[Pixels, list[str]]]) -> list[list[Answer]]:
        """The answers on each image, one by one."""
        return [self.answers(pixels, questions) for pixels, questions in images]

    def answers(self, pixels: Pixels, questions: list[str]) -> list[Answer]:
        """What it answers to each question on one image."""
        from PIL import Image

        image = Image.fromarray(pixels)
        return [self._ask(image, question) for question in questions]

    def _ask(self, image: Any, question: str) -> Answer:
        import torch

        content = [{"type": "image", "image": image}, {"type": "text", "text": question}]
        inputs = self._processor.apply_chat_template(
            [{"role": "user", "content": content}],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
        ).to(self._device)
        read = int(inputs["input_ids"].shape[1])
        with torch.inference_mode():
            written = self._network.generate(**inputs, do_sample=False, max_new_tokens=self._settings.max_new_tokens)
        text = self._processor.batch_decode(written[:, read:], skip_special_tokens=True)[0]
        return Answer(text, read, int(written.shape[1]) - read)

"""How like its prompt an image is, by any CLIP model: the cosine of both embeddings (Radford et al. 2021).

The model is loaded by transformers. Not ``torchmetrics``' ``CLIPScore``: it gives a mean over images, cut off at 0, and
here each image has its own cosine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import Field

from synthgen.curate.scorers import Batch, Context, Scorer, Scores
from synthgen.errors import UnavailableError
from synthgen.plan.manifest.settings import ScorerSettings
from synthgen.vision.features import checkpoints

if TYPE_CHECKING:
    from synthgen.core.types import Floats

COLUMNS = {"similarity": "the cosine of the image's embedding and its prompt's, -1 to 1"}
TEXTS: dict[str, str] = {}
_IMAGES = 32


class Settings(ScorerSettings):
    """The CLIP model: a folder, from the current one, or a Hub id, of a commit or branch; in safetensors."""

    model: str = Field(min_length=1)
    revision: str | None = None


def open_scorer(settings: Settings, context: Context) -> Scorer:
    """The model is loaded here, so that what lacks is said before anything is scored.

    Raises:
        UnavailableError: It is not there, not in safetensors, or does not embed images and text.
    """
    clip, digest = load(settings.model, settings.revision)
    return Scorer({"method": "clip-cosine-1", "model": digest}, lambda: clip.score)


def load(name: str, revision: str | None) -> tuple[Clip, str]:
    """A CLIP model, and the digest of its weights and of what computes it.

    Raises:
        UnavailableError: It is not there, not in safetensors, or does not embed images and text.
    """
    from importlib.metadata import version

    with checkpoints.loading(name):
        import torch
        from transformers import AutoModel, AutoTokenizer

        options = checkpoints.options(name, revision)
        network, info = AutoModel.from_pretrained(name, **options, dtype=torch.float32, output_loading_info=True)
        if info["missing_keys"] or not hasattr(network, "get_text_features"):
            raise UnavailableError(f"{name}: not a whole model of images and text; give a CLIP model")
        options.pop("use_safetensors")
        clip = Clip(
            network.eval().requires_grad_(False),
            checkpoints.processor(name, revision),
            AutoTokenizer.from_pretrained(name, **options),
        )
    weights = checkpoints.digest(name, getattr(network.config, "_commit_hash", None))
    return clip, f"{weights}/torch-{version('torch')}/transformers-{version('transformers')}"


@dataclass(frozen=True, slots=True)
class Clip:
    """A model of images and text, and how both enter it; the embedding of each prompt is computed once."""

    network: Any
    prepare: Any
    tokenizer: Any
    known: dict[str, Floats] = field(default_factory=dict)

    def score(self, batch: Batch) -> Scores:
        """The column of a batch."""
        import numpy as np

        texts = np.stack([self._text(record.prompt) for record in batch.records])
        parts = [batch.pixels[start : start + _IMAGES] for start in range(0, len(batch.pixels), _IMAGES)]
        images = np.concatenate([self._embed(pixel_values=self.prepare(part)) for part in parts])
        return {"similarity": (images * texts).sum(1)}

    def _text(self, prompt: str) -> Floats:
        if prompt not in self.known:
            self.known[prompt] = self._embed(**self._tokens([prompt]))[0]
        return self.known[prompt]

    def _tokens(self, prompts: Sequence[str]) -> dict[str, Any]:
        """Prompts as the text half takes them; what is longer than it reads is cut."""
        longest = self.network.config.text_config.max_position_embeddings
        found = self.tokenizer(
            list(prompts), padding="max_length", truncation=True, max_length=longest, return_tensors="pt"
        )
        return {name: found[name] for name in ("input_ids", "attention_mask") if name in found}

    def _embed(self, **inputs: Any) -> Floats:
        """Unit embeddings, shape (n, width)."""
        import torch

        embed = self.network.get_image_features if "pixel_values" in inputs else self.network.get_text_features
        with torch.inference_mode():
            found = embed(**inputs)
            vectors = getattr(found, "pooler_output", found).float()
            unit: Floats = (vectors / vectors.norm(dim=1, keepdim=True)).numpy()
        return unit

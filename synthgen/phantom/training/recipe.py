"""The recipe: every number that decides the weights."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

SIDE = 64
LATENT_SIDE = 16
LATENT_CHANNELS = 4
MAX_TOKENS = 64
TEXT_WIDTH = 128

# The words of the conditions that the model learns. Tinea corporis is left out, so that fine-tuning has something to
# teach it.
LABELS: dict[str, str] = {
    "psoriasis": "psoriasis",
    "basal-cell-carcinoma": "basal cell carcinoma",
    "melanoma": "melanoma",
    "vitiligo": "vitiligo",
    "folliculitis": "folliculitis",
    "lichen-planus": "lichen planus",
    "squamous-cell-carcinoma": "squamous cell carcinoma",
    "healthy": "healthy skin",
}
TONES = (1, 2, 3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is trained and for how long; equal recipes on equal machines give equal weights.

    Attributes:
        seed: Where every random number of the training comes from.
        per_cell: Phantoms of site a for each of eight conditions and six types.
        classifier_steps: Steps of 64 of the classifier whose features the autoencoder's loss compares.
        autoencoder_steps: Steps of 16 of the autoencoder; in the last quarter its encoder is frozen.
        text_steps: Steps of 64 in which the text encoder learns to tell label and type, before the denoiser starts.
        denoiser_steps: Steps of 32 of the denoiser, the text encoder with it.
        autoencoder_channels: Widths of the autoencoder's three levels.
        denoiser_channels: Widths of the denoiser's three levels, at 16, 8 and 4 latents a side.
    """

    seed: int = 0
    per_cell: int = 1250
    classifier_steps: int = 2500
    autoencoder_steps: int = 5000
    text_steps: int = 400
    denoiser_steps: int = 10000
    autoencoder_channels: tuple[int, int, int] = (32, 48, 64)
    denoiser_channels: tuple[int, int, int] = (48, 96, 96)

    def folder(self, work: Path) -> Path:
        """The folder in ``work`` that is this recipe's own, so that no stage takes up another recipe's files."""
        return work / hashlib.sha256(repr(self).encode()).hexdigest()[:12]

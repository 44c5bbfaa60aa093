"""What the training prompts say: the shipped templates, and other ways to say the same."""

import numpy as np

from synthgen.core import resources
from synthgen.errors import InputError
from synthgen.phantom.training.recipe import LABELS, TONES
from synthgen.plan import skin_tones
from synthgen.plan.manifest import prompts

PARAPHRASES = (
    "{label}, Fitzpatrick skin type {tone}",
    "{label} on Fitzpatrick type {tone} skin",
    "{label}, skin type {tone}",
    "a picture of {label}, skin type {tone}",
    "A dermatology image of {label}, Fitzpatrick skin type {tone}",
    "A dermatology photo of {label} on skin type {tone}",
    "Fitzpatrick skin type {tone} with {label}",
    "Fitzpatrick skin type {tone}, {label}",
    "An image of {label} on the {body_site} of a person with Fitzpatrick skin type {tone}",
    "{label} on the {body_site}, {words} skin",
    "An image of {label} on {words} skin",
    "A photo of {label}, {words} skin, Fitzpatrick skin type {tone}",
    "{label}",
    "An image of {label}",
)
WORDS = {1: "very light", 2: "light", 3: "medium light", 4: "medium", 5: "brown", 6: "dark brown"}
BODY_SITES = ("arm", "back", "hand", "leg", "face", "chest", "foot", "neck")
BLURRED = ("blurry, low quality", "blurry", "low quality", "out of focus", "blurred, noisy")
EXTRA_WORDS = (
    "tinea corporis", "eczema", "acne", "rash", "lesion", "skin disease", "skin condition", "mole", "plaque", "red",
    "white", "brown", "pigmented", "close up", "clinical photograph", "patient", "adult", "high quality",
)  # fmt: skip


class Wording:
    """Draws a prompt for a label and a type.

    Raises:
        InputError: The package's own templates are gone.
    """

    def __init__(self) -> None:
        path = resources.find("prompts", "dermatology")
        if path is None:
            raise InputError("the shipped prompt templates `dermatology` are gone; install synthgen again")
        self._shipped = prompts.read(path.read_text(encoding="utf-8"), path.name)

    def draw(self, rng: np.random.Generator, label: str, tone: int, *, blurred: bool = False) -> str:
        """A prompt: three in five as the shipped templates say it, the others in other words."""
        written = skin_tones.name("fitzpatrick", tone)
        if rng.random() < 0.6:
            drawn = self._shipped.render(label, LABELS[label], ("fitzpatrick", tone, written), int(rng.integers(2**62)))
            text = drawn.text
        else:
            text = PARAPHRASES[rng.integers(len(PARAPHRASES))].format(
                label=LABELS[label],
                tone=written if rng.random() < 0.8 else tone,
                words=WORDS[tone],
                body_site=BODY_SITES[rng.integers(len(BODY_SITES))],
            )
        return f"{text}, {BLURRED[rng.integers(len(BLURRED))]}" if blurred else text

    def corpus(self) -> list[str]:
        """Every text that the tokenizer learns its words from."""
        rng = np.random.default_rng(0)
        return [
            *(
                self.draw(rng, label, tone, blurred=rng.random() < 0.1)
                for label in LABELS
                for tone in TONES
                for _ in range(40)
            ),
            *(word for word in (*EXTRA_WORDS, *WORDS.values(), *BODY_SITES) for _ in range(40)),
        ]

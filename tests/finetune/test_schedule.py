"""A training encodes what it shows and nothing else, and that is the same to the byte as if all had been encoded."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from synthgen.finetune import latents
from synthgen.finetune.methods import lora
from synthgen.finetune.schedule import Schedule

SETTINGS = lora.Settings(resolution=32, train_batch_size=2, gradient_accumulation_steps=2, variants=4)
TEXTS = [(f"An image of {n}", f"A photograph of {n}") for n in range(40)]


def scheduled(process: int = 0, processes: int = 1) -> Schedule:
    """The schedule of a process."""
    accelerator = SimpleNamespace(process_index=process, num_processes=processes)
    return Schedule("0" * 64, "own", TEXTS, variants=4, settings=SETTINGS, accelerator=accelerator)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_pass_shows_every_image_once(processes: int) -> None:
    """Ten steps of two times two images, over all processes: 40 images, each once."""
    batches = [one for process in range(processes) for one in scheduled(process, processes).every(10 // processes)]
    assert sorted(row // 4 for one in batches for row in one.rows) == list(range(40))
    assert all(text in TEXTS[row // 4] for one in batches for row, text in zip(one.rows, one.texts, strict=True))


def test_only_what_is_shown_is_opened_and_encoded() -> None:
    """The latents of some variants equal the same ones among all of them, and no other image is opened."""
    torch.manual_seed(0)
    pipe = SimpleNamespace(vae=AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, sample_size=32).eval())
    opened = list[int]()

    def read(place: int) -> np.ndarray:
        opened.append(place)
        return np.random.default_rng(place).integers(0, 256, (32, 32, 3), np.uint8)

    encode = partial(
        latents.encode, pipe, [partial(read, place) for place in range(40)], TEXTS, SETTINGS, masked=False, digest="0"
    )
    shown = sorted({row for one in scheduled().every(2) for row in one.rows})
    whole = encode()
    opened.clear()
    part = encode(rows=shown)
    assert opened == sorted({row // 4 for row in shown})
    assert torch.equal(part.mean[part.places(shown)], whole.mean[shown])
    assert torch.equal(part.deviation[part.places(shown)], whole.deviation[shown])

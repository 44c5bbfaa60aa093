"""What a model takes of a card is told from its configuration, near the peaks that full-size architectures show."""

from typing import Any

import pytest

from synthgen.diffusion.memory import GIB, Footprint, batch_that_fits, decode_bytes, divisor, step_bytes

_ATTENDING, _PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
SD = {"block_out_channels": [320, 640, 1280, 1280], "down_block_types": [_ATTENDING] * 3 + [_PLAIN]}
SDXL = {"block_out_channels": [320, 640, 1280], "down_block_types": [_PLAIN, _ATTENDING, _ATTENDING]}
SD3 = {"num_attention_heads": 24, "attention_head_dim": 64, "patch_size": 2, "in_channels": 16}
SD35_LARGE = SD3 | {"num_attention_heads": 38}
FLUX = {
    "num_attention_heads": 24, "attention_head_dim": 128, "patch_size": 1, "in_channels": 64, "num_single_layers": 38,
}  # fmt: skip
VAE = {"block_out_channels": [128, 256, 512, 512]}


@pytest.mark.parametrize(
    ("denoiser", "side", "guided", "gib"),
    [
        (SD, 512, True, 0.13),
        (SD, 768, True, 0.29),
        (SDXL, 1024, True, 0.31),
        (SD3, 1024, True, 0.32),
        (SD35_LARGE, 1024, True, 0.50),
        (FLUX, 1024, False, 0.80),
    ],
    ids=["sd 512", "sd 768", "sdxl", "sd3", "sd3.5-large", "flux"],
)
def test_a_denoiser_s_peak_for_an_image(denoiser: dict[str, Any], side: int, guided: bool, gib: float) -> None:
    """Within a fifth of the peak that the architecture has in full size on meta tensors, in half precision."""
    found = step_bytes(denoiser, side * side, 8, 2, guided=guided)
    assert found is not None
    assert found / GIB == pytest.approx(gib, rel=0.2)


@pytest.mark.parametrize(("side", "itemsize", "gib"), [(512, 2, 0.38), (1024, 2, 1.5), (1024, 4, 3.0)])
def test_an_autoencoder_s_peak_for_an_image(side: int, itemsize: int, gib: float) -> None:
    """Within a fifth of the same."""
    found = decode_bytes(VAE, side * side, itemsize)
    assert found is not None
    assert found / GIB == pytest.approx(gib, rel=0.2)


@pytest.mark.parametrize("denoiser", [{}, {"block_out_channels": "wide"}, {"num_attention_heads": 24}])
def test_a_configuration_that_says_too_little_is_not_guessed_at(denoiser: dict[str, Any]) -> None:
    """``None`` says that it can't be told."""
    assert step_bytes(denoiser, 512 * 512, 8, 2, guided=True) is None
    assert decode_bytes(denoiser, 512 * 512, 2) is None


@pytest.mark.parametrize(("card", "fits"), [(16, False), (24, False), (40, True), (80, True)])
def test_a_model_greater_than_a_card_fits_none(card: int, fits: bool) -> None:
    """31.3 GiB in half precision, which is Flux with its text encoders beside it, need a card of 40 GB."""
    flux = Footprint(int(31.3 * GIB), int(0.8 * GIB), int(1.5 * GIB), 1024 * 1024)
    assert bool(flux.on_card(card, 48)) is fits


@pytest.mark.parametrize(("memory", "fits"), [("fit", [0, 0, 1, 1]), ("fp8", [0, 1, 1, 1]), ("offload", [1, 1, 1, 1])])
def test_text_encoders_leave_first_and_a_denoiser_can_be_halved_or_left_outside(memory: str, fits: list[int]) -> None:
    """Flux without its 9.1 GiB of text encoders: 24 GB with weights in fp8, 16 GB layer by layer; they fit alone."""
    flux = Footprint(int(22.4 * GIB), int(0.8 * GIB), int(1.5 * GIB), 1024 * 1024, int(9.1 * GIB), int(22.2 * GIB))
    assert [min(1, flux.held(memory).on_card(card, 48)) for card in (12, 24, 40, 80)] == fits
    assert flux.held(memory).on_card(8, 48) == 0


def test_more_memory_never_takes_a_smaller_batch() -> None:
    """And what is chosen cuts the shard into whole batches, or nearly."""
    sizes = [batch_that_fits(int(free * GIB), GIB // 8, GIB // 3, 512 * 512, 48) for free in (0.2, 1, 2, 4, 8, 16, 60)]
    assert sizes == sorted(sizes)
    assert (sizes[0], sizes[-1]) == (0, 48)


@pytest.mark.parametrize(
    ("samples", "most", "size"), [(48, 20, 16), (48, 64, 48), (48, 1, 1), (47, 10, 10), (50, 30, 25)]
)
def test_a_batch_divides_the_shard_or_nearly(samples: int, most: int, size: int) -> None:
    """No batch is padded where a divisor is not less than half of what fits."""
    assert divisor(samples, most) == size

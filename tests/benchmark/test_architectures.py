"""What is timed has the size of what is published."""

import pytest

from synthgen.benchmark.architectures import ARCHITECTURES, build, configurations
from synthgen.diffusion.memory import step_bytes
from synthgen.diffusion.pipelines import denoiser

pytestmark = pytest.mark.slow
BILLIONS = {"sd15": 0.86, "sdxl": 2.57, "sd3": 2.03}  # Flux has 11.90, and takes seconds to count


@pytest.mark.parametrize("name", BILLIONS)
def test_a_denoiser_has_as_many_parameters_as_the_published_one(name: str) -> None:
    """Counted without memory; `plan` can say of its configuration what a step takes."""
    pipe = build(name, "meta", "float16")
    count = sum(parameter.numel() for parameter in denoiser(pipe).parameters())
    assert count / 1e9 == pytest.approx(BILLIONS[name], rel=0.01)
    weights = 2 * (count + sum(parameter.numel() for parameter in pipe.vae.parameters()))
    assert weights <= ARCHITECTURES[name].weights < 1.25 * weights
    assert step_bytes(configurations(pipe)[0], 512 * 512, 8, 2, guided=True)

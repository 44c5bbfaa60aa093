"""Which kernel computes attention."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthgen.core.model_folder import BUNDLED, describe
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import attention
from synthgen.errors import UnavailableError

pytestmark = pytest.mark.slow


def chosen(pipe: Any) -> set[str]:
    """What the layers of a transformer compute attention by."""
    return {
        str(one.processor._attention_backend.value) for one in pipe.transformer.modules() if hasattr(one, "processor")
    }


def test_every_name_is_one_of_diffusers() -> None:
    """A backend that diffusers renames would be found here."""
    from diffusers.models.attention_dispatch import AttentionBackendName

    assert set(attention.BACKENDS.values()) <= {one.value for one in AttentionBackendName}


def test_layers_that_can_choose_are_told(tiny_model: Callable[[str], Path]) -> None:
    """Of this pipeline alone, not of the whole process; in fp32 by PyTorch's own kernels meanwhile."""
    from diffusers.models.attention_dispatch import _AttentionBackendRegistry as registry

    before = registry.get_active_backend()[0]
    pipe = pipelines.load_diffusers("text2img", describe(str(tiny_model("flux")), Path()), "", "float32")
    for name in ("sdpa", "cudnn"):
        attention.set_attention(pipe, name)
        assert chosen(pipe) == {attention.BACKENDS[name]}
    with attention.in_fp32(pipe):
        assert chosen(pipe) == {"native"}
    assert chosen(pipe) == {"_native_cudnn"}
    assert registry.get_active_backend()[0] == before
    with pytest.raises(UnavailableError, match=r"--attention flash-3: .*sdpa"):
        attention.set_attention(pipe, "flash-3")


def test_a_denoiser_without_a_choice_is_refused_one() -> None:
    """Where diffusers would go on with its own and say nothing."""
    pipe = pipelines.load_diffusers("text2img", describe(BUNDLED, Path()), "", "float32")
    attention.set_attention(pipe, "sdpa")
    with pytest.raises(UnavailableError, match="--attention cudnn: a UNet2DConditionModel has no choice"):
        attention.set_attention(pipe, "cudnn")

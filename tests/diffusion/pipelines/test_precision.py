"""What is computed in half precision, what is not, and what an image made again in fp32 leaves as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from synthgen.core.adapter_folder import LORA, Adapter
from synthgen.core.model_folder import describe
from synthgen.diffusion import pipelines
from synthgen.diffusion.pipelines import Pipeline
from synthgen.errors import OutOfMemoryError

if TYPE_CHECKING:
    import torch

pytestmark = pytest.mark.slow

FAMILIES = ("sd", "sdxl", "sd3", "flux")
SETTINGS = {"num_inference_steps": 1, "guidance_scale": 3.0, "height": 32, "width": 32}


@pytest.fixture
def samples(tiny_model: Callable[[str], Path], make_plan: Callable[..., Any]) -> Callable[[str], list[Any]]:
    """Plans samples of a family's tiny model."""

    def planned(family: str) -> list[Any]:
        own = {"scheduler": "default"} if family in ("sd3", "flux") else {}
        entry = {"strategy": "text2img", "per_cell": 1, "settings": SETTINGS | own}
        plan = make_plan(model=str(tiny_model(family)), labels={"melanoma": "melanoma"}, generate=[entry])
        return [plan.entries["text2img"].sample(place) for place in range(2)]

    return planned


def read(model: Path, dtype: str = "float16", adapter: Adapter | None = None) -> Any:
    """A family's tiny pipeline."""
    return pipelines.load_diffusers("text2img", describe(str(model), Path()), "", dtype, adapter)


def dtypes(pipe: Any) -> dict[str, "torch.dtype"]:
    """The dtype of every tensor of a pipeline, by part and name."""
    return dict(_each(pipe))


def _each(pipe: Any) -> Iterator[tuple[str, "torch.dtype"]]:
    for part, module in pipe.components.items():
        if hasattr(module, "named_parameters"):
            for name, tensor in (*module.named_parameters(), *module.named_buffers()):
                yield f"{part}.{name}", tensor.dtype


@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")  # diffusers' call of its own
@pytest.mark.parametrize("family", FAMILIES)
def test_an_image_made_again_in_fp32_leaves_the_pipeline_as_it_was(
    family: str, tiny_model: Callable[[str], Path], samples: Callable[[str], list[Any]]
) -> None:
    """Every tensor has its dtype again, and the next batch its bytes."""
    pipe = read(tiny_model(family))
    before, pipeline = dtypes(pipe), Pipeline(pipe, "float16")
    first = pipeline.text2img(samples(family)).pixels
    assert pipeline.text2img(samples(family), precise=True).finite.all()
    assert dtypes(pipe) == before
    assert (pipeline.text2img(samples(family)).pixels == first).all()


def _poison(pipe: Any, *, vae: bool, denoiser: "set[torch.dtype]") -> None:
    """Turn to NaN what the autoencoder gives in half precision, and the denoiser in some dtypes."""
    import torch

    def spoil(halves: "set[torch.dtype]") -> Callable[..., Any]:
        def hook(module: Any, _inputs: Any, output: Any) -> Any:
            first = output[0] if isinstance(output, tuple) else output
            if next(module.parameters()).dtype in halves:
                first = first * float("nan")
            return (first, *output[1:]) if isinstance(output, tuple) else first

        return hook

    if vae:
        pipe.vae.decoder.register_forward_hook(spoil({torch.float16, torch.bfloat16}))
    pipelines.denoiser(pipe).register_forward_hook(spoil(denoiser))


@pytest.mark.filterwarnings("ignore:`upcast_vae` is deprecated:FutureWarning")
@pytest.mark.parametrize(
    ("family", "vae", "denoiser", "used"),
    [
        ("sd", True, (), "vae-float32"),
        ("sd", False, ("float16",), "denoiser-bfloat16"),
        ("sd", True, ("float16", "bfloat16"), "float32"),
        ("sdxl", True, ("float16",), "denoiser-bfloat16"),
        ("sd3", True, (), "vae-float32"),
        ("flux", True, ("float16",), "denoiser-bfloat16"),
    ],
)
def test_nan_is_made_again_in_the_cheapest_precision_that_helps(
    family: str,
    vae: bool,
    denoiser: tuple[str, ...],
    used: str,
    *,
    tiny_model: Callable[[str], Path],
    samples: Callable[[str], list[Any]],
) -> None:
    """It is told, every weight is what it was to the bit, and an image sees nothing of who is made again beside it."""
    import torch

    pipe = read(tiny_model(family))
    pipeline = Pipeline(pipe, "float16", redo_alone=True)
    _poison(pipe, vae=vae, denoiser={getattr(torch, name) for name in denoiser})
    before = {name: tensor.clone() for name, tensor in pipelines.denoiser(pipe).state_dict().items()}
    assert not pipeline.text2img(samples(family)).finite.any()
    both = pipeline.text2img(samples(family), precise=True)
    assert both.finite.all()
    assert both.precisions == (used, used)
    assert (pipeline.text2img(samples(family)[1:], precise=True).pixels[0] == both.pixels[1]).all()
    after = pipelines.denoiser(pipe).state_dict()
    assert all(tensor.dtype == after[name].dtype and tensor.equal(after[name]) for name, tensor in before.items())


def test_what_no_precision_makes_finite_stays_so(
    tiny_model: Callable[[str], Path], samples: Callable[[str], list[Any]]
) -> None:
    """It is for the next attempt, with another seed."""
    import torch

    pipe = read(tiny_model("sd"))
    _poison(pipe, vae=False, denoiser={torch.float16, torch.bfloat16, torch.float32})
    made = Pipeline(pipe, "float16", redo_alone=True).text2img(samples("sd")[:1], precise=True)
    assert (made.finite.any(), made.precisions) == (False, ("float32",))


@pytest.mark.parametrize("family", ["sd3", "flux"])
def test_what_t5_keeps_in_fp32_stays_so_under_an_adapter(
    family: str, tiny_model: Callable[[str], Path], tmp_path: Path
) -> None:
    """T5's output layers overflow in fp16, so transformers keep them in fp32; a LoRA on the denoiser is no reason."""
    import torch
    from peft import LoraConfig, get_peft_model_state_dict

    pipe = read(tiny_model(family), "float32")
    pipe.transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_k"]))
    type(pipe).save_lora_weights(tmp_path, get_peft_model_state_dict(pipe.transformer), weight_name=LORA)
    tuned = dtypes(read(tiny_model(family), adapter=Adapter("tuned", "0" * 64, "lora", None, folder=tmp_path)))
    kept = [name for name, dtype in tuned.items() if dtype == torch.float32 and name.startswith("text_encoder")]
    assert kept
    assert all(".wo." in name for name in kept)
    added = {dtype for name, dtype in tuned.items() if "lora_" in name}
    assert added == {torch.float16}


def test_a_pipeline_that_does_not_fit_in_fp32_is_whole_afterwards(
    tiny_model: Callable[[str], Path], samples: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Memory that ends while weights are brought to fp32 is a batch that does not fit, and nothing is left half way."""
    import torch

    pipe = read(tiny_model("sd"))
    before, pipeline = dtypes(pipe), Pipeline(pipe, "float16")

    def full(*_: Any, **__: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(pipe.vae, "to", full)
        with pytest.raises(OutOfMemoryError):
            pipeline.text2img(samples("sd"), precise=True)
    assert dtypes(pipe) == before
    assert pipeline.text2img(samples("sd")).pixels.shape == (2, 32, 32, 3)


@pytest.mark.parametrize(
    "said",
    [
        "CUDA error: out of memory",
        "cuDNN error: CUDNN_STATUS_NOT_SUPPORTED. This error may appear if you passed in a non-contiguous input.",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "GET was unable to find an engine to execute this computation",
        "[enforce fail at alloc_cpu.cpp:114] DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 B.",
    ],
)
def test_every_way_to_say_that_memory_is_out(
    said: str, tiny_model: Callable[[str], Path], samples: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """CUDA's libraries raise plain RuntimeErrors where they lack memory; each halves the batch like torch's own."""

    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError(said)

    pipe = read(tiny_model("sd"), "float32")
    monkeypatch.setattr(pipe.unet, "forward", full)
    with pytest.raises(OutOfMemoryError):
        Pipeline(pipe, "float32").text2img(samples("sd"))


def test_other_faults_of_the_device_are_not_taken_for_it(
    tiny_model: Callable[[str], Path], samples: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault that a smaller batch does not mend is said as it is."""

    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    pipe = read(tiny_model("sd"), "float32")
    monkeypatch.setattr(pipe.unet, "forward", broken)
    with pytest.raises(RuntimeError, match="illegal memory access"):
        Pipeline(pipe, "float32").text2img(samples("sd"))

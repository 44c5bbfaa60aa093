"""What each way to be faster gains here: attention backends, a fused LoRA, few steps, guidance in a part of them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from synthgen.benchmark.architectures import ARCHITECTURES
from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, architectures, each, loaded, part, samples, seconds, settings_of
from synthgen.core import devices
from synthgen.core.devices import ATTENTION, DeviceRequest
from synthgen.diffusion.pipelines import Pipeline
from synthgen.diffusion.pipelines.attention import set_attention
from synthgen.errors import UnavailableError
from synthgen.vision.images import codec

_STEPS = 4


def run(findings: Findings, asked: Asked) -> None:
    """Time each lever beside what it is pulled against."""
    for name in architectures(findings, asked, ("sd15", "sdxl", "flux")):
        with each(findings, ARCHITECTURES[name].name):
            pipeline = loaded(name, asked)
            wanted = samples(1 if asked.reduced else 4, **settings_of(name, asked, steps=_STEPS))
            with each(findings, f"{ARCHITECTURES[name].name}: attention"):
                _attention(findings, asked, name, pipeline, wanted)
            if name != "flux":
                _guidance(findings, asked, name, pipeline, wanted)
                _few_steps(findings, asked, name, pipeline, wanted)
                _layout(findings, asked, name, pipeline, wanted)
            with each(findings, f"{ARCHITECTURES[name].name}: LoRA"):
                _lora(findings, asked, name, pipeline, wanted)


def _make(pipeline: Pipeline, wanted: Any) -> Callable[[], Any]:
    return lambda: pipeline.text2img(wanted)


def _attention(findings: Findings, asked: Asked, name: str, pipeline: Pipeline, wanted: Any) -> None:
    """Each backend that the device and the denoiser have, against PyTorch's own."""
    device, said = devices.describe(asked.device), ARCHITECTURES[name].name
    usual = seconds(asked.device, _make(pipeline, wanted))
    first = pipeline.text2img(wanted).pixels
    for backend in ATTENTION[2:]:
        try:
            request = DeviceRequest(asked.device, "auto", backend)
            devices.decide(device, request, pixels=1, shard_samples=1, model_revision="")
            set_attention(pipeline.pipe, backend)
        except UnavailableError as error:
            findings.skip(f"{said}: attention {backend}", str(error))
            continue
        taken = seconds(asked.device, _make(pipeline, wanted))
        psnr = min(codec.psnr(*pair) for pair in zip(pipeline.text2img(wanted).pixels, first, strict=True))
        findings.figure(f"{said}: attention {backend} against sdpa", usual / taken, "times as fast")
        findings.check(f"{said}: attention {backend} draws the same", psnr >= 20, f"{psnr:.1f} dB", otherwise="warn")
    if hasattr(pipeline.pipe, "unet") and device.xformers and asked.device == "cuda":
        pipeline.pipe.disable_xformers_memory_efficient_attention()
    elif not hasattr(pipeline.pipe, "unet"):
        set_attention(pipeline.pipe, "sdpa")


def _with(wanted: Any, **changes: Any) -> list[Any]:
    recipe = wanted[0].recipe
    other = replace(recipe, settings=type(recipe.settings)(**recipe.settings.model_dump() | changes))
    return [replace(sample, recipe=other) for sample in wanted]


def _guidance(findings: Findings, asked: Asked, name: str, pipeline: Pipeline, wanted: Any) -> None:
    usual = seconds(asked.device, _make(pipeline, wanted))
    part_of = _with(wanted, guidance_start=0.25, guidance_stop=0.75)
    taken = seconds(asked.device, _make(pipeline, part_of))
    findings.figure(f"{ARCHITECTURES[name].name}: guidance in half of the steps", usual / taken, "times as fast")


def _few_steps(findings: Findings, asked: Asked, name: str, pipeline: Pipeline, wanted: Any) -> None:
    """Four steps without guidance, as few-step adapters make them, against the usual ones."""
    of = ARCHITECTURES[name]
    few = _with(wanted, num_inference_steps=4, guidance_scale=1.0, scheduler="lcm")
    taken = seconds(asked.device, _make(pipeline, few))
    many = _with(wanted, num_inference_steps=of.steps if not asked.reduced else 8)
    usual = seconds(asked.device, _make(pipeline, many))
    findings.figure(f"{of.name}: four steps without guidance", usual / taken, "times as fast")


def _layout(findings: Findings, asked: Asked, name: str, pipeline: Pipeline, wanted: Any) -> None:
    """Channels last against channels first, in the UNet."""
    import torch

    times = {}
    for layout in (torch.contiguous_format, torch.channels_last):
        part(pipeline).to(memory_format=layout)
        times[layout] = seconds(asked.device, _make(pipeline, wanted))
    gain = times[torch.contiguous_format] / times[torch.channels_last]
    findings.figure(f"{ARCHITECTURES[name].name}: channels last in the UNet", gain, "times as fast")
    if not devices.channels_last(asked.device):
        part(pipeline).to(memory_format=torch.contiguous_format)


def _lora(findings: Findings, asked: Asked, name: str, pipeline: Pipeline, wanted: Any) -> None:
    """A LoRA of rank 16 beside the attention's weights, and added to them once."""
    from peft import LoraConfig

    said, denoiser = ARCHITECTURES[name].name, part(pipeline)
    plain = seconds(asked.device, _make(pipeline, wanted))
    targets = ["to_q", "to_k", "to_v", "to_out.0"]
    denoiser.add_adapter(LoraConfig(r=16, target_modules=targets, init_lora_weights="gaussian"))
    for key, parameter in denoiser.named_parameters():
        if "lora_" in key:
            parameter.data = parameter.data.to(denoiser.dtype)
    denoiser.requires_grad_(False)
    beside = seconds(asked.device, _make(pipeline, wanted))
    denoiser.fuse_lora(safe_fusing=True)
    denoiser.unload_lora()
    fused = seconds(asked.device, _make(pipeline, wanted))
    findings.figure(f"{said}: LoRA fused against beside", beside / fused, "times as fast")
    findings.figure(f"{said}: LoRA fused against none", plain / fused, "times as fast")

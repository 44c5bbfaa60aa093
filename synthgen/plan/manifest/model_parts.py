"""Checks what an entry of ``generate`` is made with beside its model: a few-step adapter, another autoencoder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthgen.core.ip_adapter import IpAdapter, describe_image_encoder, describe_ip_adapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import (
    Accelerator,
    Autoencoder,
    ControlNet,
    ImageEncoder,
    describe_accelerator,
    describe_autoencoder,
    describe_controlnet,
)
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest.schema import Accelerate, Controlnet, Vae
from synthgen.plan.manifest.schema import ImageEncoder as WrittenEncoder
from synthgen.plan.manifest.schema import IpAdapter as WrittenIpAdapter
from synthgen.plan.manifest.settings import StrategySettings

SAMPLING = ("scheduler", "timestep_spacing", "num_inference_steps", "guidance_scale")
"""What a few-step adapter says of an entry's settings, under diffusers' own names."""

_STEPS, _UNGUIDED = 4, 1.0
_OWN_SPACING = ("default", "lcm", "tcd")  # made for the model's own; Lightning and Hyper-SD are for trailing timesteps


def sampling(written: Accelerate) -> dict[str, Any]:
    """How a model is sampled with a few-step adapter: what is written, and defaults for the rest.

    Four steps without guidance, as LCM-LoRA, TCD, Lightning and Hyper-SD are made for; ``lcm``, or for another
    scheduler than ``lcm``, ``tcd`` and ``default`` its trailing timesteps.
    """
    scheduler = written.scheduler or "lcm"
    spacing = {} if scheduler in _OWN_SPACING else {"timestep_spacing": "trailing"}
    usual = {"scheduler": scheduler, "num_inference_steps": _STEPS, "guidance_scale": _UNGUIDED}
    return usual | spacing | written.model_dump(include=set(SAMPLING), exclude_none=True)


def accelerator(
    written: Accelerate, kind: type[StrategySettings] | None, settings: Mapping[str, Any], base: Path
) -> tuple[Accelerator | None, list[Fault]]:
    """The few-step adapter that an entry asks for, and what is at fault with it; places from its own key.

    Args:
        written: What the entry says of it.
        kind: The settings of the entry's strategy; ``None`` where they are not known.
        settings: What the entry says of them itself.
        base: The folder that relative paths start from.
    """
    faults = []
    if kind is not None and not set(SAMPLING) <= set(kind.model_fields):
        faults.append(Fault("is for strategies that sample a model in steps", kind="conflict"))
    twice = written.model_dump(include=set(SAMPLING), exclude_none=True).keys() & settings.keys()
    faults += [Fault.at(key, "is said under `settings` too; leave it out of one", "duplicate") for key in sorted(twice)]
    try:
        found = describe_accelerator(
            written.adapter,
            base,
            revision=written.revision or "",
            weight_name=written.weight_name or "",
            weight=written.weight,
        )
    except ManifestError as error:
        return None, faults + [Fault(one, kind="invalid").keyed() for one in error.faults]
    return (None if faults else found), faults


def autoencoder(
    written: Vae, kind: type[StrategySettings] | None, facts: ModelFacts | None, base: Path
) -> tuple[Autoencoder | None, list[Fault]]:
    """The autoencoder that an entry asks for, and what is at fault with it; places from its own key.

    Args:
        written: What the entry says of it.
        kind: The settings of the entry's strategy; ``None`` where they are not known.
        facts: What is known of the entry's model.
        base: The folder that relative paths start from.
    """
    if kind is not None and not set(SAMPLING) <= set(kind.model_fields):
        return None, [Fault("is for strategies that sample a model in steps", kind="conflict")]
    try:
        found = describe_autoencoder(written.model, base, revision=written.revision or "")
    except ManifestError as error:
        return None, [Fault(one, kind="invalid").keyed() for one in error.faults]
    channels = found.model.latent_channels
    if facts is not None and facts.folder and found.model.folder and channels != facts.latent_channels:
        said = f"has {channels} latent channels, `{facts.name}` is for {facts.latent_channels}; it is another family's"
        return None, [Fault.at("model", said, "conflict")]
    return found, []


def controlnet(
    written: Controlnet | None, kind: type[StrategySettings] | None, base: Path
) -> tuple[ControlNet | None, list[Fault]]:
    """The ControlNet that an entry asks for, and what is at fault with it; places from its own key.

    Args:
        written: What the entry says of it; ``None`` for nothing.
        kind: The settings of the entry's strategy; ``None`` where they are not known.
        base: The folder that relative paths start from.
    """
    if written is None:
        missing = kind is not None and kind.reads_control
        return None, [Fault("missing; name a ControlNet, as a folder or a Hub id", kind="missing")] if missing else []
    if kind is not None and not kind.reads_control:
        return None, [Fault("is for strategy `controlnet`", kind="conflict")]
    try:
        return describe_controlnet(written.model, base, revision=written.revision or ""), []
    except ManifestError as error:
        return None, [Fault(one, kind="invalid").keyed() for one in error.faults]


def ip_adapter(
    written: WrittenIpAdapter | None,
    encoder: WrittenEncoder | None,
    kind: type[StrategySettings] | None,
    base: Path,
) -> tuple[IpAdapter | None, ImageEncoder | None, list[Fault]]:
    """The IP-Adapter that an entry asks for, an image encoder for it, and what is at fault; places from the entry.

    Args:
        written: What the entry says of it; ``None`` for nothing.
        encoder: What it says of an image encoder that lies elsewhere; ``None`` for nothing.
        kind: The settings of the entry's strategy; ``None`` where they are not known.
        base: The folder that relative paths start from.
    """
    reads = kind is not None and kind.reads_image_prompt
    if kind is not None and not reads:
        keys = [key for key, value in (("ip_adapter", written), ("image_encoder", encoder)) if value is not None]
        return None, None, [Fault.at(key, "is for strategy `ip-adapter`", "conflict") for key in keys]
    if written is None:
        said = "missing; name an IP-Adapter, as a folder or a Hub id"
        return None, None, [Fault.at("ip_adapter", said, "missing")] if reads else []
    if encoder is not None and written.image_encoder_folder is not None:
        said = "is in place of `image_encoder` of the entry; leave one out"
        return None, None, [Fault.at("ip_adapter.image_encoder_folder", said, "conflict")]
    faults, found, other = list[Fault](), None, None
    try:
        found = describe_ip_adapter(
            written.model,
            base,
            revision=written.revision or "",
            subfolder=written.subfolder,
            weight_name=written.weight_name or "",
            image_encoder_folder="" if encoder else written.image_encoder_folder or "image_encoder",
        )
    except ManifestError as error:
        faults += [Fault(one, kind="invalid").keyed().within("ip_adapter") for one in error.faults]
    try:
        other = describe_image_encoder(encoder.model, base, revision=encoder.revision or "") if encoder else None
    except ManifestError as error:
        faults += [Fault(one, kind="invalid").keyed().within("image_encoder") for one in error.faults]
    return found, other, faults

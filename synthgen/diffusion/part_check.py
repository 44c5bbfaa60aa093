"""Whether what an entry names beside its model can be loaded and goes with it, before any weights are downloaded."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from synthgen.core.ip_adapter import IpAdapter, check_encoder
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import ControlNet, ImageEncoder, check_controlnet
from synthgen.diffusion.pipelines import UnreachableError, resolve
from synthgen.diffusion.pipelines.part_files import controlnet_variant, encoder_files, ip_adapter_files
from synthgen.diffusion.pipelines.weight_files import Repository, shapes_in
from synthgen.diffusion.repository_json import Configurations
from synthgen.errors import ManifestError, UnavailableError
from synthgen.plan.sample import Recipe

_READS = ("cross_attention_dim", "joint_attention_dim")  # the width of the prompts' embeddings, by a network's kind


def check(recipe: Recipe, model: ModelFacts, denoiser: Mapping[str, Any]) -> int:
    """The bytes that an entry's ControlNet, or its IP-Adapter with the image encoder, take beside its model.

    As their files have them, which may be twice what half precision takes; 0 where the Hub can't be asked.

    Args:
        recipe: What names them.
        model: What is known of the model.
        denoiser: The ``config.json`` of its denoiser; empty where that is not known.

    Raises:
        UnavailableError: One can't be had, has no safetensors, or is for another model.
    """
    checks: list[Callable[[], int]] = []
    if recipe.controlnet is not None:
        checks.append(partial(_controlnet, recipe.controlnet, model, denoiser))
    if recipe.ip_adapter is not None:
        checks.append(partial(_ip_adapter, recipe.ip_adapter, recipe.image_encoder, model, denoiser))
    return sum(map(_if_reachable, checks))


def _if_reachable(one: Callable[[], int]) -> int:
    try:
        return one()
    except UnreachableError:
        return 0


def _controlnet(controlnet: ControlNet, model: ModelFacts, denoiser: Mapping[str, Any]) -> int:
    repository, name = resolve(controlnet, sizes=True), controlnet.model.name
    variant = controlnet_variant(controlnet, repository)
    config = Configurations(controlnet.model, repository, "controlnet")("config.json")
    kind = str(config.get("_class_name", ""))
    try:
        check_controlnet(kind, name)
    except ManifestError as error:
        raise UnavailableError(*(f"controlnet.{fault}" for fault in error.faults)) from None
    wanted, of = kind.removesuffix("ControlNetModel") or "UNet2DCondition", str(denoiser.get("_class_name", ""))
    if of and not of.startswith(wanted):
        raise UnavailableError(
            f"controlnet {name}: is a {kind}, model {model.name} has a {of}; choose one that was trained for that model"
        )
    for key in _READS:
        theirs, ours = config.get(key), denoiser.get(key)
        if isinstance(theirs, int) and isinstance(ours, int) and theirs != ours:
            raise UnavailableError(
                f"controlnet {name}: reads prompts {theirs} wide, model {model.name} gives {ours}; "
                "it was trained for a model of another family"
            )
    return sum(
        size
        for path, size in repository.sizes.items()
        if path.endswith(".safetensors") and "/" not in path and (".fp16." in path) == (variant == "fp16")
    )


def _ip_adapter(
    adapter: IpAdapter, encoder: ImageEncoder | None, model: ModelFacts, denoiser: Mapping[str, Any]
) -> int:
    repository, name = resolve(adapter, sizes=True), adapter.model.name
    weights, inside = ip_adapter_files(adapter, repository)
    if inside is None and encoder is not None:
        elsewhere = resolve(encoder, sizes=True)
        of, folder, known = encoder.model, encoder_files(encoder, elsewhere), elsewhere
    else:
        of, folder, known = adapter.model, inside or "", repository
    start = f"{folder}/" if folder else ""
    config = Configurations(of, known, "image_encoder")(f"{start}config.json")
    if held := shapes_in(adapter.model, repository, weights):
        try:
            check_encoder(config, held, of.name, f"ip_adapter {name}")
        except ManifestError as error:
            raise UnavailableError(*error.faults) from None
        _check_width(held, name, model, denoiser)
    return repository.sizes.get(weights, 0) + _weights_in(known, start)


def _check_width(
    held: Mapping[str, tuple[int, ...]], name: str, model: ModelFacts, denoiser: Mapping[str, Any]
) -> None:
    """Refuse an IP-Adapter whose layers read what another family's denoiser gives."""
    theirs = {shape[-1] for key, shape in held.items() if key.endswith("to_k_ip.weight") and len(shape) == 2}
    ours = denoiser.get("cross_attention_dim")
    if isinstance(ours, int) and theirs and theirs != {ours}:
        raise UnavailableError(
            f"ip_adapter {name}: is for a model that reads prompts {min(theirs)} wide, {model.name} reads {ours}; "
            "it was trained for a model of another family"
        )


def _weights_in(repository: Repository, start: str) -> int:
    """Bytes of the plain weights in a folder of a repository."""
    inside = {path.removeprefix(start): size for path, size in repository.sizes.items() if path.startswith(start)}
    return sum(size for path, size in inside.items() if path.endswith(".safetensors") and "/" not in path)

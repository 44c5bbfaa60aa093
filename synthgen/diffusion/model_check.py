"""Whether the models that a plan names can be loaded, and what they take, before any weights are downloaded.

Read are listings, configurations and headers: of a folder, of what was downloaded before, or of the Hub. Where none of
these can be had it is said that a model was not checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from synthgen.core import hub, model_folder
from synthgen.core.model_folder import ModelFacts
from synthgen.diffusion import adapter_check, learned_words, memory, part_check
from synthgen.diffusion.adapter_check import Lora
from synthgen.diffusion.memory import Footprint
from synthgen.diffusion.pipelines import (
    Task,
    UnreachableError,
    check_channels,
    choose_variant,
    family_of,
    pipeline_class,
    resolve,
)
from synthgen.diffusion.pipelines.repositories import NamesModel
from synthgen.diffusion.pipelines.weight_files import (
    Repository,
    loaded_files,
    missing_shards,
    stored_dtypes,
)
from synthgen.diffusion.repository_json import Configurations
from synthgen.diffusion.sampler_settings import SamplerSettings
from synthgen.errors import Fault, InputError, UnavailableError
from synthgen.plan import Plan
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.price import CardRates
from synthgen.plan.sample import Recipe
from synthgen.vision.features.named import stands_for

_ITEMSIZE = {"F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F64": 8}


@dataclass(frozen=True, slots=True)
class ModelReport:
    """What is known of a model of a plan before it is loaded.

    Attributes:
        name: As the manifest writes it.
        used_by: The places of the manifest that name it.
        note: Why it was not checked; empty where it was.
        download: Bytes of weights that half precision reads; ``None`` where sizes are not known.
        footprint: What it takes in half precision; ``None`` where its configuration says too little.
        batch_sizes: By a card's size in GB the images that fit at once, 0 where not one does.
        by_memory: The same with ``--memory fp8`` and with ``--memory offload``.
        family: The family of its pipeline, as ``StableDiffusionXL``; empty where it is not known.
        distilled: Whether guidance takes no second pass, since the model was taught it.
    """

    name: str
    used_by: tuple[str, ...]
    note: str = ""
    download: int | None = None
    footprint: Footprint | None = None
    batch_sizes: Mapping[int, int] | None = None
    by_memory: Mapping[str, Mapping[int, int]] = field(default_factory=dict)
    family: str = ""
    distilled: bool = False

    def lines(self) -> Iterator[str]:
        """What is known of it, a line each, for people."""
        if self.note:
            yield f"model {self.name}: {self.note}"
            return
        if self.footprint is None or self.batch_sizes is None:
            yield f"model {self.name}: its files are there; whether it fits a card can't be told from its configuration"
            return
        fits = ", ".join(self._said(card, size) for card, size in self.batch_sizes.items())
        size = f"{self.download / 1e9:.1f} GB of weights to read, " if self.download else ""
        text = self.footprint.text / memory.GIB
        before = f", after {text:.1f} GiB of text encoders" if text >= 0.05 else ""
        stays = self.footprint.weights / memory.GIB
        yield f"model {self.name}: {size}{stays:.1f} GiB on a GPU in half precision{before}"
        yield f"  images that fit a card of {fits}"

    def _said(self, card: int, size: int) -> str:
        """How many images fit a card, and by which ``--memory`` where none do otherwise."""
        if size:
            return f"{card} GB {size} at once"
        for how, batch_sizes in self.by_memory.items():
            if fits := batch_sizes.get(card):
                return f"{card} GB {fits} at once with --memory {how}"
        return f"{card} GB no"


def check(plan: Plan) -> list[ModelReport]:
    """What is known of every model that a plan loads but the bundled one, each of them once.

    Raises:
        UnavailableError: One can't be loaded or can't do what it is for; one fault for each.
    """
    found: dict[tuple[str, str, int], ModelReport] = {}
    faults = list[Fault]()
    for where, named, settings, task, loras in _named(plan):
        if named.model.kind == "bundled":
            continue
        try:
            report = _inspect(named, settings, task, loras, plan.manifest.document.output.shard_samples)
        except InputError as error:
            faults += [fault if fault.path else fault.within(where) for fault in error.faults]
            continue
        pixels = report.footprint.pixels if report.footprint else 0
        before = found.get(key := (report.name, named.revision, pixels))
        found[key] = replace(before or report, used_by=(*(before.used_by if before else ()), where))
    for entry in plan.entries.values():
        try:
            learned_words.check(entry)
        except UnavailableError as error:
            faults += error.faults
    faults += _backbone(plan)
    if faults:
        raise UnavailableError(*faults)
    return list(found.values())


def check_model(name: str, *, height: int | None = None, width: int | None = None) -> ModelReport:
    """What is known of a model by its name in a manifest, for images from prompts, or for inpainting if it is for that.

    Args:
        name: The bundled model's name, a folder (from the current one) or a Hub id.
        height: The images' height in pixels; the model's own size where left out.
        width: Their width.

    Raises:
        ManifestError: It is none, or can't make images of that size.
        UnavailableError: It can't be loaded.
    """
    from synthgen.diffusion.strategies import inpaint, text2img

    named, refused = _Named(model_folder.describe(name, Path()), ""), list[UnavailableError]()
    asked: dict[str, Any] = {"height": height, "width": width, "scheduler": "default"}
    tries: dict[Task, SamplerSettings] = {"text2img": text2img.Settings(**asked), "inpaint": inpaint.Settings(**asked)}
    for task, settings in tries.items():
        try:
            return _inspect(named, settings, task, (), memory.MAX_BATCH)
        except UnavailableError as error:
            refused.append(error)
    raise refused[0]


def seconds_on(plan: Plan, models: Sequence[ModelReport], card: CardRates) -> dict[str, float | None]:
    """Seconds that the images of each entry take one such card, by the entry's name; ``None`` where it can't be told.

    Args:
        plan: The plan.
        models: What :func:`check` found.
        card: What was measured on the card.
    """
    found = dict[str, float | None]()
    for name, entry in plan.entries.items():
        model = next((one for one in models if f"generate.{name}" in one.used_by), None)
        footprint = model.footprint if model else None
        rate = card.of(model.family, footprint.weights) if model and footprint and not entry.recipe.controlnet else None
        if rate is None or model is None or footprint is None:
            found[name] = None
            continue
        settings = entry.recipe.settings
        passes = len(getattr(settings, "steps", ())) if model.distilled else settings.passes
        found[name] = rate.seconds(entry.samples, passes, footprint.pixels)
    return found


def _named(
    plan: Plan,
) -> Iterator[tuple[str, NamesModel, StrategySettings | None, Task | None, Sequence[Lora]]]:
    """The places of a plan that name a model, with the settings, the task and the LoRAs it has there."""
    for entry in plan.entries.values():
        task = getattr(entry.recipe.settings, "task", None)
        if task is not None:
            loras = adapter_check.loras(entry.adapters.values(), entry.recipe.accelerator)
            yield f"generate.{entry.name}", entry.recipe, entry.recipe.settings, task, loras
    for name, adapter in plan.adapter_plans.items():
        yield f"finetune.{name}", adapter.entry, None, None, ()


def _inspect(
    named: NamesModel,
    settings: StrategySettings | None,
    task: Task | None,
    loras: Sequence[Lora],
    shard_samples: int,
) -> ModelReport:
    """What is known of one model.

    Raises:
        UnavailableError: It can't be loaded.
        ManifestError: It can't do what it is for.
    """
    name = named.model.name
    try:
        repository = resolve(named, sizes=True)
        read = Configurations(named.model, repository)
        index = read("model_index.json")
    except UnreachableError:
        return ModelReport(name, (), "not checked: the Hub can't be reached, and nothing of it was downloaded before")
    if not index:
        raise UnavailableError(f"model {name}: it has no model_index.json, so it is no diffusers pipeline")
    _refuse_code(name, repository, index)
    variants = {half: choose_variant(repository.files, half=half, model=name) for half in (True, False)}
    for variant in dict.fromkeys(variants.values()):
        if missing := missing_shards(repository.files, variant):
            raise UnavailableError(f"model {name}: it lacks {missing[0]}, which its other files tell of; is it whole?")
        _check_indices(name, repository, read, loaded_files(repository.files, variant))
    backbone = next((part for part in model_folder.DENOISERS if f"{part}/config.json" in repository.files), "")
    denoiser, vae = read(f"{backbone}/config.json") if backbone else {}, read("vae/config.json")
    scheduler = read(model_folder.SCHEDULER)
    facts = model_folder.facts_of(named.model, index, vae, denoiser, backbone, scheduler=scheduler)
    kind = facts.class_name
    if settings is not None and task is not None:
        kind = pipeline_class(task, facts.class_name, name)
        check_channels(task, facts.in_channels, facts.latent_channels, name)
        settings.fitted(facts)
    weights = [repository.folder / path for path in loaded_files(repository.files, variants[True]).get(backbone, ())
               if repository.folder is not None]  # fmt: skip
    for lora in loras:
        adapter_check.check(lora, facts.name, backbone, denoiser, [one for one in weights if one.is_file()])
    beside = part_check.check(named, facts, denoiser) if isinstance(named, Recipe) else 0
    report = ModelReport(name, (), family=family_of(facts.class_name), distilled=facts.distilled)
    known = _weights(named.model, repository, variants[True])
    if known is None:
        return report
    download = sum(repository.sizes[path] for paths in known[1].values() for path in paths)
    report = replace(report, download=download)
    height, width = (getattr(settings, side, None) or facts.sample_size for side in ("height", "width"))
    pixels = (height or 0) * (width or 0)
    factor = model_folder.pixels_per_latent(vae)
    guided = getattr(settings, "guidance_scale", 2.0) > 1 and not facts.distilled
    wide = facts.class_name.startswith("StableDiffusionXL") and vae.get("force_upcast", True)
    step = memory.step_bytes(denoiser, pixels, factor, 2, guided=guided)
    decode = memory.decode_bytes(vae, pixels, 4 if wide else 2)
    if not (pixels and step and decode):
        return report
    apart = family_of(kind) != "other"  # families whose text encoders are left out once they have encoded
    text = sum(size for part, size in known[0].items() if part.startswith("text_encoder")) if apart else 0
    stays = sum(known[0].values()) - text + beside
    footprint = Footprint(stays, step, decode, pixels, text, known[0].get(backbone, 0))
    fits, fp8, offload = (
        {card: footprint.held(how).on_card(card, shard_samples) for card in memory.CARDS}
        for how in ("fit", "fp8", "offload")
    )
    return replace(report, footprint=footprint, batch_sizes=fits, by_memory={"fp8": fp8, "offload": offload})


def _refuse_code(name: str, repository: Repository, index: Mapping[str, Any]) -> None:
    """Refuse a pipeline, or a part, that is made by code of the repository's own.

    Raises:
        UnavailableError: There is such code.
    """
    parts = {part: value[0] for part, value in index.items() if isinstance(value, list) and value and value[0]}
    files = set(repository.files)
    own = [part for part, module in parts.items() if {f"{module}.py", f"{part}/{module}.py"} & files]
    if own:
        said = ", ".join(sorted(own)).replace("_class_name", "pipeline")
        raise UnavailableError(
            f"model {name}: its {said} is code of its own, which is not run "
            "(`trust_remote_code`); choose a model of diffusers' own classes"
        )


def _check_indices(
    name: str, repository: Repository, read: Configurations, loaded: Mapping[str, tuple[str, ...]]
) -> None:
    """Refuse an index of weights that tells of files that are not there.

    Raises:
        UnavailableError: It does.
    """
    for paths in loaded.values():
        stem = re.sub(r"-\d{5}-of-\d{5}", "", paths[0])
        if stem == paths[0]:
            continue
        part, _, base = stem.rpartition("/")
        beside = {f"{stem}.index.json", f"{part}/{base.replace('.fp16', '').replace('.safetensors', '')}"
                  f".safetensors.index.fp16.json"}  # fmt: skip
        indices = [path for path in repository.files if path in beside]
        if not indices:
            raise UnavailableError(f"model {name}: the index of {paths[0]} is missing; is it whole?")
        weight_map = read(indices[0]).get("weight_map")
        told = set(weight_map.values()) if isinstance(weight_map, dict) else {"a `weight_map`"}
        lacking = sorted(str(one) for one in told if f"{part}/{one}" not in repository.files)
        if lacking:
            raise UnavailableError(f"model {name}: {indices[0]} tells of {lacking[0]}, which is not there")


def _weights(
    model: ModelFacts, repository: Repository, variant: Any
) -> tuple[dict[str, int], dict[str, tuple[str, ...]]] | None:
    """Bytes of each part's weights in half precision, and its files; ``None`` where sizes are not known."""
    loaded = loaded_files(repository.files, variant)
    paths = [path for each in loaded.values() for path in each]
    if any(path not in repository.sizes for path in paths):
        return None
    dtypes = stored_dtypes(model, repository, loaded)
    halved = {path: repository.sizes[path] * 2 // _ITEMSIZE.get(dtypes[path], 2) for path in paths}
    return {part: sum(halved[path] for path in each) for part, each in loaded.items()}, loaded


def _backbone(plan: Plan) -> list[Fault]:
    """Why the classifier that a study starts from can't be loaded, where it is on the Hub, and the Hub can be asked."""
    study = plan.manifest.document.evaluate
    if study is None:
        return []
    learner = study.learner
    checkpoint = stands_for(learner.network).name
    if "/" not in checkpoint or Path(checkpoint).is_dir() or not hub.MODEL_ID.fullmatch(checkpoint):
        return []
    try:
        files = resolve(_Named(ModelFacts(checkpoint, "hub"), learner.revision), sizes=True).files
    except UnreachableError:
        return []
    except UnavailableError as error:
        return [fault.within("evaluate.learner.backbone") for fault in error.faults]
    if any(path.endswith(".safetensors") and "/" not in path for path in files):
        return []
    said = f"{checkpoint}: it has no safetensors, and pickled weights are not read; choose another checkpoint"
    return [Fault.at("evaluate.learner.backbone", said, "unavailable")]


@dataclass(frozen=True, slots=True)
class _Named:
    model: ModelFacts
    revision: str

"""An image to make, :class:`Sample`, and the metadata of one that was made, :class:`Record`."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cache
from types import MappingProxyType
from typing import Any

from synthgen.core.adapter_folder import Adapter
from synthgen.core.ip_adapter import IpAdapter
from synthgen.core.model_folder import ModelFacts
from synthgen.core.model_parts import Accelerator, Autoencoder, ControlNet, ImageEncoder
from synthgen.plan.manifest.settings import StrategySettings
from synthgen.plan.real_index import Source

Part = Accelerator | Autoencoder | ControlNet | IpAdapter | ImageEncoder
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "accelerate": "accelerator",
        "vae": "autoencoder",
        "controlnet": "controlnet",
        "ip_adapter": "ip_adapter",
        "image_encoder": "image_encoder",
    }
)
"""What a recipe may be made with beside the model and the adapter: by the manifest's key, the recipe's attribute."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What all samples of one entry, and of one label where each has an adapter of its own, have in common.

    Attributes:
        entry: The entry's name.
        strategy: The name of the plug-in that makes it.
        settings: That strategy's settings, sizes filled in.
        model: What is known of the model.
        revision: The commit or tag asked of a Hub id; empty for its newest.
        adapter: What is loaded on top of the model; ``None`` for nothing.
        accelerator: The few-step adapter that is loaded on top of both; ``None`` for none.
        autoencoder: What takes the place of the model's own; ``None`` for nothing.
        controlnet: What guides the model by an image; ``None`` for nothing.
        ip_adapter: What has the model read an image as it reads the prompt; ``None`` for nothing.
        image_encoder: What encodes that image, where it does not come with the IP-Adapter; ``None`` where it does.
    """

    entry: str
    strategy: str
    settings: StrategySettings
    model: ModelFacts
    revision: str = ""
    adapter: Adapter | None = None
    accelerator: Accelerator | None = None
    autoencoder: Autoencoder | None = None
    controlnet: ControlNet | None = None
    ip_adapter: IpAdapter | None = None
    image_encoder: ImageEncoder | None = None

    @property
    def parts(self) -> dict[str, Part]:
        """What it is made with beside the model and the adapter, by the manifest's key; only what is used."""
        return {key: part for key, name in PARTS.items() if (part := getattr(self, name))}

    def named_parts(self, revisions: Mapping[str, str]) -> dict[str, str]:
        """``NAME@REVISION`` of its parts, by the manifest's key, their revisions given likewise."""
        return {key: f"{part.model.name}@{revisions.get(key, '')}" for key, part in self.parts.items()}

    @property
    def made_with(self) -> str:
        """The names of all that its images are made with but the adapters of single labels."""
        parts = ", ".join(part.model.name for part in self.parts.values())
        return f"{self.model.name} with {parts}" if parts else self.model.name


@dataclass(frozen=True, slots=True)
class Sample:
    """One image to make: a pure function of the manifest, the index of real images and the attempt's number.

    ``source`` is the real image that it starts from in the end, ``parent`` the key of the generated image that it
    starts from; ``None`` and empty where it starts from none. ``mask_source`` is the real image whose mask it is
    painted in, where that is another one.
    """

    key: str
    index: int
    recipe: Recipe
    label: str
    label_id: int
    skin_tone: str
    skin_tone_scale: str
    fitzpatrick: int
    prompt: str
    negative_prompt: str
    attributes: tuple[tuple[str, str], ...]
    seed: int
    attempt: int
    source: Source | None = None
    parent: str = ""
    mask_source: Source | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """The metadata of an image made, as stored beside it: the same fields and types in every sample, none null.

    What does not apply is an empty text or 0.

    Attributes:
        key: Its name, unique in a run.
        entry: The entry of ``generate`` that it is of.
        label: Its label.
        label_id: The number of that label in the manifest, from 0.
        skin_tone: Its tone as its scale writes it: ``V``, ``56`` or ``7``.
        skin_tone_scale: ``fitzpatrick``, ``fitzpatrick-groups`` or ``monk``.
        fitzpatrick: The Fitzpatrick type, 1 to 6; 0 where the scale does not say it.
        strategy: What made it.
        prompt: The prompt.
        negative_prompt: The negative prompt.
        attributes: JSON: what was drawn for the prompt's placeholders, settings that have no field of their own,
            ``from``, the key of the generated image that it starts from, ``precision``, what it was computed in
            where it was NaN in the run's dtype and made again, and ``mask_sha256`` of the label map beside it.
        seed: The seed of the attempt that was kept; 0 in a dataset where it follows from a name that is a pseudonym
            there.
        attempt: The number of that attempt, from 0.
        model: The model.
        model_revision: Its commit on the Hub, or its fingerprint.
        adapter: The adapter's name and the beginning of its digest.
        scheduler: The scheduler.
        num_inference_steps: The steps.
        guidance_scale: The guidance.
        strength: How much noise the image that it starts from was given.
        mask: The settings of what was painted anew of it, as JSON.
        width: In pixels.
        height: In pixels.
        source_id: The id of the real image that it starts from in the end; a pseudonym in a dataset, as the group is.
        source_group: The group of that image.
        source_split: The split of that image.
        source_dataset: The dataset of that image.
        source_license: The licence of that image.
        image_sha256: The sha256, in hex, of the image's file.
        generator: The release of synthgen that made it.
    """

    key: str
    entry: str
    label: str
    label_id: int
    skin_tone: str
    skin_tone_scale: str
    fitzpatrick: int
    strategy: str
    prompt: str
    negative_prompt: str
    attributes: str
    seed: int
    attempt: int
    model: str
    model_revision: str
    adapter: str
    scheduler: str
    num_inference_steps: int
    guidance_scale: float
    strength: float
    mask: str
    width: int
    height: int
    source_id: str
    source_group: str
    source_split: str
    source_dataset: str
    source_license: str
    image_sha256: str
    generator: str

    def to_json(self) -> bytes:
        """The record as UTF-8 JSON, fields in their declared order; equal records give equal bytes."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Record":
        """Read a record back.

        Raises:
            ValueError: A field is missing, unknown or of another type.
        """
        document: Any = json.loads(content)
        kinds = field_types()
        if not isinstance(document, dict) or set(document) != set(kinds):
            raise ValueError("not a record: its fields are not the promised ones")
        for name, kind in kinds.items():
            if type(document[name]) is not kind:
                raise ValueError(f"not a record: {name} is not {kind.__name__}")
        return cls(**document)


def mask_sha256(attributes: str) -> str:
    """The sha256 of an image's label map, of its record's attributes; empty where it has none."""
    if '"mask_sha256"' not in attributes:  # of millions of rows few have any
        return ""
    found = json.loads(attributes)
    return str(found.get("mask_sha256", "")) if isinstance(found, dict) else ""


# A record that says anything in one of these was made from real images, or by an adapter that has seen some.
FROM_REAL = ("source_id", "source_group", "source_dataset", "adapter")


@cache
def field_types() -> dict[str, type]:
    """The record's fields and their types: ``str``, ``int`` or ``float``, in their declared order."""
    return {field.name: field.type for field in fields(Record)}  # type: ignore[misc]


# What a record says of a strategy without such settings.
_UNSAID = {"scheduler": "", "num_inference_steps": 0, "guidance_scale": 0.0, "strength": 0.0, "mask": ""}


def record(
    sample: Sample,
    *,
    image_sha256: str,
    model_revision: str,
    generator: str,
    part_revisions: Mapping[str, str] = MappingProxyType({}),
    precision: str = "",
    mask_sha256: str = "",
) -> Record:
    """The record of a sample once its image is made.

    Args:
        sample: The sample.
        image_sha256: Of its file.
        model_revision: The commit or fingerprint of the model that made it.
        generator: The release that made it.
        part_revisions: The same of the recipe's parts, by the manifest's key.
        precision: What it was computed in, where it was NaN in the run's dtype and made again.
        mask_sha256: Of the file of its label map, where one is stored.
    """
    settings, source = sample.recipe.settings, sample.source
    said: dict[str, Any] = _UNSAID | settings.record_fields()
    attributes = dict(sample.attributes) | ({"from": sample.parent} if sample.parent else {})
    attributes |= said.pop("attributes", {})
    attributes |= sample.recipe.named_parts(part_revisions)
    attributes |= {"precision": precision} if precision else {}
    attributes |= {"mask_sha256": mask_sha256} if mask_sha256 else {}
    return Record(
        key=sample.key,
        entry=sample.recipe.entry,
        label=sample.label,
        label_id=sample.label_id,
        skin_tone=sample.skin_tone,
        skin_tone_scale=sample.skin_tone_scale,
        fitzpatrick=sample.fitzpatrick,
        strategy=str(sample.recipe.strategy),
        prompt=sample.prompt,
        negative_prompt=sample.negative_prompt,
        attributes=json.dumps(attributes, ensure_ascii=False, sort_keys=True),
        seed=sample.seed,
        attempt=sample.attempt,
        model=sample.recipe.model.name,
        model_revision=model_revision,
        adapter=str(sample.recipe.adapter or ""),
        **said,
        width=settings.width or 0,
        height=settings.height or 0,
        source_id=source.id if source else "",
        source_group=source.group if source else "",
        source_split=source.split if source else "",
        source_dataset=source.dataset if source else "",
        source_license=source.license if source else "",
        image_sha256=image_sha256,
        generator=generator,
    )

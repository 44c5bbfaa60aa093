"""Settings that every strategy, source, method and scorer has, and the plug-ins that a manifest may name."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from synthgen.core.model_folder import ModelFacts
from synthgen.core.plugins import PluginFile, PluginFolder
from synthgen.core.yaml_documents import Strict
from synthgen.errors import Fault, ManifestError
from synthgen.plan.manifest.exclude import Exclude

Split = Literal["train", "validation", "test"]


class StrategySettings(Strict):
    """The settings that every strategy has: the size of the image in pixels.

    A size left out is the one that the model was trained for.

    Attributes:
        reads_source: Whether the strategy starts from another image; ``None`` for one that can do either.
        reads_prompt: Whether what it draws follows a prompt.
        uses_model: Whether a diffusion model makes its images. A manifest gives every entry a model, and records name
            it; a card, a plan and a gallery say none of a strategy that has no use for it.
        reads_control: Whether it needs a ControlNet, the entry's key ``controlnet``.
        reads_image_prompt: Whether it needs an IP-Adapter, the entry's key ``ip_adapter``: what it makes is in the
            likeness of the image that it starts from, so near-copies have to be looked for.
        shows_source: Whether pixels of the image that it starts from are in what it makes.
    """

    reads_source: ClassVar[bool | None] = False
    reads_prompt: ClassVar[bool] = False
    uses_model: ClassVar[bool] = True
    reads_control: ClassVar[bool] = False
    reads_image_prompt: ClassVar[bool] = False
    shows_source: ClassVar[bool] = True

    height: int | None = Field(default=None, ge=8, le=8192)
    width: int | None = Field(default=None, ge=8, le=8192)

    @property
    def reads_mask(self) -> bool:
        """Whether these settings need a mask that comes with the real image."""
        return False

    @property
    def draws_mask(self) -> bool:
        """Whether these settings need a mask that comes with another real image, drawn by the sample's seed."""
        return False

    @property
    def needs_source(self) -> str:
        """Why these settings need an image to start from, of a strategy that can do without; empty where they do."""
        return ""

    @property
    def gives_mask(self) -> bool:
        """Whether each image comes with the mask that it was made in, which ``output.mask`` stores beside it."""
        return False

    @property
    def passes(self) -> int:
        """How often a model is asked for one image, which the time that it takes is in proportion to."""
        return 1

    def record_fields(self) -> dict[str, Any]:
        """What the record of an image says of these settings, by the record's field.

        ``attributes`` is a mapping of settings that the record has no field of their own for.
        """
        return {}

    def fitted(self, facts: ModelFacts) -> Self:
        """These settings with the size filled in, once the model is known.

        Raises:
            ManifestError: The size does not fit the model; one fault for each, ``key: message``.
        """
        size = {"height": self.height, "width": self.width}
        faults = [fault for side, pixels in size.items() if (fault := _size_fault(side, pixels, facts))]
        if faults:
            raise ManifestError(*faults)
        return self.model_copy(update={side: px or facts.sample_size for side, px in size.items()})


def _size_fault(key: str, pixels: int | None, facts: ModelFacts) -> Fault | None:
    """Why a size does not fit a model; ``None`` where it does."""
    if pixels is None and facts.sample_size is None:
        return Fault.at(key, f"missing; `{facts.name}` does not say its own size here", "missing")
    if pixels is None or pixels % facts.multiple == 0:
        return None
    near_size = max(facts.multiple, round(pixels / facts.multiple) * facts.multiple)
    said = f"must be a multiple of {facts.multiple} for model `{facts.name}`, found {pixels}; {near_size} is near"
    return Fault.at(key, said, "out_of_range")


def _texts(mapping: object) -> object:
    """A mapping whose keys are the texts that data hold: YAML reads some of them as numbers or truth values."""
    if not isinstance(mapping, dict):
        return mapping
    return {str(key) if isinstance(key, bool | int | float) else key: value for key, value in mapping.items()}


def _text_lists(mapping: object) -> object:
    """A mapping from text to a list of texts, where YAML may have read some texts as numbers or truth values."""
    if not isinstance(mapping, dict):
        return mapping
    return {
        key: [str(value) if isinstance(value, bool | int | float) else value for value in values]
        if isinstance(values, list)
        else values
        for key, values in mapping.items()
    }


def _own_names(attributes: object) -> object:
    """A list of columns is a mapping that calls each by its own name."""
    if isinstance(attributes, list) and all(isinstance(name, str) for name in attributes):
        return {name: name for name in attributes}
    return attributes


# What prompts fill in themselves, and what records say among an image's attributes of how it was made.
_TAKEN = frozenset((
    "label", "skin_tone", "caption", "from", "precision", "mask_sha256", "accelerate", "vae", "controlnet", "edges",
    "guidance_start", "guidance_stop", "timestep_spacing", "controlnet_conditioning_scale", "control_guidance_start",
    "control_guidance_end", "ip_adapter", "ip_adapter_scale", "image_encoder",
))  # fmt: skip
_Text = Annotated[str, Field(min_length=1)]
_Several = _Text | Annotated[list[_Text], Field(min_length=1)]


class Columns(Strict):
    """Which columns of the metadata say what; one left out has its conventional name, where the data have that.

    ``image`` and ``mask`` are a column or a pattern over columns, ``images/{md5hash}.jpg``, in which ``*`` stands for
    anything; a list of them means several images a row. Of a list for ``skin_tone`` or ``group`` the first value counts
    that is known. Of ``consent`` only rows that say yes are kept. ``caption`` is a sentence on the image, and
    ``attributes`` are what else is known of it, such as age, sex and site: the name that prompts and records have, and
    its column; prompts fill both in.
    """

    image: _Several | None = None
    label: _Text | None = None
    skin_tone: _Several | None = None
    id: _Text | None = None
    group: _Several | None = None
    split: _Text | None = None
    license: _Text | None = None
    mask: _Text | None = None
    consent: _Text | None = None
    caption: _Text | None = None
    attributes: Annotated[dict[_Text, _Text], BeforeValidator(_own_names), Field(min_length=1)] | None = None

    @field_validator("attributes")
    @classmethod
    def _can_be_named(cls, attributes: dict[str, str] | None) -> dict[str, str] | None:
        for name in attributes or {}:
            if not name.isidentifier() or name in _TAKEN:
                raise ValueError(f"`{name}` can't name an attribute; records or prompts have a meaning for it")
        return dict(sorted(attributes.items())) if attributes else None

    @model_validator(mode="after")
    def _names_nobody(self) -> Self:
        named = {"id": self.id, "group": self.group, "image": self.image, "mask": self.mask, "consent": self.consent}
        for name, column in (self.attributes or {}).items():
            for key, given in named.items():
                if column in (given if isinstance(given, list) else [given]):
                    raise ValueError(f"attribute `{name}` is the column of `{key}`, which is published as no attribute")
        return self

    @property
    def about(self) -> tuple[str, ...]:
        """The placeholders that prompts may have for what is known of each image."""
        return (*(("caption",) if self.caption else ()), *(self.attributes or ()))

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As plain values; indexes are named by them, also those made before there was a column of consent."""
        found: dict[str, Any] = serialize(self)
        later = ("consent", "caption", "attributes")
        return {name: value for name, value in found.items() if name not in later or value is not None}


Stratify = Literal["label", "skin_tone"]


def _one_or_several(value: object) -> object:
    return [value] if isinstance(value, str) else value


class SourceSettings(Strict):
    """What every source of real images has: how to read its metadata.

    Attributes:
        columns: Which columns say what.
        labels: From a value in the data to a label of the manifest, many to one; values that are a label or its words
            need not be listed, rows of all other values are left out.
        skin_tones: From a value in the data to one on the manifest's scale; 0 is unknown.
        where: Keep only rows whose column has one of these values.
        splits: Shares of the splits, where no column says them; a whole group is always in one.
        stratify: What each split has its share of, as far as groups allow: labels, skin tones, or both; a split is
            drawn for each group by itself where left out.
        license: The licence of the images, where no column says it.
        dataset: What records call the dataset; the source's own name otherwise.
        exclude: Images that are taken out, also of a run that has begun.
        near_duplicates: ``group`` puts images that look alike into one group, with their groups, before splits are
            drawn; every image is opened and compared with all others for it.
    """

    columns: Columns = Columns()
    labels: Annotated[dict[_Text, _Text], BeforeValidator(_texts)] = {}
    skin_tones: Annotated[dict[str, Annotated[int, Field(ge=0)]], BeforeValidator(_texts)] = {}
    where: Annotated[dict[_Text, Annotated[list[str], Field(min_length=1)]], BeforeValidator(_text_lists)] = {}
    splits: dict[Split, Annotated[float, Field(gt=0)]] = {"train": 0.7, "validation": 0.15, "test": 0.15}
    stratify: Annotated[
        list[Stratify] | None,
        BeforeValidator(_one_or_several),
        Field(min_length=1, max_length=2, exclude_if=lambda asked: asked is None),
    ] = None
    license: str = ""
    dataset: str = ""
    near_duplicates: Annotated[Literal["group"] | None, Field(exclude_if=lambda asked: asked is None)] = None
    exclude: Annotated[Exclude | None, Field(exclude=True)] = None  # no part of what names an index

    @property
    def has_masks(self) -> bool:
        """Whether a mask comes with its images, as far as the settings show."""
        return self.columns.mask is not None

    @field_validator("stratify")
    @classmethod
    def _in_order(cls, stratify: list[Stratify] | None) -> list[Stratify] | None:
        return sorted(set(stratify)) if stratify else None  # whichever comes first, it is the same draw

    @field_validator("splits")
    @classmethod
    def _whole(cls, splits: dict[Split, float]) -> dict[Split, float]:
        if abs(sum(splits.values()) - 1) > 1e-9:
            raise ValueError(f"must add up to 1, found {sum(splits.values())}")
        return splits


Tunes = Literal["text2img", "inpaint"]


class MethodSettings(Strict):
    """The settings that every method of fine-tuning has: the size of the images that it is shown.

    Attributes:
        resolution: Height and width in pixels; the model's own size where left out.
    """

    resolution: int | None = Field(default=None, ge=8, le=8192)

    def fitted(self, facts: ModelFacts, strategy: Tunes) -> Self:
        """These settings with the size filled in, once the model is known.

        Raises:
            ManifestError: The model can't be tuned so, or the size does not fit it; ``key: message`` each.
        """
        fault = _size_fault("resolution", self.resolution, facts)
        if fault:
            raise ManifestError(fault)
        return self.model_copy(update={"resolution": self.resolution or facts.sample_size})

    def words(self, label: str) -> str | None:
        """What a prompt calls a label in place of its own words; ``None`` for those."""
        return None

    def seeding(self) -> dict[str, Any]:
        """The settings that random numbers of a training follow from, as plain values: all that name its adapter."""
        return self.model_dump(mode="json")


class ScorerSettings(Strict):
    """The settings of a scorer; each has its own.

    Attributes:
        learns_labels: Whether it learns from real images with their labels, as a classifier does.
    """

    learns_labels: ClassVar[bool] = False

    def faults(self, name: str, base: Path) -> list[Fault]:
        """What is not there of it, seen from its own block; not asked of a manifest that a run keeps."""
        return []


@dataclass(frozen=True, slots=True)
class Extensions:
    """The plug-ins of every kind that a manifest may name; its own files are added by :meth:`with_files`."""

    strategies: PluginFolder
    sources: PluginFolder
    scorers: PluginFolder
    methods: PluginFolder
    runners: PluginFolder
    formats: PluginFolder

    def with_files(self, files: Iterable[PluginFile]) -> "Extensions":
        """The same, with the files that a manifest names."""
        found = list(files)
        return Extensions(*(folder.with_files(found) for folder in self.folders)) if found else self

    @property
    def folders(self) -> tuple[PluginFolder, ...]:
        """All of them."""
        return tuple(getattr(self, one.name) for one in fields(self))

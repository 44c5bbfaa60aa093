"""The manifest as a person writes it: every key and its type."""

import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from synthgen.core import model_folder
from synthgen.core.yaml_documents import Strict
from synthgen.plan import skin_tones
from synthgen.plan.manifest.curate import Curate
from synthgen.plan.manifest.evaluate import Evaluate
from synthgen.plan.manifest.settings import Split, Tunes

Count = Annotated[int, Field(ge=1, le=10**12)]
_Weight = Annotated[float, Field(ge=0)]
_Text = Annotated[str, Field(min_length=1)]
_GATE_FIELDS = ("text", "checkbox", "date_picker", "country")
Layout = str
AUTO = "auto"  # whichever of the first two the Hub's viewer shows all of
LAYOUTS = ("webdataset", "parquet", "imagefolder")  # that are built in; a plug-in may be another


class SkinTones(Strict):
    """The scale and the values of it that every label is made in."""

    scale: skin_tones.Scale
    values: Annotated[list[int], Field(min_length=1)]


class Weights(Strict):
    """Relative counts of cells; what is left out weighs 1."""

    label: dict[str, _Weight] = {}
    skin_tone: dict[int, _Weight] = {}


class SourcePool(Strict):
    """Of the real training images, those of a study's first draws of ``n`` a label: what its trials can use."""

    n: Annotated[int, Field(ge=1, le=10**6)]
    draws: Annotated[int, Field(ge=1, le=1000)] = 1


class Pool(Strict):
    """The real training images that an adapter may see: ``n`` of each label, nested with a study's own draws."""

    n: Annotated[int, Field(ge=1, le=10**9)]
    draw: Annotated[int, Field(ge=0, le=10**6)] = 0


class Finetune(Strict):
    """One way of tuning a model, as written; its settings are checked by its method.

    Where ``{label}`` occurs in its name it trains one adapter a label, otherwise one for all.
    """

    name: str
    method: str
    strategy: Tunes = "text2img"
    generator_pool: Pool | Literal["all"] = "all"
    model: str | None = None
    revision: str | None = None
    settings: dict[str, Any] = {}


def _under(key: str) -> BeforeValidator:
    """Takes a name alone for a mapping that has it under a key."""
    return BeforeValidator(lambda written: {key: written} if isinstance(written, str) else written)


class Accelerate(Strict):
    """A few-step adapter, and how a model is sampled with it, as written; what is left out has a default."""

    adapter: _Text
    revision: _Text | None = None
    weight_name: _Text | None = None
    weight: Annotated[float, Field(gt=0, le=10)] = 1.0
    scheduler: _Text | None = None
    timestep_spacing: _Text | None = None
    num_inference_steps: int | None = None
    guidance_scale: float | None = None


class Vae(Strict):
    """An autoencoder in place of a model's own, as written."""

    model: _Text
    revision: _Text | None = None


class Controlnet(Strict):
    """A ControlNet beside a model, as written."""

    model: _Text
    revision: _Text | None = None


class IpAdapter(Strict):
    """An IP-Adapter beside a model's denoiser, as written, by the names of diffusers' ``load_ip_adapter``."""

    model: _Text
    revision: _Text | None = None
    subfolder: str = ""
    weight_name: _Text | None = None
    image_encoder_folder: _Text | None = None


class ImageEncoder(Strict):
    """The image encoder of an IP-Adapter, where it lies in another repository, as written."""

    model: _Text
    revision: _Text | None = None


class Entry(Strict):
    """One way of making images, as written; its settings are checked by its strategy.

    How many: ``per_cell`` or ``total`` of an entry made from prompts alone, ``per_source`` of one that starts from real
    images, and one for each image of the entry named by ``from``.
    """

    name: str | None = None
    strategy: str
    model: str | None = None
    revision: str | None = None
    per_cell: Count | None = None
    total: Count | None = None
    weights: Weights | None = None
    per_source: Annotated[int, Field(ge=1, le=1000)] | None = None
    source_pool: SourcePool | None = None
    source_label: str | None = None
    parent: Annotated[str | None, Field(alias="from")] = None
    target_label: str | None = None
    adapter: str | None = None
    accelerate: Annotated[Accelerate | None, _under("adapter")] = None
    vae: Annotated[Vae | None, _under("model")] = None
    controlnet: Annotated[Controlnet | None, _under("model")] = None
    ip_adapter: Annotated[IpAdapter | None, _under("model")] = None
    image_encoder: Annotated[ImageEncoder | None, _under("model")] = None
    settings: dict[str, Any] = {}


class Output(Strict):
    """How images are stored, what their IPTC metadata say, and how many there are in one work shard.

    ``iptc`` is ``source-type`` alone, ``system`` for the model and its version too, or ``prompt`` for the prompt also.
    ``mask`` stores the label map of each image beside it: where it was painted, in its class.
    """

    image_format: Literal["jpeg", "png", "webp"] = "jpeg"
    quality: Annotated[int, Field(ge=1, le=100)] | None = None
    iptc: Literal["source-type", "system", "prompt"] = "source-type"
    mask: bool = False
    shard_samples: Annotated[int, Field(ge=1, le=100_000)] = 48

    def content(self) -> dict[str, Any]:
        """What of it decides an entry's bytes: a key that earlier versions do not know counts where it is used."""
        unused = {"iptc": self.iptc == "source-type", "mask": not self.mask}
        return self.model_dump(mode="json", exclude={key for key, is_unused in unused.items() if is_unused})


class Pack(Strict):
    """How the packed dataset is laid out, split and cut, and what it calls real images and their groups."""

    format: Layout = "webdataset"
    identifiers: Literal["pseudonym", "original"] = "pseudonym"
    splits: dict[Split, Annotated[float, Field(gt=0)]] = {"train": 1.0}
    content_defined_chunking: bool = False
    images_per_shard: Count = 5000
    max_shard_bytes: Annotated[int, Field(ge=10_000)] = 1_000_000_000


class Plugins(Strict):
    """Plug-ins in Python files, by the name that the manifest calls them; paths start from the manifest's folder."""

    strategies: dict[str, _Text] = {}
    sources: dict[str, _Text] = {}
    scorers: dict[str, _Text] = {}
    methods: dict[str, _Text] = {}
    runners: dict[str, _Text] = {}
    formats: dict[str, _Text] = {}


class Gate(Strict):
    """What the Hub asks of those who want a dataset's files, once its owner has switched gating on.

    A field is ``text``, ``checkbox``, ``date_picker`` or ``country``, or the list of answers to choose from.
    """

    prompt: _Text
    fields: dict[_Text, str | list[str]] = {}

    @field_validator("fields")
    @classmethod
    def _known(cls, fields: dict[str, str | list[str]]) -> dict[str, str | list[str]]:
        for name, kind in fields.items():
            if not kind or (isinstance(kind, str) and kind not in _GATE_FIELDS):
                raise ValueError(f"`{name}` must be one of {', '.join(_GATE_FIELDS)}, or a list of answers")
        return fields


class ResponsibleAi(Strict):
    """What the maker of a dataset knows of its risks beyond what is counted, as ``croissant.json`` says it."""

    limitations: list[_Text] = []
    biases: list[_Text] = []
    sensitive_information: list[_Text] = []
    uses: list[_Text] = []
    social_impact: list[_Text] = []


class Publish(Strict):
    """Where the dataset goes, and what its card and its ``croissant.json`` say of it."""

    repo: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    license: Annotated[str, Field(min_length=1)] | None = None
    pretty_name: Annotated[str, Field(min_length=1)] | None = None
    tags: list[str] = []
    gated: Gate | None = None
    creators: list[_Text] = []
    date_published: datetime.date | None = None
    license_name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")] | None = None
    license_link: Annotated[str, Field(pattern=r"^https?://\S+$")] | None = None
    responsible_ai: ResponsibleAi = ResponsibleAi()

    def content(self) -> dict[str, Any]:
        """What of it names a dataset: keys that earlier versions do not know count where they are used."""
        new = {"creators", "date_published", "license_name", "license_link", "responsible_ai"}
        return self.model_dump(mode="json", exclude=new) | self.model_dump(
            mode="json", include=new, exclude_defaults=True
        )


class Document(Strict):
    """The manifest as written."""

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    model: str = model_folder.BUNDLED
    revision: str = ""
    labels: Annotated[dict[str, Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    skin_tones: SkinTones
    prompts: str = "dermatology"
    plugins: Plugins = Plugins()
    real: dict[str, Any] | None = None
    finetune: list[Finetune] = []
    generate: Annotated[list[Entry], Field(min_length=1)]
    output: Output = Output()
    curate: Curate | None = None
    pack: Pack = Pack()
    publish: Publish = Publish()
    evaluate: Evaluate | None = None

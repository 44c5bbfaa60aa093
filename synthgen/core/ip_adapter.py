"""Which files an IP-Adapter is: its weights, and the image encoder that it was trained with.

diffusers' ``load_ip_adapter`` reads the weights; the encoder is read beside it, as diffusers reads that one from the
newest commit whatever the revision, and from pickles where there are some.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.core.model_folder import ModelFacts, refuse_unsafe
from synthgen.core.model_parts import ImageEncoder, choose_weights, find_folder, refuse_revision
from synthgen.errors import ManifestError

ENCODERS = {
    "clip": "CLIPVisionModelWithProjection",
    "clip_vision_model": "CLIPVisionModelWithProjection",
    "siglip": "SiglipVisionModel",
    "siglip_vision_model": "SiglipVisionModel",
}
"""The classes of transformers that read an image encoder, by ``model_type`` of its ``config.json``."""
_CONFIG = "config.json"
_FACES = ("perceiver_resampler.", "norm.weight")


@dataclass(frozen=True, slots=True)
class IpAdapter:
    """An IP-Adapter: layers beside a denoiser's attention that read an image as others read the prompt.

    Attributes:
        model: Where it comes from, under the name that the manifest gives it.
        revision: The commit or tag asked of a Hub id; empty for its newest.
        subfolder: The folder in it that the weights lie in; empty for its top.
        weight_name: Their file; empty for the only one of safetensors there.
        image_encoder_folder: The image encoder's folder: one without ``/`` lies in ``subfolder``, any other is a path
            from the top, as diffusers has it; empty where another repository's is read.
    """

    model: ModelFacts
    revision: str = ""
    subfolder: str = ""
    weight_name: str = ""
    image_encoder_folder: str = "image_encoder"

    @property
    def content(self) -> list[Any]:
        """What of it decides an image, as plain values."""
        return [self.model.name, self.revision, self.subfolder, self.weight_name, self.image_encoder_folder]

    def weights(self, files: Iterable[str]) -> str:
        """The path of its weights among the files of its repository.

        Raises:
            ManifestError: It is not there, is pickled, or there are several; ``key: message``.
        """
        start = f"{self.subfolder}/" if self.subfolder else ""
        there = [path.removeprefix(start) for path in files if path.startswith(start)]
        names = [name for name in there if "/" not in name]
        where = f"{self.model.name}/{self.subfolder}" if self.subfolder else self.model.name
        return start + choose_weights(names, self.weight_name, where, "model")

    def encoder_folder(self, files: Iterable[str]) -> str:
        """The path of its image encoder's folder among the files of its repository.

        Raises:
            ManifestError: There is none of safetensors; ``key: message``.
        """
        inner = "/" not in self.image_encoder_folder and self.subfolder
        folder = f"{self.subfolder}/{self.image_encoder_folder}" if inner else self.image_encoder_folder
        try:
            return encoder_files(folder, files, self.model.name)
        except ManifestError as error:
            said = "name the folder of one that it has, or another repository's as `image_encoder` of the entry"
            raise ManifestError(*(f"image_encoder_folder: {fault}; {said}" for fault in error.faults)) from None


def encoder_files(folder: str, files: Iterable[str], name: str) -> str:
    """A folder of a repository, once it is known to have an image encoder of safetensors.

    Args:
        folder: The folder; empty for the top.
        files: The files of the repository.
        name: What a message calls the repository.

    Raises:
        ManifestError: It has none.
    """
    start = f"{folder}/" if folder else ""
    inside = {path.removeprefix(start) for path in files if path.startswith(start)}
    if _CONFIG not in inside:
        raise ManifestError(f"{name} has no {start}{_CONFIG}, so no image encoder there")
    if not any(one.endswith(".safetensors") and "/" not in one for one in inside):
        raise ManifestError(f"{name} has no .safetensors of an image encoder{f' in {folder}' if folder else ''}")
    return folder


def describe_ip_adapter(
    name: str,
    base: Path,
    *,
    revision: str = "",
    subfolder: str = "",
    weight_name: str = "",
    image_encoder_folder: str = "image_encoder",
) -> IpAdapter:
    """An IP-Adapter by its name in a manifest: a folder (from ``base``) or a Hub id.

    Args:
        name: Its name.
        base: The folder that a relative path starts from.
        revision: The commit or tag of a Hub id.
        subfolder: The folder in it that the weights lie in.
        weight_name: Their file, where there are several.
        image_encoder_folder: The image encoder's folder; empty where another repository's is read.

    Raises:
        ManifestError: It is neither, or has no such file of safetensors; ``key: message``.
    """
    for key, path in (("subfolder", subfolder), ("image_encoder_folder", image_encoder_folder)):
        if path.startswith("/") or ".." in Path(path).parts:
            raise ManifestError(f"{key}: `{path}` is no folder inside of {name}")
    if "/" in weight_name:
        raise ManifestError(f"weight_name: `{weight_name}` is no name of a file; say its folder as `subfolder`")
    folder = find_folder("model", name, base)
    plain = subfolder.strip("/")
    if folder is None:
        return IpAdapter(ModelFacts(name, "hub"), revision, plain, weight_name, image_encoder_folder)
    refuse_revision(name, revision)
    found = IpAdapter(ModelFacts(name, "folder", folder), "", plain, weight_name, image_encoder_folder)
    files = _files(folder)
    found.weights(files)
    if image_encoder_folder:
        inside = folder / found.encoder_folder(files)
        refuse_unsafe(inside, [inside])
    return found


def describe_image_encoder(name: str, base: Path, *, revision: str = "") -> ImageEncoder:
    """An image encoder by its name in a manifest: a folder (from ``base``) or a Hub id.

    Raises:
        ManifestError: It is neither, or has no safetensors; ``key: message``.
    """
    folder = find_folder("model", name, base)
    if folder is None:
        return ImageEncoder(ModelFacts(name, "hub"), revision)
    refuse_revision(name, revision)
    try:
        refuse_unsafe(folder, [folder])
        encoder_files("", _files(folder), str(folder))
    except ManifestError as error:
        raise ManifestError(*(f"model: {fault}" for fault in error.faults)) from None
    return ImageEncoder(ModelFacts(name, "folder", folder))


def check_encoder(config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], encoder: str, adapter: str) -> str:
    """The class of transformers that reads an image encoder, which must be the one that an IP-Adapter was trained with.

    Args:
        config: The encoder's ``config.json``.
        shapes: The shape of each tensor of the adapter's weights.
        encoder: What a message calls the encoder.
        adapter: What it calls the adapter.

    Raises:
        ManifestError: It is another one, or the adapter reads no images.
    """
    kind = str(config.get("model_type", ""))
    if kind not in ENCODERS:
        raise ManifestError(
            f"{encoder} is a {kind or 'model of no type'}; an image encoder of CLIP or SigLIP is needed"
        )
    inner = {_inner(key): shape for key, shape in shapes.items() if _inner(key)}
    if (
        not inner
        or any(key.startswith(_FACES[0]) for key in inner)
        or ("proj.2.weight" in inner and _FACES[1] in inner)
    ):
        what = "no IP-Adapter: it lacks `image_proj`" if not inner else "an IP-Adapter for faces, which reads no images"
        raise ManifestError(f"{adapter} is {what}; choose another")
    vision = config.get("vision_config", config)
    projected = "proj.weight" in inner
    named = ("proj.weight", "proj.0.weight", "proj_in.weight")
    read = next((inner[key][-1] for key in named if key in inner), None)
    given = config.get("projection_dim", vision.get("projection_dim", 512)) if projected else vision.get("hidden_size")
    if read is not None and given is not None and read != given:
        raise ManifestError(
            f"{adapter} was trained with an image encoder that gives {read} numbers, {encoder} gives {given}; "
            "name the encoder that it was trained with"
        )
    return ENCODERS[kind]


def _inner(key: str) -> str:
    """A tensor's name within what brings an image's embedding to the denoiser; empty for any other tensor."""
    for start in ("image_proj.", "ip_adapter_proj_model."):
        if key.startswith(start):
            return key.removeprefix(start)
    return ""


def _files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())

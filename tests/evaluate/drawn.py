"""Small pictures of three classes, told apart by their stripes, as a folder of real images and as a packed dataset."""

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from synthgen.plan.sample import Record
from synthgen.runs import tar_samples

LABELS = ("acne", "eczema", "nevus")
SIDE = 16
Pixels = NDArray[np.uint8]
BLANK = Record(
    key="", entry="text", label="", label_id=0, skin_tone="I", skin_tone_scale="fitzpatrick", fitzpatrick=1,
    strategy="text2img", prompt="p", negative_prompt="", attributes="{}", seed=1, attempt=0, model="phantom",
    model_revision="", adapter="", scheduler="", num_inference_steps=1, guidance_scale=1.0, strength=0.0, mask="",
    width=SIDE, height=SIDE, source_id="", source_group="", source_split="", source_dataset="", source_license="",
    image_sha256="", generator="test",
)  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A synthetic image and what its record says."""

    record: Record
    png: bytes


def picture(label: str, number: int, clarity: float = 1.0) -> Pixels:
    """The n-th picture of a label: stripes as wide as the label says, in noise; ``clarity`` 0 is noise alone."""
    rng = np.random.default_rng([LABELS.index(label), number])
    across = np.arange(SIDE) + rng.integers(SIDE)
    stripes = np.sin(2 * np.pi * across / (3, 5, 8)[LABELS.index(label)])
    grey = 128 + 40 * clarity * stripes[None, :, None] + 45 * rng.standard_normal((SIDE, SIDE, 3))
    return np.clip(grey, 0, 255).astype(np.uint8)


def png(pixels: Pixels) -> bytes:
    """An image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="png")
    return file.getvalue()


def write_real(folder: Path, each: int = 20, held: int = 10, tones: bool = True) -> None:
    """A folder of real images: so many training images a label, and so many to validate and as many to test on."""
    folder.mkdir(parents=True)
    lines = ["file_name,label,skin_tone,split"]
    for label in LABELS:
        splits = ["train"] * each + ["validation"] * held + ["test"] * held
        for number, split in enumerate(splits):
            name = f"{label}-{number:03d}.png"
            (folder / name).write_bytes(png(picture(label, number)))
            lines.append(f"{name},{label},{number % 6 + 1 if tones else ''},{split}")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


def made(label: str, number: int, pixels: Pixels, **fields: object) -> Made:
    """A synthetic image."""
    content, entry = png(pixels), fields.get("entry", "text")
    known = {"key": f"{entry}-{label}-{number:04d}", "label": label, "label_id": LABELS.index(label)}
    known |= {"image_sha256": hashlib.sha256(content).hexdigest()}
    return Made(replace(BLANK, **(known | fields)), content)  # type: ignore[arg-type]


def more_real(each: int, *, clarity: float = 1.0, says: Sequence[str] = LABELS) -> list[Made]:
    """Synthetic images that are a second pool of real ones in truth; ``says`` is what each label is said to be."""
    return [
        made(said, number, picture(label, 10_000 + number, clarity))
        for label, said in zip(LABELS, says, strict=True)
        for number in range(each)
    ]


def write_dataset(folder: Path, images: Iterable[Made], adapters: object = None) -> Path:
    """A packed dataset of some images, as far as a reader of images needs it; returns its folder."""
    shard = "data/train-00000-of-00001.tar"
    (folder / "data").mkdir(parents=True)
    samples = [(one.record.key, {"json": one.record.to_json(), "png": one.png}) for one in images]
    with (folder / shard).open("wb") as file:
        count = sum(1 for _ in tar_samples.write(file, samples))
    provenance = {"name": "study", "files": {shard: {"samples": count}}, "adapters": adapters or {}}
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def write_manifest(path: Path, **evaluate: object) -> Path:
    """A manifest of a study of the folder ``real`` beside it."""
    document = {
        "name": "study",
        "seed": 7,
        "labels": {label: label for label in LABELS},
        "skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
        "real": {"source": "folder", "path": "real", "columns": {"split": "split"}},
        "generate": [{"name": "text", "strategy": "fake", "per_cell": 1, "settings": {"height": 32, "width": 32}}],
        "evaluate": {"n_real": [2, 4], "ratios": [1, 2], "seeds": 2, "learner": {"optimizer_steps": 30}} | evaluate,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(document, sort_keys=False))
    return path

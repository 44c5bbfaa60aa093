"""Backbones by a word, and which library loads what a name stands for.

A word is a name of ours for a checkpoint on the Hub of which it is known what it was trained on. A folder is told by
its files; of a Hub id transformers is asked, unless it begins with ``timm:`` or ``open_clip:``.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Library = Literal["transformers", "timm", "open_clip"]
OPEN_CLIP_CONFIG = "open_clip_config.json"
_PREFIXES: dict[str, Library] = {"timm:": "timm", "open_clip:": "open_clip", "hf:": "transformers"}


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a name stands for.

    Attributes:
        name: A folder or a Hub id.
        library: What loads it.
        trained_on: A sentence on what it was trained on; empty where nothing here knows.
    """

    name: str
    library: Library
    trained_on: str = ""


WORDS = {
    "dinov2": Checkpoint(
        "facebook/dinov2-base",
        "transformers",
        "DINOv2 (Meta), trained without labels on 142 million images of the web.",
    ),
    "dinov3": Checkpoint(
        "facebook/dinov3-vitb16-pretrain-lvd1689m",
        "transformers",
        "DINOv3 (Meta), trained without labels on 1,689 million images of the web.",
    ),
    "medsiglip": Checkpoint(
        "google/medsiglip-448",
        "transformers",
        "MedSigLIP (Google), trained on medical images with text, photographs of skin among them.",
    ),
    "monet": Checkpoint(
        "chanwkim/monet",
        "transformers",
        "MONET, trained on some 105,000 images of skin with the text around them in articles and textbooks.",
    ),
    "dermlip": Checkpoint(
        "redlessone/DermLIP_ViT-B-16",
        "open_clip",
        "DermLIP, trained on Derm1M, a million images of skin with text from the web, where public atlases may be.",
    ),
}
"""Checkpoints of the field by a word each; none is among what ships, and their licences are their own."""


def stands_for(name: str) -> Checkpoint:
    """What a name stands for; nothing is loaded, and nobody is asked."""
    if name in WORDS:
        return WORDS[name]
    for prefix, library in _PREFIXES.items():
        if name.startswith(prefix):
            return Checkpoint(name.removeprefix(prefix), library)
    return Checkpoint(name, _of_folder(Path(name)))


def _of_folder(folder: Path) -> Library:
    """The library that a folder's files are of."""
    if (folder / OPEN_CLIP_CONFIG).is_file():
        return "open_clip"
    try:
        config = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return "transformers"
    return (
        "timm"
        if isinstance(config, dict) and "architecture" in config and "model_type" not in config
        else "transformers"
    )

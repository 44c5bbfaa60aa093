"""Small pictures and folders of them."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from synthgen.plan.real_index import Index
from synthgen.real import indexing
from synthgen.real.sources import source

LABELS = {"melanoma": "melanoma", "basal-cell-carcinoma": "basal cell carcinoma"}


def picture(number: int, suffix: str = ".png", size: int = 16) -> bytes:
    """The bytes of a picture that no other number has."""
    pixels = np.random.default_rng(number).integers(0, 256, (size, size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format={".jpg": "jpeg", ".png": "png"}[suffix])
    return file.getvalue()


@pytest.fixture(scope="session", name="picture")
def picture_() -> Callable[..., bytes]:
    return picture


@pytest.fixture(scope="session")
def write() -> Callable[..., None]:
    """Write pictures, or other bytes, by their paths in a folder."""

    def write(root: Path, *names: str, **contents: bytes) -> None:
        files = {name: picture(number, Path(name).suffix) for number, name in enumerate(names)} | contents
        for name, content in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(content)

    return write


@pytest.fixture
def index(tmp_path: Path) -> Callable[..., Index]:
    """Scan or, with a root, build the index of a ``real`` block."""

    def index(real: dict[str, Any], root: Path | None = None, **change: Any) -> Index:
        name = real["source"]
        settings = source(name).Settings.model_validate({key: real[key] for key in real if key != "source"})
        asked = {"labels": LABELS, "scale": "fitzpatrick", "tones": [1, 2, 3, 4, 5, 6], "seed": 7, "base": tmp_path}
        if root is None:
            return indexing.scan(name, settings, **(asked | change))
        return indexing.build(name, settings, **(asked | change), root=root)

    return index

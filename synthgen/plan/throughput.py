"""What this machine measured last: seconds and bytes an image, so that the next plan can say what it will take."""

import json
import logging
import time
from pathlib import Path
from typing import Any

from synthgen.core import atomic
from synthgen.plan.sample import Recipe

_log = logging.getLogger(__name__)
# Bytes a pixel where nothing was measured: upper ends of what photographs of skin take in each format.
_BYTES_A_PIXEL = {"jpeg": 0.9, "png": 2.2, "webp": 1.8}
_BYTES_A_SAMPLE = 5 * 1024
ENOUGH = 240  # images, of which start-up and the first batch are a small part


def path() -> Path:
    """The file that measurements are kept in, in the user's cache folder."""
    from platformdirs import user_cache_path

    return user_cache_path("synthgen") / "rates.json"


def note(recipe: Recipe, image_format: str, *, images: int, seconds: float, stored: int) -> None:
    """Keep what a run measured: ``images`` made in ``seconds``, ``stored`` bytes of tar.

    Few images do not take the place of more, since loading and the first batch are a large part of their time. Where
    the user's cache folder can't be written, as in a container or on a full quota, nothing is kept.
    """
    known, name = _load(), _name(recipe, image_format)
    if images < min(ENOUGH, _images(known.get(name))):
        return
    rates = known | {
        name: {
            "seconds": seconds / images,
            "bytes": stored / images,
            "passes": recipe.settings.passes,
            "images": images,
            "when": int(time.time()),
        }
    }
    try:
        file = path()
        file.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(file, json.dumps(rates, indent=1, sort_keys=True).encode())
    except (OSError, RuntimeError) as error:  # RuntimeError: nobody's home
        _log.info("how fast it went is not kept: %s", error)


def seconds(recipe: Recipe, image_format: str, images: int) -> float | None:
    """Expected seconds for so many images; ``None`` where this machine measured nothing like it.

    Time is taken as proportional to the passes through the denoiser: a step is one, or two where it is guided.
    """
    measured = _load().get(_name(recipe, image_format))
    if measured is None or "passes" not in measured:
        return None
    return float(measured["seconds"]) * images * recipe.settings.passes / float(measured["passes"])


def images(recipe: Recipe, image_format: str) -> int:
    """The images that :func:`seconds` follows from; 0 where this machine measured nothing like it, or did not say."""
    return _images(_load().get(_name(recipe, image_format)))


def _images(measured: Any) -> int:
    found = measured.get("images", 0) if isinstance(measured, dict) else 0
    return found if isinstance(found, int) else 0


def stored(recipe: Recipe, image_format: str, images: int) -> int:
    """Expected bytes of tar for so many images: as measured last, or else from the pixels, rather too many."""
    measured = _load().get(_name(recipe, image_format))
    if measured is not None:
        return int(float(measured["bytes"]) * images)
    pixels = (recipe.settings.height or 0) * (recipe.settings.width or 0)
    return int((pixels * _BYTES_A_PIXEL[image_format] + _BYTES_A_SAMPLE) * images)


def _name(recipe: Recipe, image_format: str) -> str:
    size = f"{recipe.settings.width}x{recipe.settings.height}"
    return f"{recipe.model.name} {recipe.strategy} {size} {image_format}"


def _load() -> dict[str, Any]:
    """Everything measured so far; an absent or unreadable file holds nothing."""
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # RuntimeError: nobody's home
        return {}
    return content if isinstance(content, dict) else {}

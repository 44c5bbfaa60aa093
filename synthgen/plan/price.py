"""What a plan costs on a rented machine, and how fast other cards were measured to be."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthgen.errors import InputError

_SAME_MODEL = 1.5  # as many times the bytes of weights, up or down, may a model of the same classes have


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs, in whatever currency the price is.

    Attributes:
        hour: Of an hour of one device.
        hours: That it takes one device.
        total: Of all images.
        image: Of one.
        kept: Of one that the run's rules keep; ``None`` where none were judged yet.
    """

    hour: float
    hours: float
    total: float
    image: float
    kept: float | None


def cost(hour: float, seconds: float, images: int, *, kept: float | None = None) -> Cost:
    """The cost of so many images that take one device so many seconds.

    Args:
        hour: What an hour of one device costs.
        seconds: That one device takes for all of them.
        images: How many they are; at least one.
        kept: The share of a run's images that its rules keep, above 0; ``None`` where it is not known.
    """
    total = hour * seconds / 3600
    return Cost(hour, seconds / 3600, total, total / images, total / images / kept if kept else None)


@dataclass(frozen=True, slots=True)
class CardRate:
    """How fast a device was measured to make images.

    Attributes:
        family: The family of pipelines, as ``StableDiffusionXL``.
        weights: Bytes of the denoiser and the autoencoder.
        pixels: Height times width of an image.
        passes: Passes through the denoiser that an image took.
        images_per_second: The rate, at the fastest batch.
    """

    family: str
    weights: int
    pixels: int
    passes: int
    images_per_second: float

    def seconds(self, images: int, passes: int, pixels: int) -> float:
        """What so many images take, in proportion to the passes and pixels of each."""
        return images * passes / self.passes * pixels / self.pixels / self.images_per_second


@dataclass(frozen=True, slots=True)
class CardRates:
    """What ``synthgen doctor --benchmark`` measured on a device.

    Attributes:
        device: The device, in words.
        rates: Of each architecture that was timed.
    """

    device: str
    rates: tuple[CardRate, ...]

    def of(self, family: str, weights: int) -> CardRate | None:
        """The rate of a model of that family with about as many bytes of weights; ``None`` where none was timed."""
        for rate in self.rates:
            if rate.family == family and 1 / _SAME_MODEL <= weights / rate.weights <= _SAME_MODEL:
                return rate
        return None


def read_rates(path: Path) -> CardRates:
    """The rates in a ``gpu-report.json``.

    Raises:
        InputError: It is none, or tells of reduced networks.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        reduced, device, rates = bool(document["reduced"]), str(document["device"]), document["rates"]
        found = tuple(_rate(one) for one in rates)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: can't be read: {error}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        raise InputError(f"{path}: no gpu-report.json with rates; write one by `synthgen doctor --benchmark`") from None
    if reduced:
        raise InputError(f"{path}: made on {device} with reduced networks, whose rates say nothing of real models")
    return CardRates(device, found)


def _rate(one: Mapping[str, Any]) -> CardRate:
    """One rate of a report.

    Raises:
        ValueError: A number is not above zero.
    """
    weights, pixels, passes = (int(one[name]) for name in ("weights", "pixels", "passes"))
    rate = float(one["images_per_second"])
    if not (min(weights, pixels, passes) > 0 and 0 < rate < float("inf")):
        raise ValueError("a rate's numbers are above zero")
    return CardRate(str(one["family"]), weights, pixels, passes, rate)

"""Draws phantoms: images of skin whose label, Fitzpatrick type, colour and lesion are known exactly.

By plain numpy, not by a renderer or a generator of skin such as S-SYNTH: no dependency, no photograph and no mesh, and
the same bytes on every machine.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthgen.core.hashing import seed_from
from synthgen.errors import InputError
from synthgen.phantom import camera, skin_colour
from synthgen.phantom.conditions import CONDITIONS
from synthgen.phantom.shapes import SIDE
from synthgen.phantom.skin import Skin, grain, hairs, marks


@dataclass(frozen=True)
class Phantoms:
    """Phantoms and what is known of them; row i of each is image i.

    Attributes:
        images: sRGB, uint8, shape (n, 64, 64, 3).
        masks: Where the disease is, bool, shape (n, 64, 64); empty for healthy skin.
        labels: The conditions.
        tones: Fitzpatrick types, 1 to 6, shape (n,).
        ita: The individual typology angle of the unlit skin's colour in degrees, shape (n,).
        seeds: The seed that alone makes image i again, with its label, tone and site: see :func:`render_one`.
    """

    images: npt.NDArray[np.uint8]
    masks: npt.NDArray[np.bool_]
    labels: tuple[str, ...]
    tones: npt.NDArray[np.int64]
    ita: npt.NDArray[np.float64]
    seeds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Phantom:
    """One phantom: its image, its mask and its ITA, as in :class:`Phantoms`."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.bool_]
    ita: float


def render(labels: Sequence[str], tones: Sequence[int], *, site: str, seed: int, start: int = 0) -> Phantoms:
    """Phantoms, one for each label and tone.

    Image i is a pure function of its label, its tone, the site, the seed and ``start + i``; what else is asked for in
    the same call does not enter.

    This is not medical truth. The images caricature a few textbook cues of each condition, for testing software and
    showing methods; they teach nobody what disease looks like and no model that has seen only them has seen skin.

    Args:
        labels: Conditions, keys of :data:`CONDITIONS`.
        tones: Fitzpatrick types, 1 to 6, as many as there are labels.
        site: The camera, ``a`` or ``b``.
        seed: Any whole number.
        start: The number of the first image.

    Raises:
        InputError: There is no such condition, type or site; or not as many types as labels.
    """
    check(labels, tones, site)
    if len(labels) != len(tones):
        raise InputError(f"{len(labels)} labels but {len(tones)} tones")
    numbered = enumerate(zip(labels, tones, strict=True), start)
    seeds = tuple(image_seed(seed, site, label, tone, number) for number, (label, tone) in numbered)
    count = len(seeds)
    images, masks = np.empty((count, SIDE, SIDE, 3), np.uint8), np.empty((count, SIDE, SIDE), np.bool_)
    angles = np.empty(count)
    for index, (label, tone, own) in enumerate(zip(labels, tones, seeds, strict=True)):
        phantom = render_one(label, tone, site, own)
        images[index], masks[index], angles[index] = phantom.image, phantom.mask, phantom.ita
    return Phantoms(images, masks, tuple(labels), np.array(tones, np.int64), angles, seeds)


def image_seed(seed: int, site: str, label: str, tone: int, number: int) -> int:
    """The seed of one image, 63 bits: a hash of all that it depends on."""
    return seed_from("phantom", seed, site, label, tone, number, separator="/")


def render_one(label: str, tone: int, site: str, seed: int) -> Phantom:
    """One phantom from its own seed, as :func:`render` draws each.

    All arithmetic is numpy's, in float64, so that another processor's last bit all but never reaches a byte.

    Raises:
        KeyError: There is no such condition, type or site; :func:`render` says so in words.
    """
    rng = np.random.Generator(np.random.PCG64(seed))
    settings = camera.SITES[site]
    angle, base = skin_colour.base(rng, tone)
    depth = float(np.clip((55 - angle) / 110, 0, 1))
    skin = Skin(rng, base, depth, size=float(rng.uniform(*settings.size)))
    grain(skin)
    marks(skin)
    CONDITIONS[label](skin)
    hairs(skin, settings.hairs)
    return Phantom(camera.photograph(skin, settings), skin.mask, angle)


def check(labels: Sequence[str], tones: Sequence[int], site: str) -> None:
    """Refuse labels, types and sites that there are not.

    Raises:
        InputError: There is no such condition, type or site; one line a fault.
    """
    faults = [f"no condition `{label}`; there are: {', '.join(CONDITIONS)}" for label in set(labels) - set(CONDITIONS)]
    faults += [f"no Fitzpatrick type {tone}; there are: 1 to 6" for tone in set(tones) - set(skin_colour.TONES)]
    if site not in camera.SITES:
        faults.append(f"no site `{site}`; there are: {', '.join(camera.SITES)}")
    if faults:
        raise InputError(*sorted(faults))

"""The colours of skin of each Fitzpatrick type, by its individual typology angle (ITA)."""

from dataclasses import dataclass

import numpy as np

from synthgen.vision.colour import Array, lab_to_linear

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Tone:
    """The base colours of one Fitzpatrick type: the range of its ITA in degrees, of b* and of a*."""

    name: str
    ita: Range
    b: Range
    a: Range


# The six classes of ITA (Chardon et al. 1991; del Bino & Bernerd 2013: > 55 very light, 41-55 light, 28-41
# intermediate, 10-28 tan, -30-10 brown, < -30 dark) taken one to one as Fitzpatrick types I to VI. That is a convention
# of data sets, not physiology: Fitzpatrick asks how skin burns, ITA what colour it has.
TONES: dict[int, Tone] = {
    1: Tone("I", ita=(56, 69), b=(9, 14), a=(6, 13)),
    2: Tone("II", ita=(42, 55), b=(12, 17), a=(7, 14)),
    3: Tone("III", ita=(28, 41), b=(14, 19), a=(8, 14)),
    4: Tone("IV", ita=(10, 28), b=(15, 21), a=(9, 14)),
    5: Tone("V", ita=(-29, 7), b=(13, 20), a=(9, 14)),
    6: Tone("VI", ita=(-66, -34), b=(9, 15), a=(6, 11)),
}


def base(rng: np.random.Generator, fitzpatrick: int) -> tuple[float, Array]:
    """The colour of unlit skin of a type, drawn by chance: its ITA in degrees and its linear RGB, shape (3,).

    ``L* = 50 + b* tan(ITA)`` turns the definition of ITA round.
    """
    tone = TONES[fitzpatrick]
    ita = float(rng.triangular(tone.ita[0], sum(tone.ita) / 2, tone.ita[1]))
    b, a = rng.uniform(*tone.b), rng.uniform(*tone.a)
    return ita, lab_to_linear(np.array([50 + b * np.tan(np.radians(ita)), a, b]))

"""Where every random number of a training comes from: a function of the adapter, of what is drawn, and of the step.

So no state of a generator has to be kept, and a training that was killed goes on with the numbers of an unbroken one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def seed(digest: str, *what: object) -> int:
    """A seed of 63 bits for one purpose in the training of the adapter with that digest."""
    text = "\0".join([digest, *map(str, what)])
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1


def generator(digest: str, *what: object) -> np.random.Generator:
    """The generator of numpy for one purpose."""
    import numpy as np

    return np.random.default_rng(seed(digest, *what))

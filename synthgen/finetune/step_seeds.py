"""Where every random number of a training comes from: a function of the adapter, of what is drawn, and of the step.

So no state of a generator has to be kept, and a training that was killed goes on with the numbers of an unbroken one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthgen.core.hashing import seed_from

if TYPE_CHECKING:
    import numpy as np


def seed(digest: str, *what: object) -> int:
    """A seed of 63 bits for one purpose in the training of the adapter with that digest."""
    return seed_from(digest, *what)


def generator(digest: str, *what: object) -> np.random.Generator:
    """The generator of numpy for one purpose."""
    import numpy as np

    return np.random.default_rng(seed(digest, *what))

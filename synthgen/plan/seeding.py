"""Seeds and weighted draws as hashes of what they are for, so that neither order nor neighbours decide them."""

from synthgen.core.hashing import fraction_from, seed_from


def seed_of(manifest_seed: int, key: str, attempt: int) -> int:
    """The seed of one attempt at one sample: 63 bits of BLAKE2b, so torch and JSON both hold it."""
    return seed_from(manifest_seed, key, attempt)


def draw(seed: int, what: str, weights: tuple[float, ...]) -> int:
    """Draw an index in proportion to its weight, from a sample's seed and the name of what is drawn.

    Independent of torch and of Python's ``random``, so a plan draws the same everywhere, always.
    """
    point = fraction_from(seed, what) * sum(weights)
    for index, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)

"""Seeds and weighted draws as hashes of what they are for, so that neither order nor neighbours decide them."""

from hashlib import blake2b


def seed_of(manifest_seed: int, key: str, attempt: int) -> int:
    """The seed of one attempt at one sample: 63 bits of BLAKE2b, so torch and JSON both hold it."""
    digest = blake2b(f"{manifest_seed}\0{key}\0{attempt}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def draw(seed: int, what: str, weights: tuple[float, ...]) -> int:
    """Draw an index in proportion to its weight, from a sample's seed and the name of what is drawn.

    Independent of torch and of Python's ``random``, so a plan draws the same everywhere, always.
    """
    digest = blake2b(f"{seed}\0{what}".encode(), digest_size=8).digest()
    point = int.from_bytes(digest, "big") / 2**64 * sum(weights)
    for index, weight in enumerate(weights):
        point -= weight
        if point < 0:
            return index
    return max(index for index, weight in enumerate(weights) if weight > 0)

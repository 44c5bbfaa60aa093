"""A scorer of a user's own: how red an image is."""


def score(records, pixels):
    """The mean of red over the mean of green."""
    return {"redness": pixels[..., 0].mean((1, 2)) / pixels[..., 1].mean((1, 2))}

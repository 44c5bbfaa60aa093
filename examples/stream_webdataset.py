"""Stream a packed dataset's tars with webdataset: `python examples/stream_webdataset.py runs/quickstart/dataset`.

The tars may lie in a folder or behind addresses; nothing is unpacked, and every shard holds every class.
"""

import sys
from collections import Counter
from pathlib import Path

import torch
import webdataset


def main() -> None:
    """Go through the dataset once in batches, and print what was in it."""
    tars = sorted(str(path) for path in Path(sys.argv[1], "data").glob("train-*.tar"))
    samples = (
        webdataset.WebDataset(tars, shardshuffle=len(tars), seed=0)
        .shuffle(1000)
        .decode("torchrgb")
        .to_tuple("jpg;png;webp", "cls", "json")
        .batched(32)
    )
    labels: Counter[str] = Counter()
    tones: Counter[str] = Counter()
    total = torch.zeros(3)
    for images, _, records in samples:
        labels.update(record["label"] for record in records)
        tones.update(record["skin_tone"] for record in records)
        total += images.mean(dim=(2, 3)).sum(dim=0)
    print(f"{labels.total()} images, mean colour {[round(x, 3) for x in (total / labels.total()).tolist()]}")
    print("labels", dict(sorted(labels.items())))
    print("skin tones", dict(sorted(tones.items())))


if __name__ == "__main__":
    main()

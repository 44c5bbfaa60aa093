"""Train an image classifier on a packed dataset: `python examples/train_classifier.py runs/quickstart/dataset`.

The dataset is a folder or a Hub id. Its test split is held out, or else a fifth of its groups, so that no patient, and
no photograph that images were made from, is on both sides. `--model` takes any image-classification model.
"""

import argparse

import numpy as np
import torch
from datasets import Dataset, DatasetDict, load_dataset
from torch.utils.data import DataLoader
from transformers import AutoModelForImageClassification, ResNetConfig


def parts(splits: DatasetDict) -> tuple[Dataset, Dataset]:
    """The images to train on and those that are held out, by the dataset's own splits where it has a test split."""
    if "test" in splits:
        return splits["train"], splits["test"]
    records = splits["train"]["json"] if "json" in splits["train"].features else splits["train"].remove_columns("image")
    groups = [one["source_group"] or one["source_id"] or one["key"].removeprefix(one["entry"]) for one in records]
    names = sorted(set(groups))
    held = set(np.random.default_rng(0).choice(names, max(1, len(names) // 5), replace=False).tolist())
    train, test = ([n for n, group in enumerate(groups) if (group in held) is out] for out in (False, True))
    return splits["train"].select(train), splits["train"].select(test)


def main() -> None:
    """Train, and print the accuracy on images that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--model", help="a Hub id or folder; a small ResNet from nothing if left out")
    parser.add_argument("--size", type=int, default=64, help="images are resized to this many pixels a side")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = parts(load_dataset(arguments.dataset))
    image = next(name for name in ("image", "jpg", "png", "webp") if name in train.features)  # by pack's --format
    label = "cls" if "cls" in train.features else "label"
    names = train.features[label].names

    def collate(rows: list) -> dict[str, torch.Tensor]:
        size = (arguments.size, arguments.size)
        pixels = np.stack([np.asarray(row[image].convert("RGB").resize(size), np.float32) for row in rows])
        pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
        return {"pixel_values": pixels.to(device), "labels": torch.tensor([row[label] for row in rows], device=device)}

    options = {"num_labels": len(names), "ignore_mismatched_sizes": True, "use_safetensors": True}
    if arguments.model:
        model = AutoModelForImageClassification.from_pretrained(arguments.model, **options).to(device)
    else:
        config = ResNetConfig(embedding_size=32, hidden_sizes=[32, 64, 128], depths=[1, 1, 1], layer_type="basic")
        config.num_labels = len(names)
        model = AutoModelForImageClassification.from_config(config).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5 if arguments.model else 1e-3)
    batches = DataLoader(train, arguments.batch_size, shuffle=True, collate_fn=collate)
    held_out = DataLoader(test, arguments.batch_size, collate_fn=collate)
    for epoch in range(1, arguments.epochs + 1):
        for batch in batches:
            optimizer.zero_grad()
            loss = model.train()(**batch).loss
            loss.backward()
            optimizer.step()
        with torch.inference_mode():
            right = sum((model.eval()(**b).logits.argmax(1) == b["labels"]).sum().item() for b in held_out)
        print(f"epoch {epoch}: loss {loss.item():.3f}, accuracy {right / test.num_rows:.3f}")


if __name__ == "__main__":
    main()

"""Fine-tune a model of timm on a packed dataset: `python examples/train_timm.py runs/quickstart/dataset`.

It needs `pip install 'synthgen-images[timm]'`. The dataset is a folder or a Hub id; what is held out is what
`train_classifier.py` beside this file holds out: the test split, or else a fifth of the groups.
"""

import argparse

import numpy as np
import timm
import timm.data
import timm.optim
import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from train_classifier import parts


def main() -> None:
    """Train, and print the accuracy on images that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--model", default="resnet18", help="a model of timm, as `timm.list_models()` names it")
    parser.add_argument("--pretrained", action="store_true", help="begin with timm's weights, from the Hub")
    parser.add_argument("--size", type=int, default=64, help="images are resized to this many pixels a side")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, test = parts(load_dataset(arguments.dataset))
    image = next(name for name in ("image", "jpg", "png", "webp") if name in train.features)
    label = "cls" if "cls" in train.features else "label"
    names = train.features[label].names
    model = timm.create_model(arguments.model, pretrained=arguments.pretrained, num_classes=len(names)).to(device)
    channels = timm.data.resolve_data_config(model=model)
    mean, deviation = (torch.tensor(channels[name]).view(1, 3, 1, 1) for name in ("mean", "std"))

    def collate(rows: list) -> tuple[torch.Tensor, torch.Tensor]:
        size = (arguments.size, arguments.size)
        pixels = np.stack([np.asarray(row[image].convert("RGB").resize(size)) for row in rows])
        values = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - mean) / deviation
        return values.to(device), torch.tensor([row[label] for row in rows], device=device)

    optimizer = timm.optim.create_optimizer_v2(model, opt="adamw", lr=1e-4 if arguments.pretrained else 1e-3)
    batches = DataLoader(train, arguments.batch_size, shuffle=True, drop_last=True, collate_fn=collate)
    held_out = DataLoader(test, arguments.batch_size, collate_fn=collate)
    for epoch in range(1, arguments.epochs + 1):
        model.train()
        for pixels, labels in batches:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(pixels), labels)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode():
            right = sum((model(pixels).argmax(1) == labels).sum().item() for pixels, labels in held_out)
        print(f"epoch {epoch}: loss {loss.item():.3f}, accuracy {right / test.num_rows:.3f}")


if __name__ == "__main__":
    main()

"""Train a classifier with Lightning on a packed dataset: `python examples/train_lightning.py runs/quickstart/dataset`.

It needs `pip install lightning`. The dataset is a folder or a Hub id; what is held out is what `train_classifier.py`
beside this file holds out: the test split, or else a fifth of the groups. Where there is a validation split, the epoch
that did best on it is the one that is tested.
"""

import argparse

import lightning
import numpy as np
import torch
from datasets import load_dataset
from torch.utils.data import DataLoader
from train_classifier import parts
from transformers import AutoModelForImageClassification, ResNetConfig


class Data(lightning.LightningDataModule):
    """The splits of a packed dataset as batches."""

    def __init__(self, dataset: str, size: int, batch_size: int) -> None:
        super().__init__()
        splits = load_dataset(dataset)
        self.train, self.test = parts(splits)
        self.validation = splits.get("validation")
        self.size, self.batch_size = size, batch_size
        self.image = next(name for name in ("image", "jpg", "png", "webp") if name in self.train.features)
        self.label = "cls" if "cls" in self.train.features else "label"
        self.names = self.train.features[self.label].names

    def batches(self, rows: object, *, shuffle: bool = False) -> DataLoader:
        """Rows in batches."""
        return DataLoader(rows, self.batch_size, shuffle=shuffle, collate_fn=self.collate)

    def collate(self, rows: list) -> dict[str, torch.Tensor]:
        """Rows as a batch that a transformers classifier takes."""
        size = (self.size, self.size)
        pixels = np.stack([np.asarray(row[self.image].convert("RGB").resize(size), np.float32) for row in rows])
        pixels = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1
        return {"pixel_values": pixels, "labels": torch.tensor([row[self.label] for row in rows])}

    def train_dataloader(self) -> DataLoader:
        """The training split."""
        return self.batches(self.train, shuffle=True)

    def val_dataloader(self) -> DataLoader | list:
        """The validation split, where there is one."""
        return self.batches(self.validation) if self.validation is not None else []

    def test_dataloader(self) -> DataLoader:
        """What is held out."""
        return self.batches(self.test)


class Classifier(lightning.LightningModule):
    """A small ResNet from nothing."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        config = ResNetConfig(embedding_size=32, hidden_sizes=[32, 64, 128], depths=[1, 1, 1], layer_type="basic")
        config.num_labels = classes
        self.model = AutoModelForImageClassification.from_config(config)

    def training_step(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """The loss of a batch."""
        return self.model(**batch).loss

    def validation_step(self, batch: dict[str, torch.Tensor]) -> None:
        """The accuracy on validation."""
        self.say("validation_accuracy", batch)

    def test_step(self, batch: dict[str, torch.Tensor]) -> None:
        """The accuracy on what is held out."""
        self.say("accuracy", batch)

    def say(self, name: str, batch: dict[str, torch.Tensor]) -> None:
        """Log the accuracy of a batch under a name; Lightning takes the mean over all."""
        right = (self.model(**batch).logits.argmax(1) == batch["labels"]).float().mean()
        self.log(name, right, batch_size=len(batch["labels"]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW."""
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


def main() -> None:
    """Train, and print the accuracy on images that were held out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("--size", type=int, default=64, help="images are resized to this many pixels a side")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=16)
    arguments = parser.parse_args()
    lightning.seed_everything(0, verbose=False)
    data = Data(arguments.dataset, arguments.size, arguments.batch_size)
    best = lightning.pytorch.callbacks.ModelCheckpoint(monitor="validation_accuracy", mode="max")
    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    held = data.validation is not None
    keeps = {"callbacks": [best]} if held else {"enable_checkpointing": False, "limit_val_batches": 0}
    trainer = lightning.Trainer(max_epochs=arguments.epochs, **quiet, **keeps)
    model = Classifier(len(data.names))
    trainer.fit(model, data)
    [found] = trainer.test(model, data, ckpt_path="best" if held else None, verbose=False)
    print(f"accuracy {found['accuracy']:.3f} on {len(data.test)} images")


if __name__ == "__main__":
    main()

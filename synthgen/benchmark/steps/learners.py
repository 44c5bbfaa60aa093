"""Steps of training classifiers, and a pass of features, as `classifier-eval` and `curate` do them."""

import time
from pathlib import Path
from typing import Any

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, each, release
from synthgen.vision import features
from synthgen.vision.classifiers import networks, train_loop
from synthgen.vision.classifiers.train_loop import FinetuneSettings, Trainer


def run(findings: Findings, asked: Asked) -> None:
    """Time a small network and a transformer on the device, and features of the latter."""
    size = 32 if asked.reduced else 224
    folder = _transformer(asked, size)
    for name, backbone in (("small-cnn", networks.SMALL), ("ViT-B/16", str(folder))):
        with each(findings, name):
            _steps(findings, asked, name, backbone, size)
    with each(findings, "features"):
        _features(findings, asked, folder)


def _images(count: int, size: int) -> Any:
    import numpy as np

    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3), np.uint8)


def _steps(findings: Findings, asked: Asked, name: str, backbone: str, size: int) -> None:
    import torch

    batch, steps = (4, 3) if asked.reduced else (32, 12)
    settings = FinetuneSettings(steps, backbone, learning_rate=1e-4, device=asked.device)
    torch.manual_seed(0)
    network = networks.build(backbone, 2)
    network.module.to(asked.device)
    trainer = Trainer(network, settings, 0)
    pixels, targets = _images(batch, size), torch.arange(batch) % 2
    trainer.step(pixels, targets)
    release(asked.device)
    began = time.perf_counter()
    for _ in range(steps - 1):
        trainer.step(pixels, targets)
    with torch.inference_mode(), train_loop.precision(asked.device):
        logits = network.module(network.prepare(pixels).to(asked.device)).float().cpu()
    taken = time.perf_counter() - began
    findings.figure(f"{name}: training", batch * (steps - 1) / taken, "images/s")
    findings.check(f"{name}: its logits are numbers", bool(logits.isfinite().all()))
    there = next(network.module.parameters()).device.type
    findings.check(f"{name}: it trains on the device", there == asked.device, there)


def _features(findings: Findings, asked: Asked, folder: Path) -> None:
    import numpy as np

    half = asked.device == "cuda"
    backbone = features.backbone(str(folder), device=asked.device, half=half)
    pixels = _images(8 if asked.reduced else 256, backbone.size)
    backbone(pixels[:8])
    began = time.perf_counter()
    found = backbone(pixels)
    findings.figure("features of a ViT-B/16", len(pixels) / (time.perf_counter() - began), "images/s")
    findings.check("features are numbers", bool(np.isfinite(found).all()))


def _transformer(asked: Asked, size: int) -> Path:
    """A vision transformer with random weights, in a folder as the Hub's are."""
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    folder = asked.scratch / "vit"
    tiny = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    config = ViTConfig(image_size=size, num_labels=2, **(tiny if asked.reduced else {}))
    ViTForImageClassification(config).save_pretrained(folder, safe_serialization=True)
    ViTImageProcessor(size={"height": size, "width": size}).save_pretrained(folder)
    return folder

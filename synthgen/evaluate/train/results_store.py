"""The predictions of a study's trainings: one file each, written whole or not at all, and trusted only while whole."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic, seal
from synthgen.vision.classifiers.fit_result import FitResult

if TYPE_CHECKING:
    from synthgen.core.types import Floats

_METADATA = "training"
_log = logging.getLogger(__name__)


class ResultsStore:
    """The predictions of trainings, below one folder.

    Args:
        folder: Where; made when the first one is written.
        shapes: The shape that a training's predictions have, by split.
    """

    def __init__(self, folder: Path, shapes: Mapping[str, tuple[int, int]]) -> None:
        self._folder, self._shapes = folder, dict(shapes)

    def path(self, name: str) -> Path:
        """The path of a training's predictions."""
        return self._folder / name[:2] / f"{name}.safetensors"

    def read(self, name: str) -> FitResult | None:
        """The predictions of a training; ``None`` where it has to be done, or its file is not whole."""
        from safetensors import SafetensorError, safe_open

        path = self.path(name)
        if not path.is_file():
            return None
        try:
            content = path.read_bytes()
            if seal.is_sealed(content) and not seal.is_whole(content):
                raise ValueError(seal.CHANGED)
            with safe_open(path, "numpy") as file:
                tensors = {split: file.get_tensor(split) for split in self._shapes}
                said = json.loads(file.metadata()[_METADATA])
            if said["digest"] == _digest(tensors) and self._shapes == {s: t.shape for s, t in tensors.items()}:
                return FitResult(**tensors, optimizer_steps=said["optimizer_steps"], chosen=said["chosen"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError) as error:
            _log.debug("%s: %s", path, error)
        _log.warning("%s is not whole; its training is done again", path)
        return None

    def write(self, name: str, learned: FitResult) -> None:
        """Keep the predictions of a training; equal ones give equal bytes."""
        import numpy as np
        from safetensors.numpy import save

        # safetensors takes an array's memory as it lies
        tensors = {split: np.ascontiguousarray(getattr(learned, split)) for split in self._shapes}
        said = {"digest": _digest(tensors), "optimizer_steps": learned.optimizer_steps, "chosen": learned.chosen}
        said[seal.KEY] = seal.OPEN
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # one key alone: safetensors writes several in any order
        atomic.write(path, seal.close(save(tensors, {_METADATA: json.dumps(said, sort_keys=True)})))


def _digest(tensors: Mapping[str, Floats]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()

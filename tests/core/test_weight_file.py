"""A safetensors file that can't be written is told as any other file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from synthgen.core import weight_file


def test_what_is_written_is_read(tmp_path: Path) -> None:
    """Tensors by name."""
    weight_file.save({"a": torch.ones(3)}, tmp_path / "a.safetensors", {"text": "b"})
    assert load_file(tmp_path / "a.safetensors")["a"].equal(torch.ones(3))


def test_the_file_system_is_quoted(tmp_path: Path) -> None:
    """With its number and the file, by which the command line says what to do."""
    with pytest.raises(FileNotFoundError, match="No such file") as told:
        weight_file.save({"a": torch.ones(3)}, tmp_path / "no folder" / "a.safetensors")
    assert told.value.filename == str(tmp_path / "no folder" / "a.safetensors")

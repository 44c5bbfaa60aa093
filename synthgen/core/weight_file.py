"""Writes tensors to a safetensors file, with a full disk told as the file system tells it.

``safetensors.torch.save_file`` does the writing; it raises an error of its own for what would be an ``OSError``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from synthgen.core import atomic

if TYPE_CHECKING:
    from torch import Tensor

_OF_THE_SYSTEM = re.compile(r"\(os error (\d+)\)")


def save(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Write tensors, and texts beside them.

    Args:
        tensors: The tensors by name, contiguous.
        path: The file.
        metadata: The texts by name.

    Raises:
        OSError: The file can't be written, with the file system's own number.
    """
    from safetensors.torch import save_file

    with telling(path):
        save_file(dict(tensors), path, dict(metadata) if metadata else None)


@contextmanager
def telling(path: Path) -> Iterator[None]:
    """Where some library writes safetensors: what it raises of the file system is an ``OSError``.

    Args:
        path: The file or folder, which the error names.

    Raises:
        OSError: The file can't be written, with the file system's own number.
    """
    from safetensors import SafetensorError

    try:
        with atomic.naming(path):
            yield
    except SafetensorError as error:
        told = _OF_THE_SYSTEM.search(str(error))
        if told is None:
            raise
        number = int(told[1])
        raise OSError(number, os.strerror(number), str(path)) from error

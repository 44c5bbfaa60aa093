"""The most bytes of tensors that were alive at once: as CUDA's allocator tells, elsewhere by counting storages.

Not ``torch.profiler``, whose memory events grow with every operator and tell of no peak on a CPU.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Peak:
    """A peak of memory.

    Attributes:
        bytes: How many more were alive at once than at the beginning.
    """

    bytes: int = 0


@contextmanager
def peak_memory(device: str) -> Iterator[Peak]:
    """Measure the peak of what is allocated inside, in bytes beyond what was allocated before.

    Args:
        device: torch's device type. On ``cuda`` only one can be measured at once, as the allocator keeps one peak.
    """
    import torch

    found = Peak()
    if device == "cuda":
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        yield found
        torch.cuda.synchronize()
        found.bytes = torch.cuda.max_memory_allocated() - before
        return
    with _counting() as counter:
        yield found
    found.bytes = counter.peak


def _counting() -> Any:
    """A context in which torch counts the bytes of every storage that an operator makes."""
    from torch import Tensor
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Counting(TorchDispatchMode):  # type: ignore[no-untyped-call]
        def __init__(self) -> None:
            super().__init__()  # type: ignore[no-untyped-call]
            self.alive, self.peak = 0, 0
            self._known: dict[int, Any] = {}

        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            for given in tree_leaves((args, kwargs or {})):
                if isinstance(given, Tensor):
                    self._note(given, 0)  # there before, or counted when it was made
            result = func(*args, **(kwargs or {}))
            for one in tree_leaves(result):
                if isinstance(one, Tensor):
                    self._note(one, one.untyped_storage().nbytes())
            self.peak = max(self.peak, self.alive)
            return result

        def _note(self, tensor: Tensor, size: int) -> None:
            storage = tensor.untyped_storage()
            key = storage._cdata
            if key not in self._known:
                self.alive += size
                self._known[key] = weakref.finalize(storage, self._gone, key, size)

        def _gone(self, key: int, size: int) -> None:
            self.alive -= size
            self._known.pop(key, None)

    return Counting()

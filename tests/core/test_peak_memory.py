"""The peak of memory is what was alive at once, not what was allocated in all."""

import pytest

from synthgen.core.peak_memory import peak_memory


def test_what_is_let_go_of_counts_once() -> None:
    """Ten tensors one after another take the room of one; a view takes none."""
    import torch

    with peak_memory("cpu") as peak:
        for _ in range(10):
            one = torch.zeros(1000)
            del one
    assert peak.bytes == 4000
    with peak_memory("cpu") as peak:
        kept = [torch.zeros(1000) for _ in range(10)]
        kept[0].view(10, 100).t()
    assert peak.bytes == 40_000


@pytest.mark.parametrize("inference", [False, True])
def test_what_was_there_before_does_not_count(inference: bool) -> None:
    """Neither does what is done in place; in inference mode the same."""
    import torch

    with torch.inference_mode(inference):
        before = torch.zeros(1000)
        with peak_memory("cpu") as peak:
            before.add_(1)
            before + 1
    assert peak.bytes == 4000

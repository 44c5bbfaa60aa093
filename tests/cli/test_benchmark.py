"""What `doctor --benchmark` is asked for is checked before a step begins."""

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--benchmark", "--steps", "A,Z"], "`A,Z`: give letters of A to M"),
        (["--benchmark", "--device", "tpu"], "tpu"),
        (["--benchmark", "--seconds", "1"], "1 is not in the range"),
        (["--steps", "A"], "--steps is for --benchmark"),
        (["--out", "."], "--out is for --benchmark"),
        (["--benchmark", "--device", "cuda"], "--device cuda: torch finds none here"),
    ],
)
def test_what_is_refused(arguments: list[str], said: str, synthgen: Callable[..., Any]) -> None:
    """In one line, before a step begins."""
    import torch

    if "cuda" in arguments and torch.cuda.is_available():
        pytest.skip("there is one")
    found = synthgen("doctor", *arguments)
    assert found.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1

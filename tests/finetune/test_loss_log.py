"""The losses of a training are kept step by step, whenever it is killed."""

from pathlib import Path

import pytest

from synthgen.finetune.loss_curve import LossLog


@pytest.mark.parametrize("half", ["[2, 0.2", "[", "[2, 0.2]", ""])
def test_a_line_that_was_killed_swallows_none(half: str, tmp_path: Path) -> None:
    """What follows half a line is read; a step that is made again counts as it came out the last time."""
    log = LossLog(tmp_path)
    log.append(1, [0.1])
    with (tmp_path / "losses.jsonl").open("a") as file:
        file.write(half)
    LossLog(tmp_path).append(3, [0.25, 0.3])
    assert LossLog(tmp_path).read() == [(1, 0.1), (2, 0.25), (3, 0.3)]

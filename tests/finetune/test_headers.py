"""Equal tensors and metadata give equal files, whatever order the library wrote its header in."""

from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

from synthgen.finetune import checkpoints


def test_a_header_has_one_order(tmp_path: Path) -> None:
    """Twenty files of the same content are one file, of which the library reads all that it wrote."""
    told = {f"key {place}": "value" * place for place in range(8)}
    found = set()
    for number in range(20):
        path = tmp_path / f"{number}.safetensors"
        save_file({"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.ones(3, np.int64)}, path, told)
        checkpoints.sort_header(path)
        found.add(path.read_bytes())
    assert len(found) == 1
    with safe_open(path, "np") as file:
        assert file.metadata() == told
        assert file.get_tensor("a").tolist() == [[0, 1, 2], [3, 4, 5]]
        assert file.get_tensor("b").tolist() == [1, 1, 1]


def test_a_header_that_tells_one_thing_is_left_alone(tmp_path: Path) -> None:
    """There is only one order of a single key."""
    save_file({"a": np.ones(3, np.float32)}, tmp_path / "one.safetensors", {"format": "pt"})
    before = (tmp_path / "one.safetensors").read_bytes()
    checkpoints.sort_header(tmp_path / "one.safetensors")
    assert (tmp_path / "one.safetensors").read_bytes() == before

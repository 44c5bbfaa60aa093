"""Every package that is pinned has its hashes, at the same version."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;\\]+)", re.MULTILINE)


def pins(name: str) -> dict[str, str]:
    """The version of each package that a file pins, by its normalised name."""
    text = (ROOT / name).read_text(encoding="utf-8")
    return {re.sub(r"[-_.]+", "-", package).lower(): version for package, version in PIN.findall(text)}


def test_pins_have_hashes() -> None:
    """But PyTorch, whose files are others for each kind of GPU; `make hashes` writes the list."""
    if not (ROOT / "constraints-hashes.txt").is_file():
        pytest.skip("an installed package has no such file")
    asked = {name: version for name, version in pins("constraints.txt").items() if name != "torch"}
    assert pins("constraints-hashes.txt") == asked
    blocks = (ROOT / "constraints-hashes.txt").read_text(encoding="utf-8").split("\n\n")
    entries = re.split(r"(?m)^(?=[A-Za-z0-9])", "\n".join(blocks))[1:]
    assert [one.split()[0] for one in entries if "--hash=sha256:" not in one] == []

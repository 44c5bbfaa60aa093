"""A training goes on in the environment that it was begun in."""

from pathlib import Path
from typing import Any

import pytest

from synthgen.errors import UnavailableError
from synthgen.finetune import environment

NOW: dict[str, Any] = {"digest": "d", "device": "cuda", "deterministic": True, "versions": {"torch": "2"}}


def test_what_an_earlier_version_did_not_write_is_not_compared(tmp_path: Path) -> None:
    """Nobody could bring it back; what it wrote is compared as before."""
    begun = {key: value for key, value in NOW.items() if key != "deterministic"}
    environment.pin(tmp_path / "state", begun)
    environment.pin(tmp_path / "state", NOW)
    with pytest.raises(UnavailableError, match=r"versions .* then, .* now"):
        environment.pin(tmp_path / "state", NOW | {"versions": {"torch": "3"}})

"""The folder of a report says whose it is, so that no other study, and nothing else, is written over."""

import json
from pathlib import Path

from synthgen import durable
from synthgen.errors import InputError

STUDY = "study.json"
_FORMAT = 1


def claim(out: Path, name: str) -> None:
    """Make a folder this study's, or check that it is.

    Raises:
        InputError: It is not empty and no report, or the report of another study; nothing is written to it.
    """
    path = out / STUDY
    if out.exists() and any(not one.name.startswith(".") for one in out.iterdir()):
        try:
            held = json.loads(path.read_bytes())["name"]
        except (OSError, ValueError, KeyError, TypeError):
            raise InputError(f"{out} is not empty and not a report (no {STUDY}); choose another folder") from None
        if held != name:
            raise InputError(f"{out} holds the report of `{held}`, this is `{name}`; choose another folder")
    out.mkdir(parents=True, exist_ok=True)
    durable.sweep(out)
    if not path.exists():
        durable.write(path, json.dumps({"format": _FORMAT, "name": name}).encode())

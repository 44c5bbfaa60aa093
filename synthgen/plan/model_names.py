"""Names of models, and of other files, as others are shown them: without the folders of the machine they lie on."""

import json
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from synthgen.plan.sample import PARTS

# A path from the root, from a home, from a drive or a share, which tells of the machine and whose it is.
ABSOLUTE = re.compile(r"(?i)/|~|file:|[a-z]:[\\/]|\\\\")


def last_name(written: str) -> str:
    """What an absolute path is called without the folders before it; any other text as it is."""
    if not ABSOLUTE.match(written):
        return written
    return PurePosixPath(written.replace("\\", "/")).name or "model"


def last_names(value: Any) -> Any:
    """A value whose texts are as :func:`last_name` gives them."""
    match value:
        case str():
            return last_name(value)
        case list() | tuple():
            return [last_names(one) for one in value]
        case Mapping():
            return {name: last_names(one) for name, one in value.items()}
    return value


def withholds(value: Any) -> bool:
    """Whether :func:`last_names` leaves anything out of a value."""
    match value:
        case str():
            return ABSOLUTE.match(value) is not None
        case list() | tuple():
            return any(withholds(one) for one in value)
        case Mapping():
            return any(withholds(one) for one in value.values())
    return False


def names_folders(model: str, attributes: str) -> bool:
    """Whether a record of such fields may name a folder."""
    return ABSOLUTE.match(model) is not None or any(f'"{part}"' in attributes for part in PARTS)


def attributes_without_folders(attributes: str) -> str:
    """A record's ``attributes``, JSON or empty, without folders in the names of the parts it was made with.

    Raises:
        ValueError: They are not JSON.
    """
    said = json.loads(attributes) if attributes else {}
    kept = said | {name: last_name(str(said[name])) for name in PARTS if name in said}
    return json.dumps(kept, ensure_ascii=False, sort_keys=True) if kept != said else attributes

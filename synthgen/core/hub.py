"""The Hugging Face Hub, as all rooms meet it: its ids, its client's errors, its libraries' bars and warnings.

Not ``huggingface_hub.utils.validate_repo_id`` for ids: it takes a name without an owner for one, everywhere.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from logging import ERROR
from typing import Any, Literal

Library = Literal["datasets", "huggingface_hub", "transformers"]

REPO_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
"""Whose repository it is, and its name: ``org/name``."""
MODEL_ID = re.compile(rf"[A-Za-z0-9][\w.-]*|{REPO_ID.pattern}", re.ASCII)
"""The same, or a name alone, as the Hub's oldest models have."""

_LOGGING = {
    "datasets": "datasets.utils.logging",
    "huggingface_hub": "huggingface_hub.utils.logging",
    "transformers": "transformers.utils.logging",
}


def http_error() -> type[Exception]:
    """The root of the errors of the client's HTTP library, a refused connection among them.

    That library is httpx or httpx2, as ``huggingface_hub`` uses; its own error of an answer is one of these.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__mro__[1]


@contextmanager
def without_bars(*libraries: Library) -> Iterator[None]:
    """Keep the progress bars of libraries away, and leave them as they were: progress is the command's to show."""
    with ExitStack() as stack:
        for library in libraries:
            shown, hide, show = _bars(library)
            if shown:
                hide()
                stack.callback(show)
        yield


@contextmanager
def errors_only(*libraries: Library) -> Iterator[None]:
    """Keep what libraries log away where it is less than an error, and leave their levels as they were."""
    with ExitStack() as stack:
        for library in libraries:
            log = import_module(_LOGGING[library])
            stack.callback(log.set_verbosity, log.get_verbosity())
            log.set_verbosity(ERROR)
        yield


def _bars(library: Library) -> tuple[bool, Any, Any]:
    """Whether a library shows its bars, and what hides and shows them."""
    if library == "transformers":
        log = import_module(_LOGGING[library])
        return log.is_progress_bar_enabled(), log.disable_progress_bar, log.enable_progress_bar
    utils = import_module(f"{library}.utils")
    return not utils.are_progress_bars_disabled(), utils.disable_progress_bars, utils.enable_progress_bars

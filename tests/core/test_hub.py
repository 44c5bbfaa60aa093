"""The Hub's ids, its client's errors, and the bars and warnings of its libraries."""

import logging

import httpx2
import pytest
from huggingface_hub.errors import HfHubHTTPError

from synthgen.core import hub

LIBRARIES: list[hub.Library] = ["datasets", "huggingface_hub", "transformers"]


@pytest.mark.parametrize("name", ["org/name", "o/n", "0rg/na.me-1_2"])
def test_an_id_of_a_repository_has_an_owner(name: str) -> None:
    """Whose it is, a slash, and its name."""
    assert hub.REPO_ID.fullmatch(name)
    assert hub.MODEL_ID.fullmatch(name)


@pytest.mark.parametrize("name", ["", "a/b/c", "/a", "a/", ".a/b", "a/.b", "a b/c", "ö/x", "../a", "a\n"])
def test_what_is_no_id(name: str) -> None:
    """Paths, blanks and letters that the Hub does not have."""
    assert not hub.REPO_ID.fullmatch(name)
    assert not hub.MODEL_ID.fullmatch(name)


def test_an_old_model_has_a_name_alone() -> None:
    """Models may have no owner; datasets that we read and repositories that we publish have one."""
    assert hub.MODEL_ID.fullmatch("gpt2")
    assert not hub.REPO_ID.fullmatch("gpt2")


def test_the_root_of_errors_is_the_clients() -> None:
    """An answer and a refused connection are both of it."""
    assert issubclass(HfHubHTTPError, hub.http_error())
    assert issubclass(httpx2.ConnectError, hub.http_error()) or "httpx2" not in hub.http_error().__module__


@pytest.mark.parametrize("shown", [True, False])
def test_bars_are_as_they_were(shown: bool) -> None:
    """They are away within, and afterwards there if they were before."""
    import datasets.utils
    import huggingface_hub.utils

    for library, utils in (("datasets", datasets.utils), ("huggingface_hub", huggingface_hub.utils)):
        hidden = utils.are_progress_bars_disabled()
        (utils.enable_progress_bars if shown else utils.disable_progress_bars)()
        with hub.without_bars(library):
            assert utils.are_progress_bars_disabled()
        assert utils.are_progress_bars_disabled() is not shown
        (utils.disable_progress_bars if hidden else utils.enable_progress_bars)()


@pytest.mark.parametrize("shown", [True, False])
def test_bars_of_transformers_are_as_they_were(shown: bool) -> None:
    """Its bars are away within, and afterwards there if they were before."""
    from transformers.utils import logging as log

    was = log.is_progress_bar_enabled()
    (log.enable_progress_bar if shown else log.disable_progress_bar)()
    with hub.without_bars("transformers"):
        assert not log.is_progress_bar_enabled()
    assert log.is_progress_bar_enabled() is shown
    (log.enable_progress_bar if was else log.disable_progress_bar)()


@pytest.mark.parametrize("library", LIBRARIES)
def test_levels_are_as_they_were(library: hub.Library) -> None:
    """Warnings are away within, and afterwards the level is that of before."""
    log = logging.getLogger(library)
    was = log.level
    log.setLevel(logging.INFO)
    try:
        with hub.errors_only(library):
            assert not log.isEnabledFor(logging.WARNING)
            assert log.isEnabledFor(logging.ERROR)
        assert log.level == logging.INFO
    finally:
        log.setLevel(was)

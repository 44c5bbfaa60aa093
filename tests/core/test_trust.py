"""Plug-in files that the user has named are remembered, whatever else goes on; nothing else is trusted by accident."""

import subprocess
import sys
from pathlib import Path

import pytest

from synthgen.core import trust


@pytest.mark.parametrize("value", ["", "0", "false", "no", "off", "yes", "true"])
def test_only_one_word_trusts_everything(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`1` does; a word that somebody means as no is not taken for yes."""
    monkeypatch.setenv(trust.VARIABLE, value)
    assert not trust.trusts("0" * 64)
    monkeypatch.setenv(trust.VARIABLE, "1")
    assert trust.trusts("0" * 64)


def test_commands_that_begin_at_once_keep_each_others_files() -> None:
    """Four processes that remember ten files each remember forty."""
    code = (
        "import sys; from pathlib import Path; from synthgen.core import trust\n"
        "for number in range(10): trust.remember({f'{sys.argv[1]}-{number}': Path('x.py')})"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(one)]) for one in range(4)]
    assert [process.wait() for process in started] == [0, 0, 0, 0]
    assert all(trust.trusts(f"{one}-{number}") for one in range(4) for number in range(10))


def test_nobodys_home_forgets_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no home to write to, a file is remembered as long as the process lives."""
    import platformdirs

    def nowhere(*_: object, **__: object) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(platformdirs, "user_config_path", nowhere)
    trust.remember({"f" * 64: Path("x.py")})
    assert trust.trusts("f" * 64)
    assert not trust.trusts("e" * 64)

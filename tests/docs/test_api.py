"""The examples of the page on the Python API run as they stand there, one after the other."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"(?ms)^```python\n(.*?)^```$")


@pytest.mark.slow
def test_the_page_s_examples(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In one session, from an empty folder, on the bundled model."""
    monkeypatch.chdir(tmp_path)
    session: dict[str, object] = {}
    for code in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        exec(compile(code, PAGE.name, "exec"), session)
    out = capsys.readouterr().out
    assert "16 of 16 images accepted" in out
    assert "seed" in out.splitlines()[-1]
    assert (tmp_path / "runs/first/dataset/README.md").is_file()

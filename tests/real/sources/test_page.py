"""The pages on manifests and on real images show only what is read as it stands there."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from synthgen.cli import call
from synthgen.plan import manifest
from synthgen.plan.manifest.settings import Extensions

DOCS = Path(__file__).parents[3] / "docs"
LABELS = {"psoriasis": "psoriasis", "melanoma": "melanoma"}
TONES = {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]}
STUDY = {"name": "study", "seed": 1, "labels": LABELS, "skin_tones": TONES}
FAKE = {"real": {"source": "phantom", "count": 8}, "generate": [{"strategy": "fake", "per_source": 1}]}


def blocks(page: str) -> list[dict[str, Any]]:
    """The YAML of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    return [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]


@pytest.mark.parametrize("block", blocks("sources.md"), ids="-".join)
def test_each_block_on_real_images_is_read(block: dict[str, Any], extensions: Extensions, tmp_path: Path) -> None:
    """Each is a part of a manifest that has no fault."""
    text = yaml.safe_dump(STUDY | FAKE | block, sort_keys=False)
    assert manifest.parse(text, extensions, base=tmp_path, where="page").real is not None


def test_the_whole_manifest_is_read(extensions: Extensions, tmp_path: Path) -> None:
    """The manifest that shows every key has no fault."""
    whole = yaml.safe_dump(blocks("manifest.md")[0], sort_keys=False)
    found = manifest.parse(whole, extensions, base=tmp_path, where="page")
    assert [entry.strategy for entry in found.entries] == ["text2img", "inpaint", "outpaint"]


def test_the_account_shown_is_the_one_printed(capsys: pytest.CaptureFixture[str]) -> None:
    """The line that the page shows of `synthgen plan from-images` is one that it prints."""
    page = (DOCS / "sources.md").read_text(encoding="utf-8")
    [shown] = re.findall(r"^\$ synthgen plan from-images\n\.\.\.\n(.*)\n", page, re.MULTILINE)
    assert call(["plan", "from-images"]) == 0
    assert shown in capsys.readouterr().out.splitlines()

"""The notebook runs from its first cell to its last, and shows progress, pictures and tables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "examples" / "notebook.ipynb"
RUN = """
import sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], 4)
NotebookClient(notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[3])
"""


def test_it_is_kept_without_outputs() -> None:
    """What a cell printed on somebody's machine is not part of the source, and each run's difference none of it."""
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)


@pytest.mark.slow
def test_it_runs_from_manifest_to_classifier(tmp_path: Path) -> None:
    """On the bundled model and offline, in an empty folder; no cell fails, and what it promises is shown."""
    environment = os.environ | {
        "PYTHONPATH": str(ROOT),
        "IPYTHONDIR": str(tmp_path / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "HF_DATASETS_CACHE": str(tmp_path / "cache"),
    }
    folder, done = tmp_path / "folder", tmp_path / "done.ipynb"
    folder.mkdir()
    subprocess.run([sys.executable, "-c", RUN, NOTEBOOK, folder, done], check=True, env=environment)
    cells = json.loads(done.read_text(encoding="utf-8"))["cells"]
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert {"image/png", "text/html"} <= kinds
    assert not any(output["output_type"] == "error" for output in outputs)
    printed = "".join("".join(output.get("text", "")) for output in outputs if output["output_type"] == "stream")
    assert "144 images made now" in printed
    accuracy = float(printed.rpartition("held-out synthetic images: ")[2].split()[0])
    assert accuracy > 0.4, "three classes: a third by chance"
    assert (folder / "runs/notebook/dataset/README.md").is_file()

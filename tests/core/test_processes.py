"""Worker processes that can't begin are said in a line that names what may be the matter."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """
from synthgen.core import processes

with processes.pool(2) as pool:
    print(pool.submit(len, "four").result())
"""


def test_a_script_that_its_own_workers_run_again_is_told(tmp_path: Path) -> None:
    """It lacks what keeps a worker, which imports it, from doing all of it once more."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT)
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "__name__ == '__main__'" in done.stderr.splitlines()[-1]


def test_a_script_that_has_it_is_done(tmp_path: Path) -> None:
    """The same, as it should be."""
    path = tmp_path / "script.py"
    head, body = SCRIPT.split("\n\n", 1)
    path.write_text(f"{head}\n\nif __name__ == '__main__':\n    " + body.strip().replace("\n", "\n    "))
    done = subprocess.run([sys.executable, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "4"

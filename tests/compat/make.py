"""Makes what a version of synthgen leaves on disk, for the tests that every later version has to open it.

By hand, once for a version that is kept, with that version's code and the packages that constraints.txt pins. What is
in ``v0.1.0`` was made so:

    git worktree add ../old a276b66
    mkdir -p ../old/tests/compat && cp -r tests/compat/make.py tests/compat/inputs ../old/tests/compat/
    cd ../old && PYTHONPATH=. python tests/compat/make.py ../v0.1.0    # the folder must not be there yet

It only calls the command line. Everything is made in a folder that is gone afterwards, so the runs were moved since.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

INPUTS = Path(__file__).parent / "inputs"
MANIFESTS = Path(__file__).parents[2] / "manifests"
ON_CPU = ("--device", "cpu", "--dtype", "fp32")  # what any machine can make again
PHANTOMS = ("--per-cell", "5", "--seed", "1", "--site", "b", "--label", "psoriasis", "--label", "healthy",
            "--tone", "1", "--tone", "6")  # fmt: skip


def synthgen(*arguments: str | Path, may_refuse: bool = False) -> str:
    """Call the command line in a process of its own; returns what it printed, nothing where it refused."""
    command = [sys.executable, "-m", "synthgen", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=not may_refuse)
    return "" if done.returncode else done.stdout


def make() -> None:
    """Make everything, in the current folder."""
    shutil.copytree(INPUTS, ".", dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    synthgen("phantom", "--out", "photographs", *PHANTOMS)
    plans()  # before anything is made, so that no time was measured yet
    synthgen("run", "study.yaml", "--out", "runs/study")
    synthgen("generate", "study.yaml", "--out", "runs/half", "--limit", "13")
    synthgen("run", "model.yaml", "--out", "runs/model", *ON_CPU)
    for layout in ("parquet", "imagefolder"):
        synthgen("pack", "runs/study/work", "--out", f"packed/{layout}", "--format", layout)
    fetch()
    helps()


def fetch() -> None:
    """Fetch two images from a host on this machine."""
    found = sorted(Path("photographs/images").glob("*.png"))[:2]
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in found}
    Path("fetched").mkdir()
    with host(Path("photographs/images")) as address:
        rows = [f"{md5},{address}/{name}" for name, md5 in sums.items()]
        Path("fetched/metadata.csv").write_text("\n".join(["md5hash,url", *rows]) + "\n", encoding="utf-8")
        synthgen("fetch", "fetch.yaml")


@contextmanager
def host(folder: Path) -> Iterator[str]:
    """Serve a folder; yields its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def plans() -> None:
    """Keep what is planned from these manifests, and from copies of those that ship and need no data."""
    Path("manifests").mkdir()
    kept = {name: plan(Path(f"{name}.yaml")) for name in ("study", "model")}
    for path in sorted(MANIFESTS.glob("*.yaml")):
        if found := plan(path):
            shutil.copy(path, "manifests")
            kept[f"manifests/{path.stem}"] = found
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(found)}" for name, found in kept.items())
    Path("plans.json").write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")


def plan(path: Path) -> dict[str, object]:
    """The JSON that a manifest's plan is told by, and the beginning of its digest; empty where it needs data."""
    told = synthgen("plan", path, "--json", may_refuse=True)
    if not told:
        return {}
    [digest] = [line for line in synthgen("plan", path).splitlines() if line.startswith("plan ")]
    return {"digest": digest.removeprefix("plan "), "json": json.loads(told)}


def helps() -> None:
    """Keep the help of every command."""
    Path("help").mkdir()
    told = synthgen("--help")
    Path("help/synthgen.txt").write_text(told, encoding="utf-8")
    for line in told.partition("Commands:\n")[2].splitlines():
        name = line.split()[0]
        Path(f"help/{name}.txt").write_text(synthgen(name, "--help"), encoding="utf-8")


def main() -> None:
    """Make it in a folder that is gone afterwards, and copy it to the folder asked for."""
    out = Path(sys.argv[1]).absolute()
    sources = os.pathsep.join(str(Path(one).absolute()) for one in os.environ.get("PYTHONPATH", ".").split(os.pathsep))
    made = Path(tempfile.gettempdir()) / "old-synthgen"
    made.mkdir()
    try:
        os.environ.update(PYTHONPATH=sources, PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1",
                          COLUMNS="100", XDG_CACHE_HOME=str(made / ".cache"))  # fmt: skip
        os.chdir(made)
        make()
        shutil.copytree(made, out, ignore=shutil.ignore_patterns(".cache", ".lock", "__pycache__"))
    finally:
        os.chdir(out.parent)
        shutil.rmtree(made)


if __name__ == "__main__":
    main()

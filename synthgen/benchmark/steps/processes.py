"""Whether several processes on one device make the bytes that one makes."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import yaml

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.steps.resume import command, fault
from synthgen.benchmark.workload import Asked, document, each


def run(findings: Findings, asked: Asked) -> None:
    """Make one run by one process, by two parts of a job array, by two workers, and by Ray where it is installed."""
    manifest = asked.scratch / "manifest.yaml"
    content = document(1 if asked.reduced else 8, 3 if asked.reduced else 12, num_inference_steps=4)
    manifest.write_text(yaml.safe_dump(content), encoding="utf-8")
    one = asked.scratch / "one"
    device = ("--device", asked.device)
    with each(findings, "one process"):
        done = command("generate", manifest, "--out", one, *device)
        findings.check("one process", done.returncode == 0, fault(done))
    with each(findings, "two parts of a job array"):
        both = asked.scratch / "both"
        parts = [
            subprocess.Popen(
                [sys.executable, "-m", "synthgen", "generate", str(manifest), "--out", str(both), *device, "--array",
                 f"{part}/2"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            for part in range(2)
        ]  # fmt: skip
        said = [process.communicate()[1] for process in parts]
        ended = all(process.returncode == 0 for process in parts)
        findings.check("two parts of a job array", ended, "" if ended else " ".join(said)[-200:])
        findings.check("their tars are those of one process", _tars(one) == _tars(both) != {})
    with each(findings, "two workers"):
        two = asked.scratch / "two"
        done = command("generate", manifest, "--out", two, *device, "--workers", "2")
        findings.check("two workers", done.returncode == 0, fault(done))
        findings.check("two workers' tars are those of one process", _tars(one) == _tars(two) != {})
    if find_spec("ray") is None:
        findings.skip("ray", "not installed")
        return
    with each(findings, "ray"):
        spread = asked.scratch / "ray"
        done = command("generate", manifest, "--out", spread, *device, "--runner", "ray", "--workers", "1")
        findings.check("ray", done.returncode == 0, fault(done))
        findings.check("ray's tars are those of one process", _tars(one) == _tars(spread) != {})


def _tars(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.glob("text/*.tar"))}

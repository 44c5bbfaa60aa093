"""Whether a run that is killed comes out the same to the byte, and its images come again one by one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import yaml

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked, document, each


def run(findings: Findings, asked: Asked) -> None:
    """Make a run, kill another of the same manifest, go on with it, compare, verify and reproduce."""
    content = document(2 if asked.reduced else 16, 4 if asked.reduced else 24,
                       num_inference_steps=4 if asked.reduced else 25)  # fmt: skip
    manifest = asked.scratch / "manifest.yaml"
    manifest.write_text(yaml.safe_dump(content), encoding="utf-8")
    whole, killed = asked.scratch / "whole", asked.scratch / "killed"
    with each(findings, "a run"):
        made = command("generate", manifest, "--out", whole, "--device", asked.device)
        findings.check("a run ends well", made.returncode == 0, fault(made))
        shards = _shards(killed, process := _begin("generate", manifest, "--out", killed, "--device", asked.device))
        findings.figure("work shards there when it was killed", shards)
        findings.check("it was killed", process.returncode == -signal.SIGKILL, f"exit {process.returncode}",
                       otherwise="warn")  # fmt: skip
        again = command("generate", manifest, "--out", killed, "--device", asked.device)
        findings.check("it goes on", again.returncode == 0, fault(again))
        same = _tars(whole) == _tars(killed) != {}
        findings.check("its tars are those of the unbroken run", same, f"{len(_tars(killed))} tars")
        verified = command("verify", killed)
        findings.check("verify", verified.returncode == 0, fault(verified))
        keys = _keys(killed)
        for key in (keys[0], keys[-1]):
            done = command("reproduce", killed, key, "--out", asked.scratch / f"{key}.png")
            same = done.returncode == 0 and "identical" in done.stdout
            findings.check(f"reproduce {key}", same, "" if same else (done.stdout + done.stderr)[-200:])


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run a command of synthgen's to its end."""
    words = [sys.executable, "-m", "synthgen", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def fault(done: subprocess.CompletedProcess[str]) -> str:
    """The end of what a command said, where it did not end well."""
    return done.stderr[-200:] if done.returncode else ""


def _begin(*arguments: object) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "synthgen", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _shards(root: Path, process: subprocess.Popen[bytes]) -> int:
    """Kill a run once its first work shard is there; returns how many there are."""
    while process.poll() is None and not any(root.glob("text/*.json")):
        time.sleep(0.01)
    if process.poll() is None:
        os.kill(process.pid, signal.SIGKILL)
    process.wait()
    return len(list(root.glob("text/*.tar")))


def _tars(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(root.glob("text/*.tar"))}


def _keys(root: Path) -> list[str]:
    import tarfile

    names = []
    for path in sorted(root.glob("text/*.tar")):
        with tarfile.open(path) as tar:
            names += [Path(name).stem for name in tar.getnames() if name.endswith(".png")]
    return names

"""What a run on Ray survives: actors, nodes and drivers that are killed, and nodes that come; on three local nodes.

Each fault meets a run that is being made, on a cluster of its own (:class:`ray.cluster_utils.Cluster`, a head that does
no work and three nodes), and what comes of it is compared with the tars of one process.

    python benchmarks/ray_cluster.py
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

MANIFEST = {
    "name": "ray", "seed": 1, "model": "phantom", "prompts": "sagers2023",
    "labels": {"melanoma": "melanoma", "psoriasis": "psoriasis"},
    "skin_tones": {"scale": "fitzpatrick", "values": [1, 2, 3, 4, 5, 6]},
    "generate": [
        {"strategy": "fake", "per_cell": 8, "settings": {"height": 32, "width": 32, "seconds": 0.5}}
    ],
    "output": {"shard_samples": 4},
}  # fmt: skip
NODES = 3
BEGUN = 3  # receipts that there are when a fault comes
LIMIT = 600.0  # seconds until a run counts as hanging


@dataclass
class Scene:
    """A cluster and a run that is being made on it.

    Attributes:
        cluster: The cluster.
        nodes: Its nodes but the head.
        manifest: The manifest.
        out: The run's folder.
        driver: The command.
        deaths: How often the driver was killed.
    """

    cluster: Any
    nodes: list[Any]
    manifest: Path
    out: Path
    driver: subprocess.Popen[str] = field(init=False)
    deaths: int = 0

    def start(self) -> None:
        """Start the command."""
        command = ["generate", self.manifest, "--out", self.out, "--runner", "ray", "--workers", str(NODES)]
        self.driver = subprocess.Popen(
            [sys.executable, "-m", "synthgen", *command],
            env=os.environ | {"RAY_ADDRESS": self.cluster.address},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def receipts(self) -> int:
        """How many shards are done."""
        return len([path for path in self.out.glob("*/*.json") if path.name[0].isdigit()])

    def wait(self, receipts: int) -> None:
        """Wait until so many shards are done, or the command has ended."""
        while self.receipts() < receipts and self.driver.poll() is None:
            time.sleep(0.1)


def nothing(_: Scene) -> None:
    """Let it be."""


def kill_actor(_: Scene) -> None:
    """Kill a process that makes shards."""
    actors = [one for one in psutil.process_iter(["cmdline"]) if _is_actor(one)]
    actors[0].kill()


def kill_node(scene: Scene) -> None:
    """Kill the node of an actor with all its processes, as a machine that goes away does."""
    homes = {one.ppid() for one in psutil.process_iter(["cmdline"]) if _is_actor(one)}
    node = next(node for node in scene.nodes if homes & {one.pid for one in _processes(node)})
    scene.cluster.remove_node(node, allow_graceful=False)


def add_node(scene: Scene) -> None:
    """Take a node away and give another."""
    kill_node(scene)
    scene.nodes.append(scene.cluster.add_node(num_cpus=1))


def kill_driver(scene: Scene) -> None:
    """Kill the command and start it again on the same cluster."""
    scene.driver.kill()
    scene.driver.wait()
    scene.deaths += 1
    scene.start()


FAULTS: dict[str, Callable[[Scene], None]] = {
    "nothing": nothing,
    "an actor killed": kill_actor,
    "a node killed": kill_node,
    "a node killed, another added": add_node,
    "the driver killed, started again": kill_driver,
}


def _is_actor(process: psutil.Process) -> bool:
    return any(part.startswith("ray::_Actor") for part in process.info["cmdline"] or ())


def _processes(node: Any) -> Iterator[psutil.Process]:
    for group in node.all_processes.values():
        for one in group:
            yield psutil.Process(one.process.pid)


@contextmanager
def cluster() -> Iterator[tuple[Any, list[Any]]]:
    """A head that does no work, and three nodes of a core each."""
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    try:
        nodes = [found.add_node(num_cpus=1) for _ in range(NODES)]
        found.wait_for_nodes()
        yield found, nodes
    finally:
        found.shutdown()


def tars(root: Path) -> dict[str, str]:
    """The sha256 of every tar of a run, by its path."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.tar"))
    }


def main() -> None:
    """Try each fault, and print a row of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(FAULTS), action="append", help="try this one")
    only = parser.parse_args().only or list(FAULTS)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        manifest = home / "ray.yaml"
        manifest.write_text(yaml.safe_dump(MANIFEST, sort_keys=False))
        alone = [sys.executable, "-m", "synthgen", "generate", str(manifest), "--out", str(home / "alone"), "--quiet"]
        subprocess.run(alone, check=True)
        expected = tars(home / "alone")
        print("| what happens | shards before it | exit code | tars that differ | seconds |")
        print("|---|---:|---:|---:|---:|")
        for number, name in enumerate(only):
            began = time.monotonic()
            with cluster() as (found, nodes):
                scene = Scene(found, nodes, manifest, home / f"run-{number}")
                scene.start()
                scene.wait(BEGUN)
                before = scene.receipts()
                FAULTS[name](scene)
                try:
                    said, _ = scene.driver.communicate(timeout=LIMIT)
                except subprocess.TimeoutExpired:
                    scene.driver.kill()
                    said, _ = scene.driver.communicate()
                made = tars(scene.out)
            differ = sum(made.get(path) != digest for path, digest in expected.items()) + len(made.keys() - expected)
            seconds = time.monotonic() - began
            print(f"| {name} | {before} of {len(expected)} | {scene.driver.returncode} | {differ} | {seconds:.0f} |")
            if scene.driver.returncode or differ:
                print(said[-2000:], file=sys.stderr)


if __name__ == "__main__":
    main()

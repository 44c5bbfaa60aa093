"""What a run's prompts cost before its first image: CPU seconds, and memory beyond the loaded model's.

A plan of as many samples as are asked for, by the bundled model, with two sets of prompts: the shipped ones, of which
there are some hundreds, and one whose attributes make millions, which is too many to keep. Each is opened in a process
of its own by what a worker opens it with, and then again, as the next worker does. Run with
``python benchmarks/distinct_prompts.py --samples 1000000``.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MANIFEST = """\
name: prompts
seed: 1
labels: {{psoriasis: psoriasis, melanoma: melanoma, vitiligo: vitiligo}}
skin_tones: {{scale: fitzpatrick, values: [1, 2, 3, 4, 5, 6]}}
generate:
  - {{name: text, strategy: text2img, total: {samples}, settings: {{num_inference_steps: 2}}}}
prompts: {prompts}
"""
MANY = """\
templates: ["{label} on {skin_tone} skin, %s"]
attributes:
%s
"""
WAYS = {"few": "dermatology", "many": "many.yaml"}


def opened(folder: Path, way: str, samples: int) -> dict[str, float]:
    """Open a run as a worker does; returns what the prompts took."""
    from synthgen.core.devices import DeviceRequest
    from synthgen.diffusion import pipelines, strategies
    from synthgen.extensions import EXTENSIONS
    from synthgen.generate.run_prompts import run_prompts
    from synthgen.runs import load_plan

    path = folder / f"{way}.manifest.yaml"
    path.write_text(MANIFEST.format(samples=samples, prompts=WAYS[way]), encoding="utf-8")
    names = [f"a{number}" for number in range(6)]
    choices = "\n".join(f"  {name}: [{', '.join(f'{name}{value}' for value in range(16))}]" for name in names)
    (folder / "many.yaml").write_text(MANY % (" ".join(f"{{{name}}}" for name in names), choices), encoding="utf-8")
    root = folder / way
    plan = load_plan.read(path, EXTENSIONS, root)
    recipe = plan.entries["text"].recipe
    environment = strategies.environment(recipe, DeviceRequest("cpu", "fp32", batch_size=1), 48)
    pipeline = pipelines.load("text2img", recipe, environment)
    with pipeline.embeddings.encoders():  # read them now: what is counted is what follows
        pass
    before, began = peak(), time.process_time()
    with pipelines.prompts_of(run_prompts(plan, root, recipe)):
        pipelines.load("text2img", recipe, environment)
    return {
        "seconds": time.process_time() - began,
        "MiB": (peak() - before) / 1024,
        "encoded": len(pipeline.embeddings.encoded),
    }


def peak() -> int:
    """The greatest memory that this process has taken so far, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print a row a set of prompts and worker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--open", nargs=2, metavar=("FOLDER", "WAY"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.open:
        print(json.dumps(opened(Path(asked.open[0]), asked.open[1], asked.samples)))
        return
    print("| prompts | worker | CPU seconds | MiB more | encoded before the first image |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for way in WAYS:
            for worker in ("first", "next"):
                command = [sys.executable, __file__, "--samples", str(asked.samples), "--open", folder, way]
                output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
                took = json.loads(output.splitlines()[-1])
                print(f"| {way} | {worker} | {took['seconds']:.1f} | {took['MiB']:.0f} | {took['encoded']:,} |")


if __name__ == "__main__":
    main()

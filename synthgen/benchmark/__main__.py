"""One step of the benchmark in this process: ``python -m synthgen.benchmark STEP DEVICE``; prints one line of JSON."""

import argparse
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the step that is named; what it has found so far lies in its scratch folder, and is printed at the end."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is imported, which reads it once
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from functools import partial

    from synthgen.benchmark.findings import SO_FAR, Findings
    from synthgen.benchmark.steps import STEPS
    from synthgen.benchmark.workload import Asked
    from synthgen.core import atomic

    parser = argparse.ArgumentParser(prog="python -m synthgen.benchmark")
    parser.add_argument("step", choices=[step.name for step in STEPS], metavar="STEP")
    parser.add_argument("device", choices=["cpu", "cuda", "mps"])
    parser.add_argument("--digest", metavar="MODEL", help="Print the digest of one batch of a model instead.")
    parser.add_argument("--reduced", action="store_true")
    parser.add_argument("--scratch", type=Path, default=Path())
    parser.add_argument("--seconds", type=float, default=600.0)
    given = parser.parse_args()
    asked = Asked(given.device, given.reduced, given.scratch, given.seconds)
    if given.digest:
        from synthgen.benchmark.steps import determinism

        sys.stdout.write(determinism.digest(given.digest, asked) + "\n")
        return
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what libraries print is not ours
    (step,) = (one for one in STEPS if one.name == given.step)
    findings = Findings(step.name, partial(atomic.write, asked.scratch / SO_FAR))
    step.load()(findings, asked)
    out.write(findings.line() + "\n")
    out.close()


if __name__ == "__main__":
    main()

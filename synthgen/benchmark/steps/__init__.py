"""The steps of the benchmark, each a module with ``run(findings, asked)``, in the order of what they are worth."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        letter: What it is called in short.
        name: Its module here.
        title: What it asks, for people.
        seconds: How long it may take.
    """

    letter: str
    name: str
    title: str
    seconds: float

    def load(self) -> Callable[[Findings, Asked], None]:
        """Its function, imported now: each step imports what it needs in a process of its own."""
        run: Callable[[Findings, Asked], None] = import_module(f"{__name__}.{self.name}").run
        return run


STEPS = (
    Step("A", "machine", "what the machine is", 30),
    Step("B", "correctness", "each dtype and attention draws the CPU's picture", 75),
    Step("C", "determinism", "the same bytes again", 120),
    Step("D", "memory", "what models take, against what plan says", 90),
    Step("E", "throughput", "images a second, and where the time goes", 150),
    Step("F", "levers", "what each way to be faster gains", 120),
    Step("G", "nonfinite", "NaN is made again", 60),
    Step("H", "out_of_memory", "a batch too large is halved", 60),
    Step("I", "resume", "a killed run comes out the same", 120),
    Step("J", "finetune", "a step of fine-tuning", 75),
    Step("K", "learners", "classifiers and features", 60),
    Step("L", "processes", "several processes at once", 120),
    Step("M", "sustained", "as fast after a while", 60),
)

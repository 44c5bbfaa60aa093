"""What a device does with real architectures, in steps of a process each: ``synthgen doctor --benchmark``."""

from synthgen.benchmark.report import failed, line, summary, write
from synthgen.benchmark.runner import StepCommand, StepResult, commands, run

__all__ = ["StepCommand", "StepResult", "commands", "failed", "line", "run", "summary", "write"]

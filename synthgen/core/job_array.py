"""Which part of the work is this process's, by what SLURM and torchrun say of it.

Not accelerate's ``PartialState`` or torch's ``torch.distributed``: both have the processes find each other, and wait
for all of them, which work that is shared out by numbers does not need.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from synthgen.core import digits


@dataclass(frozen=True, slots=True)
class JobPart:
    """One of several processes that a scheduler has started for the same work.

    Attributes:
        part: Which one, from 0.
        parts: How many there are.
        said_by: The variables that say so.
        local_rank: Which one of its machine it is, where it has to choose a GPU by itself; ``None`` elsewhere.
    """

    part: int
    parts: int
    said_by: tuple[str, ...]
    local_rank: int | None = None


def of_environment(environment: Mapping[str, str]) -> JobPart | None:
    """The part of this process; ``None`` where nothing says that there are several.

    A SLURM array counts from its smallest number in its own steps, whatever these are; tasks of an array that are
    themselves spread by ``srun`` or torchrun are parts of their part. Of ``srun`` only its own step's variables count:
    a batch script, which is a single process, has SLURM_NTASKS as well.
    """
    levels = [one for one in (_slurm_array(environment), _torchrun(environment) or _slurm_step(environment)) if one]
    part, parts, said = 0, 1, list[str]()
    for number, count, variable in levels:
        part, parts = part * count + number, parts * count
        said.append(variable)
    if parts == 1:
        return None
    torchrun = _torchrun(environment)
    return JobPart(part, parts, tuple(said), _number(environment, "LOCAL_RANK") if torchrun else None)


def has_gaps(environment: Mapping[str, str]) -> bool:
    """Whether this is a task of a SLURM array whose numbers have gaps, as of ``--array=1,5,7``, and so is no part."""
    return _number(environment, "SLURM_ARRAY_TASK_ID") is not None and _slurm_array(environment) is None


def _slurm_array(environment: Mapping[str, str]) -> tuple[int, int, str] | None:
    names = ("ID", "MIN", "MAX", "COUNT")
    task, first, last, count = (_number(environment, f"SLURM_ARRAY_TASK_{name}") for name in names)
    step = _number(environment, "SLURM_ARRAY_TASK_STEP") or 1
    if task is None or first is None or last is None or (last - first) // step + 1 != count:
        return None  # numbers with gaps, as of `--array=1,5,7`, do not say which one of them this is
    return (task - first) // step, count, "SLURM_ARRAY_TASK_ID"


def _slurm_step(environment: Mapping[str, str]) -> tuple[int, int, str] | None:
    return _ranked(environment, "SLURM_PROCID", "SLURM_STEP_NUM_TASKS")


def _torchrun(environment: Mapping[str, str]) -> tuple[int, int, str] | None:
    return _ranked(environment, "RANK", "WORLD_SIZE") if "LOCAL_RANK" in environment else None


def _ranked(environment: Mapping[str, str], rank: str, size: str) -> tuple[int, int, str] | None:
    number, count = _number(environment, rank), _number(environment, size)
    return (number, count, rank) if number is not None and count is not None and number < count > 1 else None


def _number(environment: Mapping[str, str], name: str) -> int | None:
    return digits.whole(environment.get(name, ""))

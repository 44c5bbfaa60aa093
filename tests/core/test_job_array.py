"""A process of a SLURM array, of srun or of torchrun knows which part of the work is its own."""

import pytest

from synthgen.core import job_array

ARRAY = {
    "SLURM_ARRAY_TASK_ID": "7",
    "SLURM_ARRAY_TASK_MIN": "1",
    "SLURM_ARRAY_TASK_MAX": "15",
    "SLURM_ARRAY_TASK_STEP": "2",
    "SLURM_ARRAY_TASK_COUNT": "8",
}
STEP = {"SLURM_PROCID": "3", "SLURM_STEP_NUM_TASKS": "4"}
TORCHRUN = {"RANK": "9", "WORLD_SIZE": "16", "LOCAL_RANK": "1"}


def test_an_array_with_gaps_is_told_from_none() -> None:
    """Only a task of one is said to have no part; its number alone has none either."""
    gaps = ARRAY | {"SLURM_ARRAY_TASK_COUNT": "3"}
    found = [job_array.has_gaps(one) for one in ({}, STEP, ARRAY, gaps, {"SLURM_ARRAY_TASK_ID": "7"})]
    assert found == [False, False, False, True, True]


@pytest.mark.parametrize(
    ("environment", "part"),
    [
        ({}, None),
        (ARRAY, (3, 8, None)),
        (ARRAY | {"SLURM_ARRAY_TASK_COUNT": "3"}, None),  # --array=1,5,7: nobody knows which of them 7 is
        (STEP, (3, 4, None)),
        (ARRAY | STEP, (15, 32, None)),
        (TORCHRUN, (9, 16, 1)),
        (TORCHRUN | STEP, (9, 16, 1)),  # torchrun started by srun counts all of its processes
        ({"SLURM_PROCID": "0", "SLURM_NTASKS": "8"}, None),  # a batch script is one process
        ({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}, None),
        ({"RANK": "gold", "WORLD_SIZE": "2", "LOCAL_RANK": "0"}, None),
    ],
)
def test_the_part_of_a_process(environment: dict[str, str], part: tuple[int, int, int | None] | None) -> None:
    """The number from 0, of how many, and on which place of its machine where it must choose a GPU."""
    found = job_array.of_environment(environment)
    assert (found and (found.part, found.parts, found.local_rank)) == part

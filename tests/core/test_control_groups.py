"""A container's share of the processors counts, by either version of control groups."""

from pathlib import Path

import pytest

from synthgen.core import control_groups, devices


@pytest.mark.parametrize(
    ("own", "files", "share"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
        ("0::/a/b\n", {"a/b/cpu.max": "400000 100000\n", "a/cpu.max": "200000 100000\n"}, 2),
        ("0::/../../x\n", {"cpu.max": "100000 100000\n"}, 1),  # seen from within a container
        (
            "4:cpu,cpuacct:/d\n3:cpuset:/d\n",
            {"cpu,cpuacct/cpu.cfs_quota_us": "50000", "cpu,cpuacct/cpu.cfs_period_us": "100000"},
            0.5,
        ),
        ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("4:memory:/\n", {"memory/cpu.max": "100000 100000"}, None),
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "garbage"}, None),
        (None, {"cpu.max": "100000 100000"}, None),
    ],
)
def test_the_smallest_share_counts(own: str | None, files: dict[str, str], share: float | None, tmp_path: Path) -> None:
    """Of the groups that a process is in and of those above; none where nothing is set, or can be read."""
    for name, content in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(content)
    if own is not None:
        (tmp_path / "own").write_text(own)
    assert control_groups.cpus(tmp_path / "groups", tmp_path / "own") == share


@pytest.mark.parametrize(("share", "cores"), [(None, 8), (2.5, 2), (0.3, 1), (16, 8), (1.999, 2)])
def test_cores_are_those_that_may_be_kept_busy(
    share: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than the process is bound to, and at least one."""
    monkeypatch.setattr(control_groups, "cpus", lambda: share)
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert devices.cores() == cores

"""What the machine is: the device, its memory and libraries, and who else uses it."""

import platform
import shutil
import subprocess
from importlib.util import find_spec

from synthgen.benchmark.findings import Findings
from synthgen.benchmark.workload import Asked
from synthgen.core import devices


def run(findings: Findings, asked: Asked) -> None:
    """Name the device and the versions; warn of what makes figures doubtful."""
    import torch

    device = devices.describe(asked.device)
    findings.figure("device", f"{device.kind} ({device.name})")
    findings.figure("free memory", device.free_memory / 2**30, "GiB")
    findings.figure("platform", f"{platform.system()} {platform.machine()}, Python {platform.python_version()}")
    for package, number in devices.versions().items():
        findings.figure(package, number)
    findings.figure("attention packages", ", ".join(
        name for name in ("xformers", "flash_attn_3", "flash_attn") if find_spec(name)
    ) or "none")  # fmt: skip
    findings.figure("threads", device.threads)
    findings.check("torch finds the device", device.kind == asked.device, device.kind)
    if asked.device != "cuda":
        return
    properties = torch.cuda.get_device_properties(0)
    findings.figure("memory", properties.total_memory / 2**30, "GiB")
    findings.figure("compute capability", f"{properties.major}.{properties.minor}")
    findings.figure("CUDA", str(torch.version.cuda))
    findings.figure("cuDNN", str(torch.backends.cudnn.version()))  # type: ignore[no-untyped-call]
    findings.check("bf16 in hardware", device.bf16, "emulated" if not device.bf16 else "", otherwise="warn")
    _ask_nvidia_smi(findings)


def _ask_nvidia_smi(findings: Findings) -> None:
    """The driver, the power limit, and whether somebody else is on the card."""
    if shutil.which("nvidia-smi") is None:
        findings.skip("nvidia-smi", "not installed")
        return
    asked = ["driver_version", "power.limit", "ecc.mode.current", "mig.mode.current"]
    first = _query(f"--query-gpu={','.join(asked)}")
    for name, value in zip(asked, first[0].split(", ") if first else [], strict=False):
        findings.figure(name, value)
    others = _query("--query-compute-apps=pid,used_memory")
    findings.check("alone on the card", not others, f"other processes: {'; '.join(others)}", otherwise="warn")


def _query(what: str) -> list[str]:
    command = ["nvidia-smi", what, "--format=csv,noheader", "--id=0"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in said.stdout.splitlines() if line.strip()] if said.returncode == 0 else []

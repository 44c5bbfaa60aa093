"""Where and how to compute: a device described, and pure decisions taken from the description.

Only :func:`available`, :func:`describe` and :func:`gpus` import torch, so decisions are tested on described devices.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, cast

from synthgen.core import control_groups
from synthgen.core.releases import __version__
from synthgen.errors import Fault, InputError, UnavailableError, counted

DType = Literal["float32", "bfloat16", "float16"]
Attention = Literal["sdpa", "cudnn", "flash-3", "xformers", "none"]

DEVICES = ("auto", "cpu", "cuda", "mps")
MEMORY = ("fit", "offload", "fp8")
ATTENTION = ("auto", "sdpa", "cudnn", "flash-3", "xformers")
_ATTENTION_PACKAGES = {"flash-3": "flash_attn_3", "xformers": "xformers"}
DTYPES: dict[str, DType] = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
PACKAGES = ("synthgen", "torch", "diffusers", "transformers", "numpy", "pillow")
MODEL_PACKAGES = ("accelerate", "safetensors", "tokenizers")
"""What reads a model's weights and a prompt's tokens beside them."""
CUDA_FLAGS = {
    "cudnn.benchmark": False,
    "cudnn.deterministic": True,
    "cudnn.allow_tf32": True,
    "cuda.matmul.allow_tf32": False,
    "cuda.matmul.allow_fp16_reduced_precision_reduction": True,
    "cuda.matmul.allow_bf16_reduced_precision_reduction": True,
}
"""torch's switches that choose CUDA's kernels, below ``torch.backends``, as a new run sets and pins them."""
_OLD_CUDA_FLAGS = CUDA_FLAGS | {"cudnn.deterministic": False}  # torch's own defaults, by which earlier runs began

_LATER = (
    "variant",
    "fused",
    "parts",
    "redo_batch_size",
    "flags",
    "proof",
    "memory",
)  # not written where it says nothing, as runs that began before have it
_CPU_BATCH_PIXELS = 48 * 64 * 64
_GPU_BYTES_PER_PIXEL = 2048
_GPU_MAX_BATCH = 128
_DRIVERS = ("/dev/nvidiactl", "/dev/nvhost-ctrl", "/dev/dxg", "/dev/kfd")  # NVIDIA's, Jetson's, Windows', AMD's


@dataclass(frozen=True, slots=True)
class Device:
    """What matters of a device.

    Attributes:
        kind: torch's device type: ``cpu``, ``cuda`` or ``mps``.
        name: Its model, and on a CPU the instruction set that torch's kernels use.
        free_memory: Bytes that can be allocated now.
        bf16: Whether it computes in bfloat16 at speed.
        threads: Threads that torch uses on the CPU.
        xformers: Whether xformers is installed beside it.
        flash_3: Whether FlashAttention 3 is, the package ``flash_attn_3``.
        libraries: The versions of ``cuda`` and ``cudnn`` that torch computes by there; empty elsewhere.
    """

    kind: str
    name: str
    free_memory: int
    bf16: bool
    threads: int
    xformers: bool
    flash_3: bool = False
    libraries: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """What the user asked for; ``auto`` and ``None`` leave it to :func:`decide`.

    Attributes:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``; ``cuda:1`` for one of several GPUs, which is ``cuda`` once the
            others are hidden.
        dtype: ``auto``, ``fp16``, ``bf16`` or ``fp32``, or torch's own names of these.
        attention: ``auto``, ``sdpa``, ``cudnn``, ``flash-3`` or ``xformers``.
        batch_size: Images denoised together.
        memory: ``fit``, ``offload`` or ``fp8``; ``None`` for what a run pins, else ``fit``.
        pinned: Whether it repeats what a run pins, which is what a strategy of one's own may call anything.

    Raises:
        InputError: There is nothing of that name; one line for each.
    """

    device: str = "auto"
    dtype: str = "auto"
    attention: str = "auto"
    batch_size: int | None = None
    memory: str | None = None
    pinned: bool = field(default=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.pinned:
            return
        object.__setattr__(self, "device", alone(self.device))
        known = {"device": DEVICES, "dtype": ("auto", *DTYPES), "attention": ATTENTION}
        if self.memory is not None:
            known["memory"] = MEMORY
        faults = [
            Fault(f"{name} {value!r}: there is none of that name; there are: {', '.join(names)}", path=name)
            for name, names in known.items()
            if (value := getattr(self, name)) not in (*names, *(DTYPES.values() if name == "dtype" else ()))
        ]
        try:
            counted("batch_size", self.batch_size)
        except InputError as error:
            faults += error.faults
        if faults:
            raise InputError(*faults)
        if self.batch_size is not None:
            object.__setattr__(self, "batch_size", int(self.batch_size))  # a numpy integer can't be pinned


@dataclass(frozen=True, slots=True)
class Environment:
    """Everything beside the plan that touches the bytes of an image; pinned by a run.

    Attributes:
        device: torch's device type.
        device_name: Its model. Another one of the same type changes last bits, so it is told, not refused.
        dtype: The dtype of weights and arithmetic.
        attention: The attention backend.
        batch_size: Images denoised together; the last batch of a shard is padded to it.
        threads: Threads that torch uses on the CPU.
        model_revision: The commit or fingerprint of the model that was loaded.
        versions: The versions of the packages that compute or encode.
        adapters: The sha256 of the weights of every adapter that is loaded, by what records call it.
        variant: Which of a repository's weights are loaded: its plain ones, or those stored in half precision.
        fused: Whether a LoRA is added to the model's own weights once, and not computed beside them in every pass.
        parts: The commit or sha256 of what else is loaded, by the manifest's key: ``accelerate``, ``vae``,
            ``controlnet``.
        redo_batch_size: How many images that came out as NaN are made again together, each by itself in the first of
            several precisions that gives finite values; 0 for a whole batch in fp32.
        flags: torch's switches on CUDA, by their names below ``torch.backends``; empty for torch's defaults.
        memory: How the denoiser is held: ``offload`` in the computer's memory, ``fp8`` with its weights in
            float8_e4m3fn, which makes other bytes; empty for all of it on the device.
        proof: What a pipeline class of no named family showed of itself when it was loaded first: its name, and how far
            images are from themselves beside others. Empty for the families that are named.
    """

    device: str
    device_name: str
    dtype: str
    attention: str
    batch_size: int
    threads: int
    model_revision: str
    versions: dict[str, str]
    adapters: dict[str, str] = field(default_factory=dict)
    variant: Literal["", "fp16"] = ""
    fused: bool = False
    parts: dict[str, str] = field(default_factory=dict)
    redo_batch_size: int = 0
    flags: dict[str, bool] = field(default_factory=dict)
    memory: Literal["", "offload", "fp8"] = ""
    proof: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON; what runs had before there was another choice is not written."""
        return {name: value for name, value in asdict(self).items() if value or name not in _LATER}


def decide(
    device: Device,
    request: DeviceRequest,
    *,
    pixels: int,
    shard_samples: int,
    model_revision: str,
    stored_dtype: str = "",
    packages: tuple[str, ...] = (),
) -> Environment:
    """Choose dtype, attention backend and batch size for a device; pure.

    On CUDA fp16, or bf16 where the weights are stored so: a model that was trained in bf16 may give NaN in fp16. bf16
    on a CPU that has it in hardware; fp32 otherwise. PyTorch's scaled_dot_product_attention (itself memory-efficient)
    unless cuDNN's, FlashAttention 3 or xformers is asked for.

    Args:
        device: The device.
        request: What the user asked for.
        pixels: Height times width of an image.
        shard_samples: Images in a work shard, which a batch that is left to us never exceeds.
        model_revision: The commit or fingerprint of the model.
        stored_dtype: What the denoiser's weights are stored in, as safetensors write it; empty where it is not known.
        packages: Packages whose versions decide bytes beside those that always do.

    Raises:
        UnavailableError: A request can't be had on this device; it is never quietly replaced.
    """
    dtype = choose_dtype(device, request.dtype, stored_dtype)
    attention = _attention(device, request.attention, dtype)
    own = [package] if (package := _ATTENTION_PACKAGES.get(attention)) else []
    return Environment(
        device=device.kind,
        device_name=device.name,
        dtype=dtype,
        attention=attention,
        batch_size=request.batch_size or auto_batch_size(device, pixels, shard_samples),
        threads=device.threads,
        model_revision=model_revision,
        versions=versions() | {name: _installed(name) for name in (*packages, *own)} | dict(device.libraries),
        flags=dict(CUDA_FLAGS) if device.kind == "cuda" else {},
        memory=_memory(device, request.memory),
    )


def auto_batch_size(device: Device, pixels: int, shard_samples: int) -> int:
    """A batch that fits the device and cuts a shard into equal parts, so little of the last is padding.

    On a CPU throughput is flat above 48 images of 64 x 64, and memory is not; on a GPU about 2 KiB of activations a
    pixel are allowed for (Stable Diffusion at 512 x 512 in fp16 with guidance: half a GiB an image), within 80 % of
    what is free. An allowance too large is halved when memory runs out.
    """
    if device.kind == "cpu":
        most = max(1, _CPU_BATCH_PIXELS // pixels)
    else:
        most = int(device.free_memory * 0.8) // (pixels * _GPU_BYTES_PER_PIXEL)
        most = min(max(1, most), _GPU_MAX_BATCH)
    batches = -(-shard_samples // most)
    return -(-shard_samples // batches)


def channels_last(device_kind: str) -> bool:
    """Whether a UNet runs with channels last: Tensor Cores want it, a CPU is slower for it.

    ``benchmarks/choices.py`` measures it. Pure, so a pinned device pins it as well.
    """
    return device_kind == "cuda"


def measures_batch(device_kind: str) -> bool:
    """Whether a batch that is left to us is decided by what a loaded model takes there, and not by rule."""
    return device_kind == "cuda"


def set_flags(flags: Mapping[str, bool]) -> None:
    """Set torch's switches on CUDA as an environment pins them, whatever they were set to before.

    Args:
        flags: By their names below ``torch.backends``; empty for torch's own defaults.
    """
    import torch

    for name, value in (flags or _OLD_CUDA_FLAGS).items():
        *where, last = name.split(".")
        holder: Any = torch.backends
        for part in where:
            holder = getattr(holder, part)
        setattr(holder, last, value)


@contextmanager
def deterministic(kind: str) -> Iterator[None]:
    """Have CUDA compute by kernels that give the same bits each time meanwhile, backward passes as well.

    An operation that PyTorch has no such kernel for warns once and is computed all the same. On a CPU they all are.

    Args:
        kind: torch's device type.
    """
    if not kind.startswith("cuda"):
        yield
        return
    import torch

    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # asked for by cuBLAS below CUDA 12.8
    cudnn = torch.backends.cudnn
    asked = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    before = cudnn.deterministic, cudnn.benchmark
    torch.use_deterministic_algorithms(True, warn_only=True)
    cudnn.deterministic, cudnn.benchmark = True, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(asked[0], warn_only=asked[1])
        cudnn.deterministic, cudnn.benchmark = before


def versions() -> dict[str, str]:
    """The versions of the packages that compute or encode images, of synthgen the one that runs."""
    return {package: __version__ if package == "synthgen" else _installed(package) for package in PACKAGES}


def _installed(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def available() -> list[str]:
    """The device types of torch that there are here, the best first: CUDA, then Apple's MPS, then the CPU."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    return [kind for kind, found in there.items() if found]


def cores() -> int:
    """Processor cores that this process may use: those that it is bound to, or its container's share."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    share = control_groups.cpus()
    return bound if share is None else max(1, min(bound, int(share + 0.01)))


def gpus() -> list[str]:
    """What ``CUDA_VISIBLE_DEVICES`` calls each GPU that this process may use; asks torch only where there is a driver.

    Drivers' own files tell whether there is one, since nvidia-ml-py knows NVIDIA's alone, and torch takes seconds to
    import.
    """
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [one.strip() for one in visible.split(",") if one.strip() not in ("", "-1", "NoDevFiles")]
    if sys.platform == "darwin" or (os.name == "posix" and not any(map(os.path.exists, _DRIVERS))):
        return []
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]


_kept: dict[str, str] = {}  # the GPU of several that this process is kept to, as asked for, and what CUDA calls it


def alone(device: str) -> str:
    """The type that torch has of a device; of ``cuda:1`` other GPUs are hidden from this process and those it starts.

    By ``CUDA_VISIBLE_DEVICES``, as a scheduler hides those of others, so a run pins ``cuda`` and goes on with any.

    Raises:
        UnavailableError: There is no such GPU, or this process has begun to use another.
    """
    kind, _, number = device.partition(":")
    if kind != "cuda" or not number.isdecimal():
        return device
    if os.environ.get("CUDA_VISIBLE_DEVICES") in _kept.values():
        if device in _kept:
            return kind
        raise UnavailableError(f"--device {device}: this process is kept to {next(iter(_kept))}; start another for it")
    there = gpus()
    if int(number) >= len(there):
        said = (
            f"there are cuda:0 to cuda:{len(there) - 1}" if len(there) > 1 else "there is cuda:0" if there else "none"
        )
        raise UnavailableError(f"--device {device}: there is no such GPU here; of CUDA's {said}")
    if len(there) > 1:
        os.environ["CUDA_VISIBLE_DEVICES"], before = there[int(number)], os.environ.get("CUDA_VISIBLE_DEVICES")
        if _sees_more_than_one():
            if before is None:
                del os.environ["CUDA_VISIBLE_DEVICES"]
            else:
                os.environ["CUDA_VISIBLE_DEVICES"] = before
            raise UnavailableError(
                f"--device {device}: this process has begun to use CUDA, and can't be kept to one GPU any more; say it "
                f"first, or set CUDA_VISIBLE_DEVICES={there[int(number)]}"
            )
        _kept.clear()
        _kept[device] = there[int(number)]
    return kind


def _sees_more_than_one() -> bool:
    """Whether CUDA has begun in this process, and reads no more which GPUs are hidden."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    count = getattr(torch._C, "_cuda_getDeviceCount", None)
    return torch.cuda.is_initialized() or (count is not None and count() > 1)


def describe(request: str = "auto") -> Device:
    """The device that was asked for, described, or the best there is: CUDA, then Apple's MPS, then the CPU.

    Raises:
        UnavailableError: torch finds no such device.
    """
    import gc
    from importlib.util import find_spec

    import psutil

    # Threads that spin while they wait, even briefly, are faster on an idle machine, and stall each other for whole
    # time slices once another program wants a core (benchmarks/choices.py); so they sleep, unless the user has said
    # otherwise. OpenMP reads it when torch is imported; no bit depends on it.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    import torch

    request = alone(request)  # before CUDA is asked anything, after which none can be hidden
    there = available()
    kind = there[0] if request == "auto" else request
    if kind not in there:
        raise UnavailableError(f"--device {kind}: torch finds none here; there are: {', '.join(there)}")
    threads = torch.get_num_threads()
    xformers, flash_3 = (find_spec(package) is not None for package in ("xformers", "flash_attn_3"))
    if kind == "cuda":
        gc.collect()
        torch.cuda.empty_cache()  # what earlier work of this process left over is free as well
        free, _ = torch.cuda.mem_get_info()
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        cudnn = torch.backends.cudnn.version()  # type: ignore[no-untyped-call]
        libraries = {"cuda": str(torch.version.cuda), "cudnn": str(cudnn)}
        return Device(kind, torch.cuda.get_device_name(), free, bf16, threads, xformers, flash_3, libraries)
    free = psutil.virtual_memory().available
    capability = torch.backends.cpu.get_cpu_capability()
    flags = _cpu_flags() if os.name == "posix" else ""
    bf16 = "avx512_bf16" in flags or "amx_bf16" in flags
    name = f"cpu {capability}" if kind == "cpu" else kind
    return Device(kind, name, free, bf16, threads, xformers, flash_3)


def _cpu_flags() -> str:
    from pathlib import Path

    try:
        return Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def choose_dtype(device: Device, request: str, stored_dtype: str = "") -> DType:
    """The dtype that a device computes in, as of :func:`decide`.

    Raises:
        UnavailableError: It can't be had there.
    """
    if request == "auto":
        if device.kind == "cuda":
            return "bfloat16" if stored_dtype == "BF16" and device.bf16 else "float16"
        return "bfloat16" if device.kind == "cpu" and device.bf16 else "float32"
    dtype = DTYPES[request] if request in DTYPES else cast(DType, request)
    if dtype == "float16" and device.kind == "cpu":
        raise UnavailableError("--dtype fp16: a CPU has no fast fp16 arithmetic; use bf16, fp32 or auto")
    return dtype


def _memory(device: Device, request: str | None) -> Literal["", "offload", "fp8"]:
    if request in (None, "fit"):
        return ""
    if request == "offload" and device.kind != "cuda":
        raise UnavailableError(
            f"--memory offload: keeps weights beside a CUDA device's memory, this is {device.kind}; leave it out"
        )
    if request == "fp8" and device.kind == "mps":
        raise UnavailableError("--memory fp8: torch has no float8 on mps; leave it out")
    return cast(Literal["offload", "fp8"], request)


def _attention(device: Device, request: str, dtype: DType) -> Attention:
    if request in ("auto", "sdpa"):
        return "sdpa"
    attention = cast(Attention, request)
    if device.kind != "cuda":
        raise UnavailableError(
            f"--attention {attention}: needs a CUDA device, this is {device.kind}; leave it out or use sdpa"
        )
    if attention == "xformers" and not device.xformers:
        raise UnavailableError(
            "--attention xformers: xformers is not installed; pip install 'synthgen-images[cuda]' or use sdpa"
        )
    if attention == "flash-3" and not device.flash_3:
        raise UnavailableError(
            "--attention flash-3: FlashAttention 3 (the package flash_attn_3) is not installed; install it or use sdpa"
        )
    if attention in ("cudnn", "flash-3") and dtype == "float32":
        raise UnavailableError(f"--attention {attention}: computes in fp16 and bf16 alone, not in fp32; use sdpa")
    return attention

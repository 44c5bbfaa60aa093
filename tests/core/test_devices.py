"""What to compute with is decided from a described device, and a request is granted or refused, never replaced."""

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthgen.core import devices
from synthgen.core.devices import Device, DeviceRequest, Environment, auto_batch_size, decide
from synthgen.errors import UnavailableError

GIB = 2**30
CPU = Device("cpu", "cpu AVX2", 8 * GIB, bf16=False, threads=2, xformers=False)
CPU_BF16 = replace(CPU, name="cpu AVX512", bf16=True, threads=32)
T4 = Device("cuda", "Tesla T4", 15 * GIB, bf16=False, threads=4, xformers=False)
A100 = Device("cuda", "A100", 79 * GIB, bf16=True, threads=16, xformers=True)
H100 = Device("cuda", "H100", 79 * GIB, bf16=True, threads=16, xformers=True, flash_3=True)
MPS = Device("mps", "mps", 16 * GIB, bf16=False, threads=8, xformers=False)


def environment(
    device: Device, asked: DeviceRequest | None = None, pixels: int = 64 * 64, shard: int = 48
) -> Environment:
    """The decision for a device and a request."""
    return decide(device, asked or DeviceRequest(), pixels=pixels, shard_samples=shard, model_revision="r")


@pytest.mark.parametrize(
    ("device", "asked", "decision"),
    [
        (CPU, DeviceRequest(), ("float32", "sdpa")),
        (CPU_BF16, DeviceRequest(), ("bfloat16", "sdpa")),
        (T4, DeviceRequest(), ("float16", "sdpa")),
        (A100, DeviceRequest(), ("float16", "sdpa")),
        (MPS, DeviceRequest(), ("float32", "sdpa")),
        (CPU, DeviceRequest(dtype="fp32"), ("float32", "sdpa")),
        (CPU, DeviceRequest(dtype="bf16"), ("bfloat16", "sdpa")),
        (CPU_BF16, DeviceRequest(dtype="float32"), ("float32", "sdpa")),
        (A100, DeviceRequest(dtype="bf16"), ("bfloat16", "sdpa")),
        (A100, DeviceRequest(dtype="bfloat16"), ("bfloat16", "sdpa")),
        (T4, DeviceRequest(dtype="fp32"), ("float32", "sdpa")),
        (MPS, DeviceRequest(dtype="fp16"), ("float16", "sdpa")),
        (A100, DeviceRequest(attention="xformers"), ("float16", "xformers")),
        (A100, DeviceRequest(attention="sdpa"), ("float16", "sdpa")),
        (A100, DeviceRequest(dtype="fp32", attention="xformers"), ("float32", "xformers")),
        (T4, DeviceRequest(attention="cudnn"), ("float16", "cudnn")),
        (H100, DeviceRequest(dtype="bf16", attention="flash-3"), ("bfloat16", "flash-3")),
        (CPU, DeviceRequest(attention="sdpa"), ("float32", "sdpa")),
    ],
)
def test_what_is_decided(device: Device, asked: DeviceRequest, decision: tuple[str, str]) -> None:
    """Each device has its own dtype, and what was asked for is what is used."""
    found = environment(device, asked)
    assert (found.dtype, found.attention) == decision
    assert (found.device, found.device_name, found.threads) == (device.kind, device.name, device.threads)


@pytest.mark.parametrize(
    ("device", "asked", "stored", "dtype"),
    [
        (A100, "auto", "BF16", "bfloat16"),
        (A100, "auto", "F16", "float16"),
        (A100, "auto", "F32", "float16"),
        (A100, "auto", "", "float16"),
        (T4, "auto", "BF16", "float16"),
        (A100, "fp16", "BF16", "float16"),
        (CPU, "auto", "BF16", "float32"),
    ],
)
def test_a_gpu_takes_the_half_precision_that_the_weights_are_stored_in(
    device: Device, asked: str, stored: str, dtype: str
) -> None:
    """Models that were trained in bf16 give NaN or black in fp16; one that asks for fp16 has it all the same."""
    wished = DeviceRequest(dtype=asked)
    found = decide(device, wished, pixels=64, shard_samples=4, model_revision="r", stored_dtype=stored)
    assert found.dtype == dtype


@pytest.mark.parametrize(
    ("device", "asked", "fault"),
    [
        (CPU, DeviceRequest(dtype="fp16"), "--dtype fp16: a CPU has no fast fp16"),
        (CPU_BF16, DeviceRequest(dtype="float16"), "--dtype fp16"),
        (CPU, DeviceRequest(attention="xformers"), "--attention xformers: needs a CUDA device, this is cpu"),
        (MPS, DeviceRequest(attention="xformers"), "--attention xformers: needs a CUDA device, this is mps"),
        (T4, DeviceRequest(attention="xformers"), r"xformers is not installed; pip install 'synthgen-images\[cuda\]'"),
        (CPU, DeviceRequest(dtype="fp16", attention="xformers"), "--dtype fp16"),
        (CPU, DeviceRequest(attention="cudnn"), "--attention cudnn: needs a CUDA device, this is cpu"),
        (A100, DeviceRequest(attention="flash-3"), "--attention flash-3: .*flash_attn_3. is not installed"),
        (A100, DeviceRequest(dtype="fp32", attention="cudnn"), "--attention cudnn: .*not in fp32"),
        (H100, DeviceRequest(dtype="fp32", attention="flash-3"), "--attention flash-3: .*not in fp32"),
    ],
)
def test_what_is_refused(device: Device, asked: DeviceRequest, fault: str) -> None:
    """A request that can't be had is refused with what to do, and nothing else is quietly used."""
    with pytest.raises(UnavailableError, match=fault):
        environment(device, asked)


@given(
    st.sampled_from([CPU, CPU_BF16]),
    st.sampled_from(["auto", "fp32", "bf16", "fp16", "float32", "bfloat16", "float16"]),
    st.booleans(),
)
def test_a_cpu_never_computes_in_fp16(device: Device, dtype: str, bf16: bool) -> None:
    """Whatever is asked of whichever CPU, it is refused or computes in another dtype than fp16."""
    try:
        assert environment(replace(device, bf16=bf16), DeviceRequest(dtype=dtype)).dtype != "float16"
    except UnavailableError:
        assert dtype in ("fp16", "float16")


@pytest.mark.parametrize(
    ("device", "pixels", "shard", "batch"),
    [
        (CPU, 64 * 64, 48, 48),
        (CPU, 64 * 64, 50, 25),
        (CPU, 64 * 64, 10, 10),
        (CPU, 64 * 64, 100, 34),
        (CPU, 128 * 128, 48, 12),
        (CPU, 512 * 512, 48, 1),
        (CPU, 2048 * 2048, 48, 1),
        (T4, 512 * 512, 48, 24),
        (T4, 512 * 512, 1, 1),
        (A100, 64 * 64, 1000, 125),
        (A100, 512 * 512, 48, 48),
        (A100, 1024 * 1024, 48, 24),
        (replace(T4, free_memory=0), 512 * 512, 48, 1),
    ],
)
def test_auto_batch_sizes(device: Device, pixels: int, shard: int, batch: int) -> None:
    """The batch is what fits the device, evened out over the shard."""
    assert auto_batch_size(device, pixels, shard) == batch
    assert environment(device, pixels=pixels, shard=shard).batch_size == batch


@given(st.sampled_from([CPU, T4, A100, MPS]), st.integers(8, 2048), st.integers(1, 5000))
def test_the_auto_batch_wastes_little(device: Device, side: int, shard: int) -> None:
    """A batch is never larger than the shard, and the last is short by less than the number of batches."""
    batch = auto_batch_size(device, side * side, shard)
    batches = -(-shard // batch)
    assert 1 <= batch <= shard
    assert batches * batch - shard < batches


@pytest.mark.parametrize(("kind", "expected"), [("cuda", True), ("cpu", False), ("mps", False)])
def test_a_unet_has_channels_last_where_it_is_faster(kind: str, expected: bool) -> None:
    assert devices.channels_last(kind) is expected


def test_an_asked_batch_size_is_used() -> None:
    """A batch size that is asked for is used as it is."""
    assert environment(CPU, DeviceRequest(batch_size=7)).batch_size == 7


def test_the_environment_names_what_computes() -> None:
    """Versions of everything that computes or encodes are pinned, and the model's revision."""
    found = environment(CPU)
    assert set(found.versions) == set(devices.PACKAGES)
    assert found.model_revision == "r"
    assert all(found.versions[name][0].isdigit() for name in ("synthgen", "numpy", "pillow"))


def test_cuda_is_pinned_with_its_libraries_and_switches() -> None:
    """Other kernels make other last bits; elsewhere there is nothing of the kind, and nothing is written of it."""
    libraries = {"cuda": "12.8", "cudnn": "91002"}
    found = decide(
        replace(A100, libraries=libraries), DeviceRequest(), pixels=64, shard_samples=4, model_revision="r",
        packages=devices.MODEL_PACKAGES,
    )  # fmt: skip
    assert set(found.versions) == {*devices.PACKAGES, *devices.MODEL_PACKAGES, *libraries}
    assert found.versions["cudnn"] == "91002"
    assert (found.flags["cudnn.deterministic"], found.flags["cuda.matmul.allow_tf32"]) == (True, False)
    assert "flags" not in environment(CPU).to_dict()


def test_torch_s_switches_are_what_a_run_pins() -> None:
    """Whatever they were set to before; a run that pins none has torch's own defaults."""
    import torch

    devices.set_flags({name: not value for name, value in devices.CUDA_FLAGS.items()})
    assert torch.backends.cudnn.benchmark
    assert torch.backends.cuda.matmul.allow_tf32
    devices.set_flags(devices.CUDA_FLAGS)
    assert torch.backends.cudnn.deterministic
    assert not torch.backends.cuda.matmul.allow_tf32
    devices.set_flags({})
    now = torch.backends.cudnn
    assert (now.benchmark, now.deterministic, now.allow_tf32) == (False, False, True)
    assert torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction


def test_a_missing_package_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is not installed is recorded as that."""
    monkeypatch.setattr(devices, "PACKAGES", ("numpy", "no-such-package-here"))
    assert devices.versions()["no-such-package-here"] == "not installed"


def test_an_environment_survives_json() -> None:
    """What `run.json` keeps of an environment makes the same environment again."""
    found = environment(A100)
    assert Environment(**found.to_dict()) == found


@pytest.mark.parametrize(
    ("cuda", "mps", "found"),
    [
        (True, True, ["cuda", "mps", "cpu"]),
        (False, True, ["mps", "cpu"]),
        (True, False, ["cuda", "cpu"]),
        (False, False, ["cpu"]),
    ],
)
def test_the_best_device_comes_first(cuda: bool, mps: bool, found: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """CUDA before Apple's MPS before the CPU, which is always there."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    assert devices.available() == found


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is kept to no GPU yet."""
    monkeypatch.setattr(devices, "_kept", {})


@pytest.mark.parametrize(("asked", "left"), [("cuda:1", "7"), ("cuda:0", "3"), ("cuda", "3,7"), ("cpu", "3,7")])
def test_one_of_several_gpus_hides_the_others(asked: str, left: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From this process and those that it starts; a run pins ``cuda``, whichever it was."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    for _ in range(2):  # a second time in one process means the same
        assert DeviceRequest(asked).device == asked.partition(":")[0]
        assert os.environ["CUDA_VISIBLE_DEVICES"] == left


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        ("3,7", "cuda:2", "--device cuda:2: there is no such GPU here; of CUDA's there are cuda:0 to cuda:1"),
        ("3", "cuda:9", "of CUDA's there is cuda:0"),
        ("", "cuda:0", "of CUDA's none"),
    ],
)
def test_a_gpu_that_is_not_there_is_said(there: str, asked: str, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that are."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", there)
    with pytest.raises(UnavailableError, match=said):
        DeviceRequest(asked)


def test_a_process_at_one_gpu_is_not_moved_to_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch looks at what is hidden once."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    monkeypatch.setattr("torch.cuda.is_initialized", lambda: True)
    with pytest.raises(UnavailableError, match="CUDA_VISIBLE_DEVICES=7"):
        DeviceRequest("cuda:1")


def test_a_process_that_is_kept_to_one_gpu_is_not_asked_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first that it sees would be taken for it."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    DeviceRequest("cuda:1")
    with pytest.raises(UnavailableError, match="this process is kept to cuda:1"):
        DeviceRequest("cuda:0")


def test_a_gpu_that_cuda_can_not_be_kept_to_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has asked torch whether there is CUDA would get the first GPU in place of the one that was asked for."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,7")
    monkeypatch.setattr("torch._C._cuda_getDeviceCount", lambda: 2, raising=False)
    with pytest.raises(UnavailableError, match="CUDA_VISIBLE_DEVICES=7"):
        DeviceRequest("cuda:1")
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "3,7"


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_deterministic_kernels_are_asked_for_on_cuda_and_only_meanwhile(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was asked of torch before is asked afterwards."""
    import torch

    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with devices.deterministic(kind):
        assert torch.are_deterministic_algorithms_enabled() is (kind == "cuda")
        assert torch.is_deterministic_algorithms_warn_only_enabled() is (kind == "cuda")
    assert not torch.are_deterministic_algorithms_enabled()

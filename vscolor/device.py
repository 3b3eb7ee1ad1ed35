"""The one place that chooses devices, runtimes and numbers of threads.

A device is a runtime (`onnx` or `torch`) and a name (`cpu`, `cuda`, `cuda:1`, `dml`, `coreml`). The
default is the first available of: torch on CUDA; ONNX Runtime's CUDA, DirectML and CoreML
providers, if the installed wheel has them; ONNX Runtime on the CPU. This choice and the default
batch depend on what is installed, never on how much memory is free.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from vscolor.errors import (
    DeviceError,
    MissingExtraError,
    SettingError,
    WeightsError,
)
from vscolor.scratch import per_thread

if TYPE_CHECKING:
    import onnxruntime
    import torch

RUNTIMES = ("onnx", "torch")
PROVIDERS = {
    "cuda": "CUDAExecutionProvider",
    "dml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
# Frames per batch where the caller names none. A CPU gains nothing from more than one, and a
# seek costs a whole batch.
DEFAULT_BATCH = {"cpu": 1, "cuda": 8, "dml": 4, "coreml": 1}
MAX_BATCH = 64
MAX_LANES = 16


@dataclass(frozen=True)
class Device:
    """Where a model runs.

    Attributes:
        runtime: `onnx` or `torch`.
        kind: `cpu`, `cuda`, `dml` or `coreml`.
        index: Which of several devices of that kind.
    """

    runtime: str
    kind: str
    index: int = 0

    def __str__(self) -> str:
        name = f"{self.kind}:{self.index}" if self.index else self.kind
        return f"{name} ({'ONNX Runtime' if self.runtime == 'onnx' else 'torch'})"

    @property
    def default_batch(self) -> int:
        """Frames per batch where the caller names none."""
        return DEFAULT_BATCH[self.kind]

    def lanes(self, threads: int) -> int:
        """How many model runs to keep in flight with `threads` worker threads.

        ONNX Runtime on a CPU runs one thread a lane: frames in parallel scale better than threads
        within a frame. CUDA takes two lanes, so that one's transfers overlap the other's
        computation. DirectML allows one run at a time; torch on a CPU has threads of its own.
        """
        if self.kind == "cpu" and self.runtime == "onnx":
            return max(1, min(threads, cpu_count(), MAX_LANES))
        return 2 if self.kind == "cuda" else 1


def cpu_count() -> int:
    """Number of processors this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve(device: str | None, runtime: str | None) -> Device:
    """Choose a device.

    Args:
        device: `cpu`, `cuda`, `cuda:N`, `dml`, `dml:N`, `coreml`, or None for the best there is.
        runtime: `onnx`, `torch`, or None for the one that fits the device.

    Raises:
        SettingError: No such device or runtime exists.
        DeviceError: It cannot be used on this machine; the message says why.
        MissingExtraError: torch is required and not installed.
    """
    if runtime is not None and runtime not in RUNTIMES:
        raise SettingError(f"runtime= is {runtime!r}, expected one of {', '.join(RUNTIMES)}")
    if device is None:
        return _best(runtime)
    kind, _, number = device.partition(":") if isinstance(device, str) else ("", "", "")
    numbered = number.isdecimal() and kind in ("cuda", "dml")
    if kind not in PROVIDERS or (":" in device and not numbered):
        raise SettingError(
            f"device= is {device!r}, expected cpu, cuda, cuda:N, dml, dml:N or coreml"
        )
    return _named(kind, int(number or 0), runtime)


def _best(runtime: str | None) -> Device:
    if runtime != "onnx" and why_no_torch_cuda() is None:
        return Device("torch", "cuda")
    if runtime == "torch":
        require_torch()
        return Device("torch", "cpu")
    usable = (k for k in PROVIDERS if k == "cpu" or why_no_provider(k) is None)
    return Device("onnx", next(usable))


def _named(kind: str, index: int, runtime: str | None) -> Device:
    if runtime == "torch":
        require_torch()
    if kind == "cpu":
        return Device(runtime or "onnx", "cpu")
    reasons = []
    if runtime != "onnx" and kind == "cuda":
        reason = why_no_torch_cuda(index)
        if reason is None:
            return Device("torch", "cuda", index)
        reasons.append(reason)
    if runtime == "torch" and kind != "cuda":
        raise DeviceError(f"device {kind} does not go with runtime torch, expected cpu or cuda")
    if runtime != "torch":
        reason = why_no_provider(kind)
        if reason is None:
            return Device("onnx", kind, index)
        reasons.append(reason)
    raise DeviceError(f"device {kind} cannot be used: {'; '.join(reasons)}")


@cache
def cuda_driver_devices() -> int:
    """Number of CUDA devices the driver reports (0 if there is none), without importing torch."""
    library = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        driver = ctypes.CDLL(library)
    except OSError:
        return 0
    count = ctypes.c_int(0)
    if driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return 0
    return count.value


def why_no_torch_cuda(index: int = 0) -> str | None:
    """Why torch cannot use CUDA device `index`, or None if it can.

    torch is imported only if the driver reports a device: its import costs a previewer seconds.
    """
    if cuda_driver_devices() <= index:
        return _too_few_devices()
    if importlib.util.find_spec("torch") is None:
        return 'torch is not installed (pip install "vscolor[torch]")'
    import torch

    if not torch.cuda.is_available():
        return f"torch {torch.__version__} was built without CUDA or cannot use this driver"
    return None


def why_no_provider(kind: str) -> str | None:
    """Why ONNX Runtime cannot use a kind of device, or None if it can."""
    try:
        import onnxruntime
    except ImportError as error:
        return f"onnxruntime cannot be imported: {error}"
    if PROVIDERS[kind] not in onnxruntime.get_available_providers():
        return f"the installed onnxruntime {onnxruntime.__version__} has no {PROVIDERS[kind]}"
    if kind == "cuda" and not cuda_driver_devices():
        return _too_few_devices()
    return None


def _too_few_devices() -> str:
    found = cuda_driver_devices()
    if not found:
        return "no NVIDIA driver is installed, or it finds no CUDA device"
    return f"the NVIDIA driver finds {found} CUDA device{'s' * (found > 1)}"


def require_torch() -> None:
    """Raise `MissingExtraError` if torch is not installed."""
    if importlib.util.find_spec("torch") is None:
        raise MissingExtraError("torch", "torch")


def require_onnx() -> None:
    """Raise `MissingExtraError` if the package that writes ONNX is not installed."""
    if importlib.util.find_spec("onnx") is None:
        raise MissingExtraError("onnx", "export")


def torch_device(device: Device) -> torch.device:
    """The `torch.device` of a device of the runtime `torch`."""
    import torch

    return torch.device(device.kind, device.index) if device.kind == "cuda" else torch.device("cpu")


@cache
def _usual_threads() -> int:
    import torch

    return int(torch.get_num_threads())


def same_threads() -> None:
    """Set torch's thread count in the calling thread to the process's initial one.

    The count is per thread, and a thread starts with what is set when it first uses torch. If a fit
    or a user's script changes it, workers of the core would differ, sum in different orders and
    change the last bits of frames.
    """
    import torch

    if torch.get_num_threads() != _usual_threads():
        torch.set_num_threads(_usual_threads())


def cuda_stream(device: Device) -> torch.cuda.Stream:
    """The calling thread's own CUDA stream, so that threads overlap."""
    import torch

    return per_thread(
        f"device.stream {device.index}", lambda: torch.cuda.Stream(torch_device(device))
    )


@contextmanager
def on_stream(device: Device) -> Iterator[None]:
    """Work on the calling thread's CUDA stream; does nothing on a CPU."""
    if device.kind != "cuda":
        yield
        return
    import torch

    with torch.cuda.stream(cuda_stream(device)):
        yield


def onnx_session(model: Path | bytes, device: Device) -> onnxruntime.InferenceSession:
    """Open an ONNX model on a device of the runtime `onnx`.

    Raises:
        WeightsError: The file is missing or damaged.
        DeviceError: The provider did not start (ONNX Runtime would fall back to the CPU).
    """
    import onnxruntime as ort
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1 if device.kind == "cpu" else 0
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = device.kind != "dml"
    settings: dict[str, Any] = {"device_id": device.index} if device.kind in ("cuda", "dml") else {}
    wanted = PROVIDERS[device.kind]
    try:
        session = ort.InferenceSession(
            str(model) if isinstance(model, Path) else model,
            options,
            providers=[(wanted, settings)],
        )
    except (
        state.Fail,
        state.InvalidArgument,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.NoSuchFile,
    ) as error:
        name = model if isinstance(model, Path) else "the model"
        raise WeightsError(f"{name} cannot be read as ONNX: {_first_line(error)}") from error
    if session.get_providers()[0] != wanted:
        raise DeviceError(f"device {device.kind} cannot be used: {wanted} did not start")
    return (
        cast("onnxruntime.InferenceSession", InTurn(session)) if device.kind == "dml" else session
    )


class InTurn:
    """A session whose runs wait for each other: DirectML takes one at a time."""

    def __init__(self, session: onnxruntime.InferenceSession) -> None:
        self._session = session
        self._lock = threading.Lock()

    def run(self, *arguments: Any) -> Any:
        """Run the session, one call at a time."""
        with self._lock:
            return self._session.run(*arguments)

    def __getattr__(self, name: str) -> Any:
        """Pass everything else on to the session."""
        return getattr(self._session, name)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0]

"""Run networks on NumPy arrays: transfers, number formats and the runtimes' errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vscolor import device as devices
from vscolor.device import Device
from vscolor.errors import DeviceError, DeviceMemoryError, WeightsError
from vscolor.models.base import Array

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from torch import Tensor, nn

SIGNS = ("out of memory", "failed to allocate", "bad_alloc", "bad allocation")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a runtime's error means that memory ran out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(sign in text for sign in SIGNS)


@contextmanager
def translate_errors(device: Device, batch: int, height: int, width: int) -> Iterator[None]:
    """Turn errors of torch or ONNX Runtime into `DeviceError` or `DeviceMemoryError`.

    Args:
        device: Where the model runs.
        batch: Frames in the batch.
        height: Of the model's input, in pixels.
        width: Of the model's input, in pixels.
    """
    try:
        yield
    except Exception as error:
        if is_out_of_memory(error):
            raise DeviceMemoryError(str(device), batch, height, width) from error
        # ONNX Runtime's errors have no common base class.
        if isinstance(error, RuntimeError) or type(error).__module__.startswith("onnxruntime"):
            said = str(error).strip().partition("\n")[0] or type(error).__name__
            raise DeviceError(f"{device} failed: {said}") from error
        raise


@contextmanager
def inference(device: Device, batch: int, height: int, width: int) -> Iterator[None]:
    """Run a torch network: without gradients, errors translated by `translate_errors`.

    Args:
        device: Where it runs.
        batch: Frames in the batch.
        height: Of its input, in pixels.
        width: Of its input, in pixels.
    """
    import torch

    devices.same_threads()
    with translate_errors(device, batch, height, width), torch.inference_mode():
        yield


def on_torch(device: Device, network: Callable[..., Tensor], *planes: Array) -> Array:
    """Run a torch network on arrays.

    On CUDA, transfers use pinned memory, each thread has its own stream, and convolutions run in
    half precision (`torch.autocast`); a network disables autocast itself where it must.

    Args:
        device: Of the runtime `torch`.
        network: Called with one tensor per array, on the device.
        planes: `[B,C,h,w]` each; an out-of-memory message gives the first one's size.

    Raises:
        DeviceError: The device failed, or ran out of memory.
    """
    with inference(device, len(planes[0]), *planes[0].shape[2:]):
        run = _on_cuda if device.kind == "cuda" else _on_cpu
        return run(device, network, planes)


def _on_cpu(_device: Device, network: Callable[..., Tensor], planes: tuple[Array, ...]) -> Array:
    import torch

    made: Array = network(*(torch.tensor(plane) for plane in planes)).numpy()
    return made


def _on_cuda(device: Device, network: Callable[..., Tensor], planes: tuple[Array, ...]) -> Array:
    import torch

    target = devices.torch_device(device)
    with torch.cuda.stream(devices.cuda_stream(device)):
        there = [
            torch.tensor(plane)
            .pin_memory()
            .to(target, non_blocking=True, memory_format=torch.channels_last)
            for plane in planes
        ]
        with torch.autocast("cuda", torch.float16):
            made = network(*there).float()
        back = torch.empty(made.shape, dtype=torch.float32, pin_memory=True)
        back.copy_(made, non_blocking=True)
        torch.cuda.current_stream(target).synchronize()
    result: Array = back.numpy()
    return result


def check_inputs(session: InferenceSession, path: Path, expected: Iterable[str]) -> None:
    """Check that an ONNX file is the network that is wanted.

    Raises:
        WeightsError: Its inputs have other names. A checkout's own files may be of an older commit.
    """
    found = sorted(one.name for one in session.get_inputs())
    if found != sorted(expected):
        raise WeightsError(
            f"{path} has inputs {found}, expected {sorted(expected)}; "
            "in a checkout, scripts/build_onnx.py makes it anew"
        )


def require_finite(ab: Array) -> Array:
    """Return `ab` unchanged if all values are finite.

    Raises:
        WeightsError: Some are not; without this error the frame would silently come out grey.
    """
    if not np.isfinite(ab).all():
        raise WeightsError(
            "the model returned NaN or infinite colour: its weights are damaged or "
            "the luma holds NaN"
        )
    return ab


def padded(planes: Array, multiple: int) -> Array:
    """Pad `[B,C,h,w]` below and on the right to a multiple, repeating the last row and column."""
    below, beside = (-side % multiple for side in planes.shape[2:])
    if not below and not beside:
        return planes
    return np.pad(planes, ((0, 0), (0, 0), (0, below), (0, beside)), mode="edge")


def as_module(network: nn.Module, call: Callable[[Tensor], Tensor]) -> nn.Module:
    """Wrap a call of a network as a module, for code that needs modules.

    Args:
        network: The network whose weights `call` uses.
        call: Function of one tensor.
    """
    from torch import nn

    class Wrapped(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> Tensor:
            return call(x)

    return Wrapped().eval()

"""`blind` as a `Stepper`, on ONNX Runtime or on torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor import device as devices
from vscolor import weights as weight_files
from vscolor.device import Device
from vscolor.models import running
from vscolor.models.base import Array
from vscolor.models.blind import architecture as arch
from vscolor.models.stepper import Picture

if TYPE_CHECKING:
    import onnxruntime

    from vscolor.models.blind.network import Blind

HERE: Final = Path(__file__).parent
ONNX_FILE: Final = HERE / "blind.onnx"
TORCH_FILE: Final = HERE / "blind.safetensors"
INPUTS: Final = ("luma", "luma_before", "given", "previous_output", "hidden", "cell")


def load(device: Device, weights: str | Path | None) -> OnnxBlind | TorchBlind:
    """Load `blind`, or weights of its shape.

    Args:
        device: Where to run it.
        weights: A `.onnx` file for the runtime onnx, a `.safetensors` one for either; None for the
            embedded ones.

    Raises:
        WeightsError: The file is missing, damaged, or of another model.
    """
    if device.runtime == "torch":
        path = weight_files.find(weights, TORCH_FILE)
        network = weight_files.load_once(
            path, ("blind", device), lambda: _open_network(path, device)
        )
        return TorchBlind(network, device)
    path = weight_files.find(weights, ONNX_FILE)
    session = weight_files.load_once(path, ("blind", device), lambda: _open_session(path, device))
    return OnnxBlind(session, device)


def _open_session(path: Path, device: Device) -> onnxruntime.InferenceSession:
    if path.suffix == ".safetensors":
        devices.require_onnx()
        from vscolor.models.blind import graph

        with weight_files.reading(path, "blind"):
            return devices.onnx_session(graph.build(path).SerializeToString(), device)
    session = devices.onnx_session(path, device)
    running.check_inputs(session, path, INPUTS)
    return session


def _open_network(path: Path, device: Device) -> Blind:
    from vscolor.models.blind import network

    return network.load(path).eval().to(devices.torch_device(device))


class OnnxBlind:
    """`blind` on ONNX Runtime. A session may be run from several threads at once."""

    multiple, stride = arch.MULTIPLE, arch.STRIDE

    def __init__(self, session: onnxruntime.InferenceSession, device: Device) -> None:
        self._session, self._device = session, device

    def begin(self, picture: Picture) -> tuple[Array, Array]:
        """See `vscolor.models.stepper.Stepper`."""
        height, width = (n // (2 * arch.STRIDE) for n in picture.luma.shape[2:])
        empty = np.zeros((1, arch.MEMORY, height, width), np.float32)
        return empty, empty

    def step(
        self, before: Picture, now: Picture, previous_output: Array, memory: tuple[Array, Array]
    ) -> tuple[Array, tuple[Array, Array]]:
        """See `vscolor.models.stepper.Stepper`."""
        planes = (now.luma, before.luma, now.chroma, previous_output, *memory)
        with running.translate_errors(self._device, 1, *now.luma.shape[2:]):
            steady, hidden, cell = self._session.run(None, dict(zip(INPUTS, planes, strict=True)))
        return steady, (hidden, cell)


class TorchBlind:
    """`blind` on torch."""

    multiple, stride = arch.MULTIPLE, arch.STRIDE

    def __init__(self, network: Blind, device: Device) -> None:
        self._network, self._device = network, device
        self._target = devices.torch_device(device)

    def begin(self, picture: Picture) -> Any:
        """See `vscolor.models.stepper.Stepper`."""
        import torch

        return self._network.fresh_memory(torch.from_numpy(picture.luma).to(self._target))

    def step(
        self, before: Picture, now: Picture, previous_output: Array, memory: Any
    ) -> tuple[Array, Any]:
        """See `vscolor.models.stepper.Stepper`."""
        import torch

        planes = (now.luma, before.luma, now.chroma, previous_output)
        with running.inference(self._device, 1, *now.luma.shape[2:]):
            tensors = [torch.from_numpy(plane).to(self._target) for plane in planes]
            steady, memory = self._network(*tensors, memory)
        made: Array = steady.cpu().numpy()
        return made, memory

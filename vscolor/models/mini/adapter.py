"""`mini` as a `StillModel`, on ONNX Runtime and on torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vscolor import device as devices
from vscolor import weights as weight_files
from vscolor.device import Device
from vscolor.errors import WeightsError
from vscolor.models import running
from vscolor.models.base import Array, Card, Grid, Option, StillModel
from vscolor.models.mini import architecture

if TYPE_CHECKING:
    import onnxruntime
    from torch import Tensor, nn

    from vscolor.models.mini.network import Mini

HERE = Path(__file__).parent
ONNX_FILE = HERE / "mini.onnx"
TORCH_FILE = HERE / "mini.safetensors"
GRID = Grid(multiple=architecture.MULTIPLE, ab_stride=architecture.AB_STRIDE)
OPTIONS = (
    Option(
        "temperature",
        float,
        architecture.DEFAULT_TEMPERATURE,
        "of the annealed mean; lower takes the likeliest colour, higher the mean",
        low=0.01,
        high=4.0,
    ),
)

CARD = Card(
    name="mini",
    kind="still",
    summary="embedded; calm, plausible colour, fast on a CPU",
    paper="Zhang, Isola, Efros 2016 (objective); Tan, Le 2019 (encoder)",
    code_licence="MIT",
    weights_licence="MIT; trained in part on research-only pictures, see the card",
    score="+1.9 dB over grey, 0.61 of true colourfulness",
    page="vscolor/models/mini/card.md",
    supports=frozenset({"onnx"}),
)


def installed() -> bool:
    """Whether the embedded weights are in place."""
    return ONNX_FILE.is_file() and TORCH_FILE.is_file()


def load(device: Device, weights: str | Path | None, options: Mapping[str, Any]) -> StillModel:
    """Load `mini`, or weights of its shape.

    Args:
        device: Where to run it.
        weights: A `.onnx` file for the runtime onnx, a `.safetensors` file for either; None for
            the embedded ones.
        options: `temperature` of the annealed mean (Zhang 2016, equation 5): lower is closer to the
            single most likely colour, higher closer to the mean.

    Raises:
        WeightsError: The file is missing, damaged, or of another model.
    """
    temperature: float = options["temperature"]
    if device.runtime == "torch":
        return TorchMini(open_network(device, weights), temperature, device)
    return OnnxMini(open_session(device, weights), temperature, device)


def open_session(device: Device, weights: str | Path | None) -> onnxruntime.InferenceSession:
    """The ONNX session, shared by all users of `mini` on a device."""
    path = weight_files.find(weights, ONNX_FILE)
    return weight_files.load_once(path, ("mini", device), lambda: _open_session(path, device))


def open_network(device: Device, weights: str | Path | None) -> Mini:
    """The torch network, shared by all users of `mini` on a device."""
    path = weight_files.find(weights, TORCH_FILE)
    return weight_files.load_once(path, ("mini", device), lambda: _open_network(path, device))


def _open_session(path: Path, device: Device) -> onnxruntime.InferenceSession:
    if path.suffix == ".safetensors":
        devices.require_onnx()
        from vscolor.models.mini import graph

        with weight_files.reading(path, "mini", architecture.VERSION):
            onnx = graph.build(path, taps=architecture.TAPS).SerializeToString()
        return devices.onnx_session(onnx, device)
    session = devices.onnx_session(path, device)
    names = {i.name for i in session.get_inputs()}, {o.name for o in session.get_outputs()}
    if names[0] != {"luma", "temperature"} or "ab" not in names[1]:
        raise WeightsError(
            f"{path} is a model from {sorted(names[0])} to {sorted(names[1])}, "
            "expected mini's, from luma and temperature to ab"
        )
    return session


def _open_network(path: Path, device: Device) -> Mini:
    import torch

    from vscolor.models.mini import network

    with weight_files.reading(path, "mini", architecture.VERSION):
        mini = network.load(path)
    return mini.to(devices.torch_device(device)).to(memory_format=torch.channels_last)


class OnnxMini:
    """`mini` on ONNX Runtime. A session may be run from several threads at once."""

    grid = GRID

    def __init__(
        self, session: onnxruntime.InferenceSession, temperature: float, device: Device
    ) -> None:
        self._session = session
        self._temperature = np.array(temperature, np.float32)
        self._device = device

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        feeds = {"luma": luma, "temperature": self._temperature}
        with running.translate_errors(self._device, len(luma), *luma.shape[2:]):
            ab: Array = self._session.run(["ab"], feeds)[0]
        return ab


class TorchMini:
    """`mini` on torch: half precision on CUDA up to the head.

    The head's softmax over 313 bins is in single precision: half precision would shift colours.
    """

    grid = GRID

    def __init__(self, network: Mini, temperature: float, device: Device) -> None:
        self._network = network
        self._temperature = temperature
        self._device = device

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        return running.on_torch(self._device, self._color, luma)

    @property
    def graph_multiple(self) -> int:
        """See `ExportableModel`."""
        return GRID.multiple

    def graph(self) -> nn.Module:
        """See `ExportableModel.graph`."""
        return running.as_module(self._network, self._color)

    def _color(self, luma: Tensor) -> Tensor:
        ab: Tensor = self._network(luma, self._temperature)
        return ab

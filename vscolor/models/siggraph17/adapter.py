"""`siggraph17` as a `HintedModel`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor import device as devices
from vscolor.device import Device
from vscolor.models import running
from vscolor.models.base import Array, Card, Grid, Option, StillModel
from vscolor.weights.catalog import WeightAlternatives, WeightFile, WeightSet

if TYPE_CHECKING:
    from torch import nn

    from vscolor.models.siggraph17.network import Siggraph17

PADDING: Final = 8
CHECKPOINT: Final = "siggraph17-df00044c.pth"
MIRROR: Final = "https://github.com/clibdev/colorization/releases/latest/download"

CARD = Card(
    name="siggraph17",
    kind="still",
    summary="calm, of 2017; takes colour hints",
    paper="Zhang et al. 2017, arXiv:1705.02999",
    code_licence="MIT",
    weights_licence="not stated; trained on ImageNet",
    score="in the paper",
    page="docs/models.md",
    supports=frozenset({"hints", "onnx"}),
)
OPTIONS: tuple[Option, ...] = ()


def check(_name: str, path: Path) -> None:
    """Raise `WeightsError` if a file is not of this network."""
    build(path)


WEIGHTS = WeightSet(
    "siggraph17",
    (
        WeightFile(
            CHECKPOINT,
            url=f"https://colorizers.s3.us-east-2.amazonaws.com/{CHECKPOINT}",
            mirrors=(f"{MIRROR}/colorization-siggraph-17.pth",),
            sha256="df00044c0a4d7c3edcecf6f75437ce346a66e7a42612d9b968e1a7e17dbc6f66",
        ),
    ),
    check,
)
NEEDS: tuple[WeightAlternatives, ...] = ((WEIGHTS,),)


def build(path: Path) -> Siggraph17:
    """Load the network from a file, on the CPU."""
    from vscolor.models.siggraph17.network import Siggraph17
    from vscolor.weights.checkpoint import load_strictly, read_state

    network = Siggraph17()
    load_strictly(network, read_state(path), path)
    return network.eval()


def load(device: Device, weights: str | Path | None, options: Mapping[str, Any]) -> StillModel:  # noqa: ARG001
    """Load the model; see `vscolor.models.base.StillLoader`.

    Args:
        device: Of the runtime torch.
        weights: A file in the published format; None for the published one.
        options: Unused; the model has none.
    """

    def ready(paths: dict[str, Path]) -> Siggraph17:
        return build(paths[CHECKPOINT]).to(devices.torch_device(device))

    return Siggraph17Still(WEIGHTS.open(weights, device, ready), device)


class Siggraph17Still:
    """Colours luma of any even size, with or without hints. A `HintedModel`."""

    grid = Grid(multiple=2, ab_stride=1, size=256)

    def __init__(self, network: Siggraph17, device: Device) -> None:
        self._network = network
        self._device = device

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        b, _, h, w = luma.shape
        nothing = np.zeros((b, 3, h, w), np.float32)
        return self.predict_hinted(luma, nothing[:, :2], nothing[:, 2:])

    @property
    def graph_multiple(self) -> int:
        """See `ExportableModel`."""
        return PADDING

    def graph(self) -> nn.Module:
        """See `ExportableModel.graph`; the exported file takes no hints."""
        return self._network

    def predict_hinted(self, luma: Array, ab: Array, mask: Array) -> Array:
        """See `HintedModel.predict_hinted`."""
        h, w = luma.shape[2:]
        beyond = ((0, 0), (0, 0), (0, -h % PADDING), (0, -w % PADDING))
        made = running.on_torch(
            self._device,
            self._network,
            running.padded(luma, PADDING),
            np.pad(ab, beyond),
            np.pad(mask, beyond),
        )
        return made[:, :, :h, :w]

"""`eccv16` as a `StillModel`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from vscolor import device as devices
from vscolor.device import Device
from vscolor.models import running
from vscolor.models.base import Array, Card, Grid, Option, StillModel
from vscolor.weights.catalog import WeightAlternatives, WeightFile, WeightSet

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vscolor.models.eccv16.network import Eccv16

AB_STRIDE: Final = 4
PADDING: Final = 8
CHECKPOINT: Final = "colorization_release_v2-9b330a0b.pth"
PAPER_TEMPERATURE: Final = 0.38

CARD = Card(
    name="eccv16",
    kind="still",
    summary="vivid, of 2016; the classic of the field",
    paper="Zhang, Isola, Efros 2016, arXiv:1603.08511",
    code_licence="MIT",
    weights_licence="not stated; trained on ImageNet",
    score="AMT fooling rate 32 % (paper)",
    page="docs/models.md",
    supports=frozenset({"onnx"}),
)
OPTIONS = (
    Option(
        "temperature",
        float,
        1.0,
        f"of the annealed mean; the checkpoint's 1 is calm, the paper's {PAPER_TEMPERATURE} vivid",
        low=0.01,
        high=4.0,
    ),
)


def check(_name: str, path: Path) -> None:
    """Raise `WeightsError` if a file is not of this network."""
    build(path)


WEIGHTS = WeightSet(
    "eccv16",
    (
        WeightFile(
            CHECKPOINT,
            url=f"https://colorizers.s3.us-east-2.amazonaws.com/{CHECKPOINT}",
            mirrors=(f"https://huggingface.co/ckpt/colorization/resolve/main/{CHECKPOINT}",),
            sha256="9b330a0bae53f4ded77b1e23defbf78beaa09c10ebc4c4999e8e4f4a160b93f9",
        ),
    ),
    check,
)
NEEDS: tuple[WeightAlternatives, ...] = ((WEIGHTS,),)


def build(path: Path) -> Eccv16:
    """Load the network from a file, on the CPU."""
    from vscolor.models.eccv16.network import Eccv16
    from vscolor.weights.checkpoint import load_strictly, read_state

    network = Eccv16()
    load_strictly(network, read_state(path), path)
    return network.eval()


def load(device: Device, weights: str | Path | None, options: Mapping[str, Any]) -> StillModel:
    """Load the model; see `vscolor.models.base.StillLoader`.

    Args:
        device: Of the runtime torch.
        weights: A file in the published format; None for the published one.
        options: `temperature`.
    """

    def ready(paths: dict[str, Path]) -> Eccv16:
        return build(paths[CHECKPOINT]).to(devices.torch_device(device))

    return Eccv16Still(WEIGHTS.open(weights, device, ready), options["temperature"], device)


class Eccv16Still:
    """Colours luma of any size that is a multiple of 4.

    ab is returned at the network's output size, a quarter of luma's; the published code upscales it
    bilinearly, here the merge does so along the film's edges.
    """

    grid = Grid(multiple=AB_STRIDE, ab_stride=AB_STRIDE, size=256)

    def __init__(self, network: Eccv16, temperature: float, device: Device) -> None:
        self._network = network
        self._temperature = temperature
        self._device = device

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        h, w = (side // AB_STRIDE for side in luma.shape[2:])
        ab = running.on_torch(self._device, self._color, running.padded(luma, PADDING))
        return ab[:, :, :h, :w]

    @property
    def graph_multiple(self) -> int:
        """See `ExportableModel`."""
        return PADDING

    def graph(self) -> nn.Module:
        """See `ExportableModel.graph`."""
        return running.as_module(self._network, self._color)

    def _color(self, luma: Tensor) -> Tensor:
        import torch

        logits = self._network.logits(luma)
        # The mean over 313 colours is in single precision: half precision would shift it.
        with torch.autocast(luma.device.type, enabled=False):
            return self._network.mean_color(logits.float(), self._temperature)

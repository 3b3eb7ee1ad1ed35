"""Object detection by torchvision's Mask R-CNN (He et al. 2017, version of Li et al. 2021)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor import device as devices
from vscolor.device import Device
from vscolor.models import running
from vscolor.models.base import Array
from vscolor.models.instcolor.boxes import Boxes, as_boxes
from vscolor.weights.catalog import WeightFile, WeightSet

if TYPE_CHECKING:
    from torch import Tensor, nn

type Detector = Callable[[Array], Any]
"""From L* `[h,w]`, 0..100, of one frame to boxes: rows of x0, y0, x1, y1 in its pixels and,
optionally, a score. Must be deterministic."""

LONGEST: Final = 2
CHECKPOINT: Final = "maskrcnn_resnet50_fpn_v2_coco-73cbd019.pth"


def check(_name: str, path: Path) -> None:
    """Raise `WeightsError` if a file is not of this network."""
    build(path)


WEIGHTS = WeightSet(
    "maskrcnn",
    (
        WeightFile(
            CHECKPOINT,
            url=f"https://download.pytorch.org/models/{CHECKPOINT}",
            sha256="73cbd019",
        ),
    ),
    check,
    model="instcolor",
)


def build(path: Path, side: int = 800) -> nn.Module:
    """Load the network from a file, on the CPU; its masks are not computed.

    Args:
        path: The file.
        side: Short side of its input, in pixels; the long side is at most `LONGEST` times that.
    """
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    from vscolor.weights.checkpoint import load_strictly, read_state

    network: nn.Module = maskrcnn_resnet50_fpn_v2(
        weights=None, weights_backbone=None, min_size=side, max_size=LONGEST * side
    )
    load_strictly(network, read_state(path), path)
    heads: Any = network.roi_heads
    heads.mask_roi_pool = heads.mask_head = heads.mask_predictor = None
    return network.eval()


def load(device: Device, side: int) -> Detector:
    """Load the detector.

    Args:
        device: Of the runtime torch.
        side: Short side of its input, in pixels.
    """

    def ready(paths: dict[str, Path]) -> nn.Module:
        return build(paths[CHECKPOINT], side).to(devices.torch_device(device))

    return MaskRcnn(WEIGHTS.open(None, (device, side), ready), device)


class MaskRcnn:
    """Detects objects in one frame at a time."""

    def __init__(self, network: Callable[..., Any], device: Device) -> None:
        self._network = network
        self._device = device

    def __call__(self, luma: Array) -> Boxes:
        """See `Detector`."""
        return as_boxes(running.on_torch(self._device, self._find, luma[None, None]))

    def _find(self, luma: Tensor) -> Tensor:
        import torch

        # The authors' detector, too, receives L of Lab as all three channels.
        grey = (luma[0] / 100).float().expand(3, -1, -1)
        with torch.autocast(luma.device.type, enabled=False):
            found = self._network([grey])[0]
        return torch.cat([found["boxes"], found["scores"][:, None]], 1)


def whole_picture_only(_luma: Array) -> Boxes:
    """A detector that finds nothing, so only the whole-picture network is used."""
    return np.zeros((0, 5), np.float32)

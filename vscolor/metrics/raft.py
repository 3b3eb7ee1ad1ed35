"""Optical flow by torchvision's RAFT (Teed and Deng 2020), if its weights are installed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor.errors import MissingExtraError, WeightsError
from vscolor.metrics.temporal import Flow, FlowFinder, Plane
from vscolor.weights.checkpoint import load_strictly, read_state

if TYPE_CHECKING:
    import torch

MULTIPLE: Final = 8
MIN_SIDE: Final = 128


def finder(weights: Path, size: str = "large", device: str = "cpu") -> FlowFinder:
    """Load RAFT as a flow estimator.

    Args:
        weights: torchvision's checkpoint, such as `raft_large_C_T_SKHT_V2-ff5fadd5.pth`.
        size: `large` or `small`, as the checkpoint is.
        device: Torch device.

    Returns:
        A function for `temporal.find_backward_flow`. RAFT gets luma as grey RGB.

    Raises:
        MissingExtraError: torchvision is not installed.
        WeightsError: The file is missing, or is not of that network.
    """
    network = _load(weights, size).to(device)

    def find(start: Plane, end: Plane) -> Flow:
        import torch

        height, width = start.shape
        with torch.inference_mode():
            pair = [_prepared(plane).to(device) for plane in (start, end)]
            flow = network(*pair)[-1][0, :, :height, :width]
        return np.ascontiguousarray(flow.permute(1, 2, 0).cpu().numpy(), np.float32)

    return find


def _load(weights: Path, size: str) -> Any:
    try:
        from torchvision.models import optical_flow
    except ImportError as error:
        raise MissingExtraError("torchvision", "metrics") from error
    if not weights.is_file():
        raise WeightsError(f"RAFT's weights {weights} are not a file")
    network = getattr(optical_flow, f"raft_{size}")(weights=None)
    load_strictly(network, read_state(weights), weights)
    return network.eval()


def _prepared(luma: Plane) -> torch.Tensor:
    """Luma as RAFT's RGB in -1..1, `[1,3,h,w]`, padded to a size it accepts."""
    import torch

    grey = torch.from_numpy(np.ascontiguousarray(luma)).float() / 127.5 - 1
    height, width = luma.shape
    below, right = (max(MIN_SIDE, -(-v // MULTIPLE) * MULTIPLE) - v for v in (height, width))
    padded = torch.nn.functional.pad(grey[None, None], (0, right, 0, below), mode="replicate")
    return padded.expand(-1, 3, -1, -1).contiguous()

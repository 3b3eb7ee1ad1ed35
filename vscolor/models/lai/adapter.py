"""The published network of Lai et al. 2018, for those who have its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vscolor import device as devices
from vscolor import weights as weight_files
from vscolor.color import yuv_matrix
from vscolor.device import Device
from vscolor.errors import WeightsError
from vscolor.models import running
from vscolor.models.base import Array
from vscolor.models.stepper import Picture

if TYPE_CHECKING:
    from torch import Tensor

    from vscolor.models.lai.network import Lai


def load(device: Device, weights: str | Path, matrix: int) -> TorchLai:
    """Load the published checkpoint.

    Args:
        device: Of the runtime torch.
        weights: `ECCV18_blind_consistency.pth`.
        matrix: The clip's matrix coefficients (H.273 code); the network works on RGB.

    Raises:
        WeightsError: The file is missing, damaged, or of another network.
    """
    path = weight_files.find(weights, Path(weights))
    network = weight_files.load_once(path, ("lai", device), lambda: _open(path, device))
    return TorchLai(network, device, matrix)


def _open(path: Path, device: Device) -> Lai:
    from vscolor.models.lai.network import Lai
    from vscolor.weights.checkpoint import load_strictly, read_state

    state = read_state(path)
    if not any(key.startswith("ResBlocks.") for key in state):
        raise WeightsError(f"{path} is of another network, expected the one of Lai et al. 2018")
    network = Lai()
    load_strictly(network, state, path)
    return network.eval().to(devices.torch_device(device))


class TorchLai:
    """The published network, RGB inside, chroma outside.

    The luma of its output is discarded: the clip keeps its own. The previous output, with the
    clip's luma, is fed back clipped to 0..1, where the authors' script goes through a JPEG file.
    """

    multiple, stride = 4, 1

    def __init__(self, network: Lai, device: Device, matrix: int) -> None:
        self._network, self._device = network, device
        self._target = devices.torch_device(device)
        self._matrix = yuv_matrix(matrix)
        self._inverse = np.linalg.inv(self._matrix)

    def begin(self, picture: Picture) -> Any:
        """See `vscolor.models.stepper.Stepper`."""
        return self._network.fresh_memory(self._rgb(picture.luma, picture.chroma))

    def step(
        self, before: Picture, now: Picture, previous_output: Array, memory: Any
    ) -> tuple[Array, Any]:
        """See `vscolor.models.stepper.Stepper`."""
        import torch

        with running.inference(self._device, 1, *now.luma.shape[2:]):
            given = self._rgb(now.luma, now.chroma)
            earlier = self._rgb(before.luma, previous_output).clamp(0, 1)
            greys = [
                torch.from_numpy(p.luma).to(self._target).expand(-1, 3, -1, -1)
                for p in (now, before)
            ]
            moved, memory = self._network(given, earlier, *greys, memory)
            change = moved.cpu().numpy()
        added = np.einsum("kc,bchw->bkhw", self._matrix[1:], change)
        return np.asarray(now.chroma + added, np.float32), memory

    def _rgb(self, luma: Array, chroma: Array) -> Tensor:
        import torch

        yuv = np.concatenate([luma, chroma], axis=1)
        rgb = np.einsum("kc,bchw->bkhw", self._inverse, yuv).astype(np.float32)
        return torch.from_numpy(rgb).to(self._target)

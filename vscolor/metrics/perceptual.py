"""Metrics by pretrained networks: LPIPS and FID. Their packages come with the extra `metrics`.

The networks' weights come with no package: the caller passes the files, and nothing is downloaded
here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from vscolor.errors import MeasureError, MissingExtraError, WeightsError
from vscolor.metrics.still import check_pair, check_picture
from vscolor.weights.checkpoint import read_state

if TYPE_CHECKING:
    import torch

type Codes = NDArray[np.uint8]

BACKBONES: Final = {
    "alex": "alexnet-owt-7be5be79.pth",
    "vgg": "vgg16-397923af.pth",
    "squeeze": "squeezenet1_1-b8a52dc0.pth",
}
"""Networks for LPIPS, and torchvision's checkpoints of them."""
INCEPTION: Final = "weights-inception-2015-12-05-6726825d.pth"


class Lpips:
    """Learned perceptual image patch similarity (Zhang et al. 2018), version 0.1.

    The lpips package's network and its calibrated layers; pictures go in at their own size, scaled
    to -1..1. 0 for identical pictures; distances are averaged over space.

    Args:
        backbone: torchvision's checkpoint of the network, see `BACKBONES`.
        net: A key of `BACKBONES`; papers usually report `alex`.
        device: Torch device.

    Raises:
        MissingExtraError: The lpips package is not installed.
        WeightsError: The checkpoint is missing, or is not of that network.
    """

    def __init__(self, backbone: Path, net: str = "alex", device: str = "cpu") -> None:
        try:
            import lpips
        except ImportError as error:
            raise MissingExtraError("lpips", "metrics") from error
        if net not in BACKBONES:
            raise WeightsError(
                f"LPIPS's network is {net!r}, expected one of {', '.join(BACKBONES)}"
            )
        state = _state(backbone, f"LPIPS ({net})", BACKBONES[net])
        with warnings.catch_warnings():
            # lpips still passes `pretrained=` to torchvision, which has deprecated it.
            warnings.filterwarnings("ignore", category=UserWarning, module="torchvision")
            self._network = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
        _fill_backbone(self._network.net, state, backbone, net)
        self._network.to(device).eval()
        self._device = device

    def __call__(self, first: Codes, second: Codes) -> float:
        """The distance of two pictures `[h,w,3]`, both uint8 or both float 0..1.

        Raises:
            MeasureError: They cannot be compared, or are too small for the network.
        """
        import torch

        check_pair(first, second)
        with torch.inference_mode():
            pair = [self._prepared(picture) for picture in (first, second)]
            try:
                value = float(self._network(*pair))
            except RuntimeError as error:
                size = f"{first.shape[1]}x{first.shape[0]}"
                raise MeasureError(f"LPIPS cannot look at pictures of {size}: {error}") from error
        if np.isnan(value):
            raise MeasureError("picture holds NaN, expected finite samples")
        return value

    def _prepared(self, picture: Codes) -> torch.Tensor:
        import torch

        whole = 255.0 if picture.dtype == np.uint8 else 1.0
        chw = np.ascontiguousarray(picture.transpose(2, 0, 1), np.float32)
        return (torch.from_numpy(chw)[None] * (2 / whole) - 1).to(self._device)


def _fill_backbone(network: Any, state: dict[str, Any], path: Path, net: str) -> None:
    """Load torchvision's layers of a network into lpips's slices of it, matched by number."""
    wanted = network.state_dict()
    names = {name: f"features.{name.partition('.')[2]}" for name in wanted}
    missing = next((name for name in names.values() if name not in state), None)
    if missing is not None:
        raise WeightsError(f"{path} is no checkpoint of {net}: it has no {missing}")
    try:
        network.load_state_dict({name: state[theirs] for name, theirs in names.items()})
    except RuntimeError as error:
        raise WeightsError(f"{path} is no checkpoint of {net}: {_first_line(error)}") from error


class Fid:
    """Frechet inception distance (Heusel et al. 2017) of a clip's frames and the true ones.

    torchmetrics' with torch-fidelity's Inception v3 of 2015 and its 2048 pooled features, as in the
    original. Frames come one by one and only sums are kept. For a few dozen frames of one clip it
    means little: it is made for thousands of different pictures.

    Args:
        weights: torch-fidelity's checkpoint, `INCEPTION`.
        features: 2048, or 768, 192 or 64 of an earlier layer, for few frames.
        device: Torch device.

    Raises:
        MissingExtraError: torchmetrics or torch-fidelity is not installed.
        WeightsError: The checkpoint is missing, or is not of that network.
    """

    def __init__(self, weights: Path, features: int = 2048, device: str = "cpu") -> None:
        try:
            import torch_fidelity  # noqa: F401
            from torchmetrics.image.fid import FrechetInceptionDistance
        except ImportError as error:
            raise MissingExtraError("torchmetrics with torch-fidelity", "metrics") from error
        # torch-fidelity unpickles any file; this check refuses all but plain tensors.
        _state(weights, "FID", INCEPTION)
        try:
            made = FrechetInceptionDistance(features, feature_extractor_weights_path=str(weights))
        except RuntimeError as error:
            message = f"{weights} is no checkpoint of Inception v3: {_first_line(error)}"
            raise WeightsError(message) from error
        self._distance: Any = made.set_dtype(_double()).to(device)
        self._device = device
        self._pairs = 0

    def add(self, result: Codes, truth: Codes) -> None:
        """Add a frame of the result and the true one, `[h,w,3]` of uint8 each."""
        import torch

        for picture, real in ((result, False), (truth, True)):
            check_picture(picture)
            chw = torch.from_numpy(np.ascontiguousarray(picture.transpose(2, 0, 1)))
            self._distance.update(chw[None].to(self._device), real=real)
        self._pairs += 1

    def value(self) -> float:
        """The distance so far.

        Raises:
            MeasureError: Fewer than two frames were added.
        """
        if self._pairs < 2:
            raise MeasureError(f"FID has {self._pairs} frames, expected at least 2")
        return float(self._distance.compute())


def _state(path: Path, what: str, name: str) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint published as `name`.

    Raises:
        WeightsError: It is missing, or holds anything but tensors.
    """
    if not path.is_file():
        raise WeightsError(f"{what} needs {name}; {path} is not a file")
    return read_state(path)


def _double() -> torch.dtype:
    import torch

    return torch.float64


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__

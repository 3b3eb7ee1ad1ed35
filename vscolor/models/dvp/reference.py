"""The authors' U-Nets: the PyTorch version's and the TensorFlow original's, which differ.

Both map RGB in 0..1 `[B,3,h,w]`, sides multiples of 16, to 3 channels, or 6 with iteratively
reweighted training: the main picture and the minor one.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS: Final = (32, 64, 128, 256, 512)
LEAK: Final = 0.2
MULTIPLE: Final = 32
"""The authors crop to multiples of this."""


class TorchNet(nn.Module):
    """The PyTorch version: ReLU, blocks without bias, bilinear upsampling with aligned corners."""

    def __init__(self, channels_out: int = 3) -> None:
        super().__init__()
        before = 3
        for level, width in enumerate(WIDTHS[:-1], 1):
            self.add_module(f"encoder{level}", _block(before, width, f"enc{level}"))
            before = width
        self.bottleneck = _block(WIDTHS[-2], WIDTHS[-1], "bottleneck")
        for level in range(len(WIDTHS) - 1, 0, -1):
            wide, width = WIDTHS[level], WIDTHS[level - 1]
            larger = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            up = nn.Sequential(larger, nn.Conv2d(wide, width, 3, padding=1))
            self.add_module(f"upconv{level}", up)
            self.add_module(f"decoder{level}", _block(wide, width, f"dec{level}"))
        self.conv = nn.Conv2d(WIDTHS[0], channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,3,h,w]` to `[B,channels_out,h,w]`."""
        skips = []
        for level in range(1, len(WIDTHS)):
            x = self.get_submodule(f"encoder{level}")(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.bottleneck(x)
        for level in range(len(WIDTHS) - 1, 0, -1):
            x = self.get_submodule(f"upconv{level}")(x)
            x = self.get_submodule(f"decoder{level}")(torch.cat([x, skips[level - 1]], dim=1))
        made: Tensor = self.conv(x)
        return made


def _block(channels_in: int, channels_out: int, name: str) -> nn.Sequential:
    first = nn.Conv2d(channels_in, channels_out, 3, padding=1, bias=False)
    second = nn.Conv2d(channels_out, channels_out, 3, padding=1, bias=False)
    layers = {f"{name}conv1": first, f"{name}relu1": nn.ReLU()}
    layers |= {f"{name}conv2": second, f"{name}relu2": nn.ReLU()}
    return nn.Sequential(OrderedDict(layers))


class TensorFlowNet(nn.Module):
    """The original: leaky ReLU, biases, first layer 1x1, last 3x3, no half-pixel centres.

    Keys are the TensorFlow variables', with `.weight` and `.bias` for `/weights` and `/biases`.
    """

    def __init__(self, channels_out: int = 3) -> None:
        super().__init__()
        before = 3
        for level, width in enumerate(WIDTHS, 1):
            self._add_pair(f"g_conv{level}", before, width, width, first=1 if level == 1 else 3)
            before = width
        for step, width in enumerate(reversed(WIDTHS[:-1]), 1):
            self.add_module(f"g_up_{step}", nn.Conv2d(2 * width, width, 3, padding=1))
            last = channels_out if step == len(WIDTHS) - 1 else width
            self._add_pair(f"g_conv{len(WIDTHS) + step}", 2 * width, width, last)

    def _add_pair(self, name: str, before: int, width: int, after: int, first: int = 3) -> None:
        self.add_module(f"{name}_1", nn.Conv2d(before, width, first, padding=first // 2))
        self.add_module(f"{name}_2", nn.Conv2d(width, after, 3, padding=1))

    def _pair(self, number: int, x: Tensor, last: bool = False) -> Tensor:
        x = _leaky(self.get_submodule(f"g_conv{number}_1")(x))
        x = self.get_submodule(f"g_conv{number}_2")(x)
        return x if last else _leaky(x)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,3,h,w]` to `[B,channels_out,h,w]`."""
        skips = []
        depth = len(WIDTHS)
        for level in range(1, depth):
            x = self._pair(level, x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self._pair(depth, x)
        for step in range(1, depth):
            up = self.get_submodule(f"g_up_{step}")(legacy_doubled(x))
            x = torch.cat([up, skips[-step]], dim=1)
            x = self._pair(depth + step, x, last=step == depth - 1)
        return x


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAK)


def legacy_doubled(x: Tensor) -> Tensor:
    """Bilinear 2x upsampling as in TensorFlow 1: sample i lies at i/2 in the source."""
    for dim in (2, 3):
        following = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), x.narrow(dim, -1, 1)], dim)
        x = torch.stack([x, (x + following) / 2], dim + 1).flatten(dim, dim + 1)
    return x


def initialise(network: nn.Module, seed: int, uniform: bool = False) -> None:
    """Xavier initialisation (PyTorch version normal, original uniform), biases 0."""
    rng = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            fill = nn.init.xavier_uniform_ if uniform else nn.init.xavier_normal_
            fill(parameter, generator=rng)
        else:
            nn.init.zeros_(parameter)

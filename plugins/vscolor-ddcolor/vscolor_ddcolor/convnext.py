"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545), the encoder; names are the checkpoint's."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-6
EXPANSION = 4


class ChannelNorm(nn.Module):
    """Layer norm over the channels of `[B,C,h,w]`."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise `[B,C,h,w]`."""
        rows = x.permute(0, 2, 3, 1)
        normed = functional.layer_norm(rows, self.weight.shape, self.weight, self.bias, EPSILON)
        return normed.permute(0, 3, 1, 2)


class Block(nn.Module):
    """Residual block: depthwise 7x7 convolution, layer norm, two pointwise layers."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.dwconv = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=EPSILON)
        self.pwconv1 = nn.Linear(channels, EXPANSION * channels)
        self.pwconv2 = nn.Linear(EXPANSION * channels, channels)
        self.gamma = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        """`[B,C,h,w]` to the same."""
        rows = self.norm(self.dwconv(x).permute(0, 2, 3, 1))
        rows = self.gamma * self.pwconv2(functional.gelu(self.pwconv1(rows)))
        return x + rows.permute(0, 3, 1, 2)


class ConvNext(nn.Module):
    """Features at strides 4, 8, 16 and 32, each normalised.

    Args:
        depths: Blocks of the four stages.
        widths: Channels of the four stages.
    """

    def __init__(self, depths: tuple[int, ...], widths: tuple[int, ...]) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, widths[0], 4, stride=4), ChannelNorm(widths[0]))
        self.downsample_layers = nn.ModuleList([stem])
        for before, after in pairwise(widths):
            halve = nn.Sequential(ChannelNorm(before), nn.Conv2d(before, after, 2, stride=2))
            self.downsample_layers.append(halve)
        self.stages = nn.ModuleList(
            nn.Sequential(*(Block(width) for _ in range(depth)))
            for depth, width in zip(depths, widths, strict=True)
        )
        for number, width in enumerate(widths):
            self.add_module(f"norm{number}", ChannelNorm(width))
        # Belongs to the classifier, which is not in the checkpoint.
        self.norm = nn.LayerNorm(widths[-1], eps=EPSILON)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features of a picture `[B,3,h,w]`, h and w multiples of 32."""
        features = []
        for number, (shrink, stage) in enumerate(
            zip(self.downsample_layers, self.stages, strict=True)
        ):
            x = stage(shrink(x))
            features.append(self.get_submodule(f"norm{number}")(x))
        return features

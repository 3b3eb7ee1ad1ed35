"""The video model's objective: the losses of Zhang et al. 2019 (arXiv:1906.09909), section 3.3.

The perceptual and contextual losses use features of the ImageNet encoder on RGB. There is no
adversarial loss: the fusion selects existing colours instead of generating them, so a discriminator
should have nothing to make more vivid. That is an argument only; it was not tried.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor.color import rgb_to_xyz_matrix, white_xyz
from vscolor.models.mini.architecture import bottlenecks
from vscolor.models.mini.network import Conv, EncoderBlock, relu6
from vscolor.training.imagenet import folded, read, set_block, set_conv

AB_UNIT = 1.0
"""Absolute error is quadratic below this (in ab units), linear above."""

PERCEPTUAL_TAP = 4
BANDWIDTH = 0.1
"""Bandwidth h of the contextual loss."""

LUMA_SPREAD = 8.0
"""L* difference between neighbours over which the smoothness weight falls to 1/e."""


class Losses(NamedTuple):
    """The terms, each a scalar."""

    colour: Tensor
    match: Tensor
    places: Tensor
    temporal: Tensor
    smooth: Tensor
    perceptual: Tensor
    contextual: Tensor

    def weighted(self, weights: dict[str, float]) -> Tensor:
        """Their weighted sum."""
        total = sum(value * weights[name] for name, value in self._asdict().items())
        assert isinstance(total, Tensor)
        return total


def colour_error(given: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Smooth L1 of ab `[B,2,h,w]`, with weights `[B,1,h,w]`."""
    error = functional.smooth_l1_loss(given, wanted, beta=AB_UNIT, reduction="none").sum(1, True)
    return (error * weight).mean()


def smoothness(ab: Tensor, luma: Tensor) -> Tensor:
    """Difference of ab between neighbours of similar luma (after the paper's equation 9)."""
    total = torch.zeros(())
    for dim in (2, 3):
        size = ab.shape[dim] - 1
        step = ab.narrow(dim, 1, size) - ab.narrow(dim, 0, size)
        edge = luma.narrow(dim, 1, size) - luma.narrow(dim, 0, size)
        total = total + (step.abs() * torch.exp(-((edge / LUMA_SPREAD) ** 2))).mean()
    return total


def place_error(cosine: Tensor, places: Tensor, visible: Tensor, temperature: Tensor) -> Tensor:
    """Cross-entropy of the correspondence against the true positions.

    Args:
        cosine: Similarities `[B,N,M]`.
        places: Index of the true position among the M, `[B,N]`.
        visible: Weights `[B,N]`.
        temperature: Temperature of the softmax.
    """
    logits = (cosine / temperature).flatten(0, 1)
    error = functional.cross_entropy(logits, places.flatten(), reduction="none")
    return (error * visible.flatten()).sum() / visible.sum().clamp(min=1.0)


def contextual(given: Tensor, reference: Tensor) -> Tensor:
    """Contextual loss on `[B,C,h,w]`: each feature has a similar one in the reference (eq. 8)."""
    x, y = (
        functional.normalize((f - reference.mean((2, 3), True)).flatten(2), dim=1)
        for f in (given, reference)
    )
    distance = 1 - x.transpose(1, 2) @ y
    relative = distance / (distance.amin(dim=-1, keepdim=True) + 1e-3)
    affinity = torch.softmax((1 - relative) / BANDWIDTH, dim=-1).amax(dim=-1)
    return -torch.log(affinity.mean(dim=-1) + 1e-6).mean()


class ColourEncoder(nn.Module):
    """The first blocks of EfficientNet-Lite0 with ImageNet weights, on RGB; frozen."""

    def __init__(self) -> None:
        super().__init__()
        state = read()
        self.stem = Conv(3, 32, kernel=3, stride=2)
        set_conv(self.stem, folded(state, "_conv_stem", "_bn0"))
        shapes = bottlenecks()[: PERCEPTUAL_TAP + 1]
        self.blocks = nn.ModuleList(EncoderBlock(shape) for shape in shapes)
        for index, block in enumerate(self.blocks):
            assert isinstance(block, EncoderBlock)
            set_block(block, state, index)
        self.requires_grad_(False)
        self.register_buffer("white", torch.tensor(white_xyz(), dtype=torch.float32))
        inverse = np.linalg.inv(rgb_to_xyz_matrix())
        self.register_buffer("to_rgb", torch.tensor(inverse, dtype=torch.float32))

    def rgb(self, luma: Tensor, ab: Tensor) -> Tensor:
        """R'G'B' of L* `[B,1,h,w]` and ab, clipped to 0..1."""
        y = (luma + 16) / 116
        f = torch.cat([y + ab[:, :1] / 500, y, y - ab[:, 1:] / 200], dim=1)
        relative = torch.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29))
        assert isinstance(self.white, Tensor)
        assert isinstance(self.to_rgb, Tensor)
        xyz = relative * self.white[:, None, None]
        linear = torch.einsum("ij,bjhw->bihw", self.to_rgb, xyz).clamp(1e-4, 1.0)
        encoded: Tensor = 1.055 * linear ** (1 / 2.4) - 0.055
        return encoded

    def forward(self, luma: Tensor, ab: Tensor) -> Tensor:
        """Features `[B,40,h/8,w/8]`."""
        x = relu6(self.stem((self.rgb(luma, ab) * 255 - 127) / 128))
        for block in self.blocks:
            x = block(x)
        return x

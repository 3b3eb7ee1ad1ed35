"""The project's prior network: luma in, chroma out at half the size.

A U-Net as the authors', but narrower, predicting only chroma, and with stride 2 in its first layer.
With iteratively reweighted training it predicts two colours per pixel, the main and the minor one,
and the logit of the main one's share of the frames; `select_mode` combines them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from .architecture import STRIDE, WIDTHS

LEAK: Final = 0.1
LUMA_MIDDLE: Final = 0.5
OUTPUT_SCALE: Final = 0.1
"""Nominal units of chroma per unit of the last layer."""

TWO_COLOURS: Final = 16 / 224
"""Distance, in nominal units (16 levels), beyond which two colours are not one that flickers."""


class PriorNet(nn.Module):
    """The U-Net.

    Args:
        irt: Whether to predict two colours and a share, or one colour.
    """

    def __init__(self, *, irt: bool = True) -> None:
        super().__init__()
        self.stem = _conv(1, WIDTHS[0], stride=STRIDE)
        self.encoder = nn.ModuleList(_conv(a, b, stride=2) for a, b in pairwise(WIDTHS))
        self.middle = nn.ModuleList(_conv(w, w) for w in WIDTHS)
        self.decoder = nn.ModuleList(
            _conv(a + b, b) for a, b in zip(WIDTHS[:0:-1], WIDTHS[-2::-1], strict=True)
        )
        self.last = nn.ModuleList(_conv(w, w) for w in WIDTHS[-2::-1])
        self.head = nn.Conv2d(WIDTHS[0], 5 if irt else 2, 1)

    def forward(self, luma: Tensor) -> Tensor:
        """Predict colour.

        Args:
            luma: `[B,1,h,w]`, nominal 0..1, h and w multiples of 32.

        Returns:
            `[B,5,h/2,w/2]`: U, V of the main colour, of the minor one, both in nominal units, and
            the share's logit; or `[B,2,h/2,w/2]`.
        """
        x = _leaky(self.stem(luma - LUMA_MIDDLE))
        x = _leaky(self.middle[0](x))
        skips = [x]
        for down, keep in zip(self.encoder, list(self.middle)[1:], strict=True):
            x = _leaky(down(x))
            x = _leaky(keep(x))
            skips.append(x)
        skips.pop()
        for up, keep in zip(self.decoder, self.last, strict=True):
            x = functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = _leaky(up(torch.cat([x, skips.pop()], dim=1)))
            x = _leaky(keep(x))
        made: Tensor = OUTPUT_SCALE * self.head(x)
        return made


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAK)


def initialise(network: PriorNet, seed: int) -> None:
    """He initialisation for leaky ReLU, biases 0, a small head."""
    rng = torch.Generator().manual_seed(seed)
    for parameter in network.parameters():
        if parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, a=LEAK, generator=rng)
        else:
            nn.init.zeros_(parameter)
    with torch.no_grad():
        network.head.weight.mul_(0.1)


def colours(made: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Split an output: main and minor colour `[B,2,h,w]` each, logit of the share `[B,1,h,w]`."""
    return made[:, :2], made[:, 2:4], made[:, 4:] / OUTPUT_SCALE


def select_mode(made: Tensor) -> Tensor:
    """The output colour, `[B,2,h,w]`.

    Two similar colours are one that flickers: the result is their mean, weighted by share. The
    farther apart they are, the more the colour with the larger share dominates: an object that is
    red in most frames and green in some becomes red, not brown.
    """
    if made.shape[1] == 2:
        return made
    main, minor, logit = colours(made)
    distance = (main - minor).square().sum(dim=1, keepdim=True).sqrt()
    share = torch.sigmoid(logit * (1 + (distance / TWO_COLOURS) ** 3))
    return share * main + (1 - share) * minor

"""Building blocks of Zhang's networks and their descendants (torch)."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

LEAK = 0.2
"""Slope of the leaky ReLU before a colour head."""


def conv3(channels_in: int, channels_out: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    """A 3x3 convolution that keeps the size, or divides it by `stride`."""
    return nn.Conv2d(
        channels_in, channels_out, 3, stride=stride, padding=dilation, dilation=dilation
    )


def stage(
    *widths: int,
    dilation: int = 1,
    last_stride: int = 1,
    opens_with_relu: bool = False,
    norm: bool = True,
) -> nn.Sequential:
    """Convolutions, each followed by ReLU, and one batch norm at the end.

    The norm comes after the last ReLU, unlike in most networks. An opening ReLU is not in-place:
    the input stays unchanged.

    Args:
        widths: Channels in, after the first convolution, after the second, ...
        dilation: Of every convolution.
        last_stride: Of the last one.
        opens_with_relu: Whether a ReLU comes first, as after a sum with a skip connection.
        norm: Whether there is a batch norm.
    """
    layers: list[nn.Module] = [nn.ReLU()] if opens_with_relu else []
    steps = list(pairwise(widths))
    for number, (before, after) in enumerate(steps, 1):
        stride = last_stride if number == len(steps) else 1
        layers += [conv3(before, after, stride=stride, dilation=dilation), nn.ReLU()]
    if norm:
        layers.append(nn.BatchNorm2d(widths[-1]))
    return nn.Sequential(*layers)

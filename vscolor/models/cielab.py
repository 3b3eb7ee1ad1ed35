"""CIE Lab and sRGB in torch, with the rounded constants that published networks were trained on.

They differ from those of `vscolor.color`, which are the standards' own, in the fourth digit. They
give a network the input it was trained on; in the filters the picture never passes through them.
"""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

XYZ_OF_RGB: Final = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
RGB_OF_XYZ: Final = (
    (3.24048134, -1.53715152, -0.49853633),
    (-0.96925495, 1.87599, 0.04155593),
    (0.05564664, -0.20404134, 1.05731107),
)
WHITE: Final = (0.95047, 1.0, 1.08883)
CUBE_KNEE, CUBE_SLOPE, CUBE_OFFSET = 0.008856, 7.787, 16 / 116
ROOT_KNEE: Final = 0.2068966


def srgb_to_lab(rgb: Tensor) -> Tensor:
    """Lab `[B,3,h,w]` of sRGB `[B,3,h,w]`, 0..1."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    xyz = [
        _mix(linear, row) / linear.new_tensor(white)
        for row, white in zip(XYZ_OF_RGB, WHITE, strict=True)
    ]
    x, y, z = (
        torch.where(v > CUBE_KNEE, v ** (1 / 3.0), CUBE_SLOPE * v + CUBE_OFFSET) for v in xyz
    )
    return torch.stack([116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)], 1)


def lab_to_srgb(lab: Tensor) -> Tensor:
    """Return sRGB of Lab, both `[B,3,h,w]`: never below 0, but above 1 for Lab out of gamut."""
    y = (lab[:, 0] + 16.0) / 116.0
    x = lab[:, 1] / 500.0 + y
    z = (y - lab[:, 2] / 200.0).clamp(min=0)
    roots = torch.stack([x, y, z], 1)
    cubes = torch.where(roots > ROOT_KNEE, roots**3.0, (roots - CUBE_OFFSET) / CUBE_SLOPE)
    xyz = cubes * cubes.new_tensor(WHITE)[:, None, None]
    linear = torch.stack([_mix(xyz, row) for row in RGB_OF_XYZ], 1).clamp(min=0)
    return torch.where(linear > 0.0031308, 1.055 * linear ** (1.0 / 2.4) - 0.055, 12.92 * linear)


def _mix(planes: Tensor, row: tuple[float, float, float]) -> Tensor:
    """Weighted sum of three planes, added left to right: the order affects the last bit."""
    return row[0] * planes[:, 0] + row[1] * planes[:, 1] + row[2] * planes[:, 2]

"""RGB to CIE Lab for training, fast: by table, in single precision.

The arithmetic is `vscolor.color`'s; white is D65, primaries sRGB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vscolor.color import decode_srgb, lab_f, linear_to_lab, rgb_to_xyz_matrix

type Float = NDArray[np.float32]

LUMINANCE = rgb_to_xyz_matrix()[1].astype(np.float32)
_LINEAR = decode_srgb(np.arange(256) / 255.0).astype(np.float32)


def linear_of(rgb: NDArray[np.uint8]) -> Float:
    """Linear light 0..1 of sRGB code values, any shape."""
    return _LINEAR[rgb]


def lightness(y: Float) -> Float:
    """L* 0..100 of relative luminance 0..1, any shape."""
    return np.asarray(116 * lab_f(y) - 16, np.float32)


def ab_of(linear: Float) -> Float:
    """Ab of linear RGB `[...,3]`, as `[...,2]`."""
    return linear_to_lab(linear)[..., 1:]

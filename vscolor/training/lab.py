"""The two directions of CIE Lab that training needs, shaped for speed.

Constants are those of `vscolor.color`; white is D65, primaries sRGB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

type Float = NDArray[np.float32]

RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
LUMINANCE = RGB_TO_XYZ[1].astype(np.float32)
_RELATIVE = (RGB_TO_XYZ / RGB_TO_XYZ.sum(axis=1, keepdims=True)).T.astype(np.float32)
_KNEE = 6.0 / 29.0
_CODES = np.arange(256) / 255.0
_LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def linear_of(rgb: NDArray[np.uint8]) -> Float:
    """Linear light 0..1 of sRGB code values, any shape."""
    return _LINEAR[rgb]


def response(t: Float) -> Float:
    """Lab's f(t) of light relative to white, t in 0..1."""
    return np.where(t > _KNEE**3, np.cbrt(t), t / np.float32(3 * _KNEE**2) + np.float32(4 / 29))


def lightness(y: Float) -> Float:
    """L* 0..100 of relative luminance 0..1, any shape."""
    return np.float32(116.0) * response(y) - np.float32(16.0)


def ab_of(linear: Float) -> Float:
    """Ab of linear RGB `[...,3]`, as `[...,2]`."""
    f = response(linear @ _RELATIVE)
    a = np.float32(500.0) * (f[..., 0] - f[..., 1])
    b = np.float32(200.0) * (f[..., 1] - f[..., 2])
    return np.stack([a, b], axis=-1)

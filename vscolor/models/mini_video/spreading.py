"""Hints spread over the things they lie on.

A point's colour goes to places that look alike: whose features are close (the same kind of thing),
whose luma is close, and that are not far away. How sure that is becomes the exemplar's trust.
"""

from __future__ import annotations

import numpy as np

from vscolor.models.base import Array
from vscolor.models.video import Dab

from . import architecture as arch

# Judged on real clips with true colours at five points: wider spills over, narrower stays a dot.
COSINE_SCALE = 0.4
LUMA_SCALE = 12.0
DISTANCE_SCALE = 0.35
"""Of the picture's short side."""

LEAST_RADIUS = 2.0
"""Pixels: a dab covers a few places at least, whose median luma is its thing's."""


def spread(luma: Array, vectors: Array, dabs: list[Dab]) -> tuple[Array, Array]:
    """Colour a frame from points.

    Args:
        luma: L* `[h,w]`.
        vectors: The frame's unit vectors `[64,h/8,w/8]`.
        dabs: The points, in pixels of `luma`.

    Returns:
        ab `[2,h,w]` and trust `[h,w]`, 0 to 1.
    """
    sure = np.stack([_likeness(luma, vectors, dab) for dab in dabs])
    share = sure**2 / np.maximum((sure**2).sum(axis=0), 1e-6)
    colours = np.stack([dab.ab for dab in dabs])
    ab = np.einsum("kij,kc->cij", share, colours)
    return np.asarray(ab, np.float32), np.asarray(sure.max(axis=0), np.float32)


def _likeness(luma: Array, vectors: Array, dab: Dab) -> Array:
    """How sure it is that each place is of the thing under a dab, `[h,w]`."""
    height, width = luma.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - (dab.x - 0.5), y - (dab.y - 0.5))
    inside = distance <= max(dab.radius, LEAST_RADIUS)
    own_luma = np.median(luma[inside]) if inside.any() else 50.0
    cosine = _cosine(vectors, dab, (height, width))
    reach = DISTANCE_SCALE * min(height, width)
    exponent = (
        np.maximum(1 - cosine, 0) / COSINE_SCALE
        + 0.5 * ((luma - own_luma) / LUMA_SCALE) ** 2
        + 0.5 * (distance / reach) ** 2
    )
    return np.asarray(np.where(inside, 1.0, np.exp(-exponent)), np.float32)


def _cosine(vectors: Array, dab: Dab, shape: tuple[int, int]) -> Array:
    import cv2

    _, rows, columns = vectors.shape
    row = min(rows - 1, int(dab.y / arch.MATCH_STRIDE))
    column = min(columns - 1, int(dab.x / arch.MATCH_STRIDE))
    cosine = np.einsum("cij,c->ij", vectors, vectors[:, row, column])
    return np.asarray(cv2.resize(cosine, shape[::-1], interpolation=cv2.INTER_LINEAR))

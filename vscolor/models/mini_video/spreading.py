"""Hints spread over the objects they lie on.

A hint's colour spreads to nearby pixels with similar features (the same kind of object) and luma;
and to pixels of similar luma at a small geodesic distance (along a path without luma edges), since
parts of an object may have different features. The likelihood becomes the exemplar's confidence.
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from vscolor.models.base import Array
from vscolor.models.video import ScaledHint

from . import architecture as arch
from .resampling import area

# Tuned on 40 frames of real clips with true colours at five points: where the still colour is most
# wrong, on a grid, and at random. With larger scales some frames get worse; with smaller ones a
# hint stays a dot. The geodesic term adds a quarter to the gain from hints.
COSINE_SCALE = 0.4
LUMA_SCALE = 12.0
DISTANCE_SCALE = 0.35
"""Of the picture's short side."""

GEODESIC_SCALE = 0.35
"""Of the picture's short side, for geodesic distance."""
GEODESIC_LUMA_SCALE = 15.0
LUMA_STEP_COST = 4.0
"""Pixels of path length added per L* unit of luma change."""
GEODESIC_STRIDE = 4
"""Pixels per step of a path."""
SWEEPS = 3
"""Sweeps in each direction; more find hardly any shorter paths."""

MIN_RADIUS = 2.0
"""Minimum radius of a hint in pixels, so that its median luma is that of its object."""


def spread(luma: Array, vectors: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:
    """Spread hints over a frame.

    Args:
        luma: L* `[h,w]`.
        vectors: The frame's unit vectors `[64,h/8,w/8]`.
        hints: In pixels of `luma`.

    Returns:
        ab `[2,h,w]` and confidence `[h,w]`, 0 to 1.
    """
    sure = np.stack([_similarity(luma, vectors, hint) for hint in hints])
    share = sure**2 / np.maximum((sure**2).sum(axis=0), 1e-6)
    colours = np.stack([hint.ab for hint in hints])
    ab = np.einsum("kij,kc->cij", share, colours)
    return np.asarray(ab, np.float32), np.asarray(sure.max(axis=0), np.float32)


def _similarity(luma: Array, vectors: Array, hint: ScaledHint) -> Array:
    """Likelihood, 0..1, that each pixel belongs to the object under a hint, `[h,w]`."""
    height, width = luma.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot(x - (hint.x - 0.5), y - (hint.y - 0.5))
    inside = distance <= max(hint.radius, MIN_RADIUS)
    own_luma = np.median(luma[inside]) if inside.any() else 50.0
    cosine = _cosine(vectors, hint, (height, width))
    short = min(height, width)
    alike = (
        np.maximum(1 - cosine, 0) / COSINE_SCALE
        + 0.5 * ((luma - own_luma) / LUMA_SCALE) ** 2
        + 0.5 * (distance / (DISTANCE_SCALE * short)) ** 2
    )
    joined = (
        0.5 * ((luma - own_luma) / GEODESIC_LUMA_SCALE) ** 2
        + 0.5 * (_geodesic_distance(luma, hint) / (GEODESIC_SCALE * short)) ** 2
    )
    similarity = np.exp(-np.minimum(alike, joined))
    return np.asarray(np.where(inside, 1.0, similarity), np.float32)


def _geodesic_distance(luma: Array, hint: ScaledHint) -> Array:
    """Length of the shortest path from a hint to each pixel, in pixels `[h,w]`.

    By sweeps over the rows and columns of a small picture, down, up, right and left, updating each
    position from its three neighbours in the row or column before.
    """
    import cv2

    height, width = luma.shape
    small = area(luma, GEODESIC_STRIDE)
    distances = np.full(small.shape, np.float32(1e6))
    row, column = int(hint.y / GEODESIC_STRIDE), int(hint.x / GEODESIC_STRIDE)
    distances[min(row, len(distances) - 1), min(column, distances.shape[1] - 1)] = 0
    for _ in range(SWEEPS):
        for lengths, heights in (distances, small), (distances.T, small.T):
            _sweep(lengths, heights)
            _sweep(lengths[::-1], heights[::-1])
    return np.asarray(cv2.resize(distances, (width, height), interpolation=cv2.INTER_LINEAR))


def _sweep(distances: Array, luma: Array) -> None:
    """Extend paths from each row to the next one, straight and diagonal."""
    straight = GEODESIC_STRIDE + LUMA_STEP_COST * np.abs(luma[1:] - luma[:-1])
    diagonal = np.float32(GEODESIC_STRIDE * sqrt(2))
    right = diagonal + LUMA_STEP_COST * np.abs(luma[1:, 1:] - luma[:-1, :-1])
    left = diagonal + LUMA_STEP_COST * np.abs(luma[1:, :-1] - luma[:-1, 1:])
    for before, line, down, right_down, left_down in zip(
        distances, distances[1:], straight, right, left, strict=False
    ):
        np.minimum(line, before + down, out=line)
        np.minimum(line[1:], before[:-1] + right_down, out=line[1:])
        np.minimum(line[:-1], before[1:] + left_down, out=line[:-1])


def _cosine(vectors: Array, hint: ScaledHint, shape: tuple[int, int]) -> Array:
    import cv2

    _, rows, columns = vectors.shape
    row = min(rows - 1, int(hint.y / arch.MATCH_STRIDE))
    column = min(columns - 1, int(hint.x / arch.MATCH_STRIDE))
    cosine = np.einsum("cij,c->ij", vectors, vectors[:, row, column])
    return np.asarray(cv2.resize(cosine, shape[::-1], interpolation=cv2.INTER_LINEAR))

"""Resampling between the sizes that `mini-video` works at. Arrays are float32 NumPy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from vscolor.models.base import Array
from vscolor.scratch import scratch


def area(plane: Array, factor: int) -> Array:
    """Average pooling over factor x factor blocks, of `[h,w]` or `[h,w,C]`."""
    import cv2

    size = (plane.shape[1] // factor, plane.shape[0] // factor)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def resized(planes: Array, factor: int, *, reuse: str | None = None) -> Array:
    """Upscale `[C,h,w]` by a factor, bilinear; with `reuse` into a scratch array of that name."""
    import cv2

    width, height = planes.shape[2] * factor, planes.shape[1] * factor
    shape = (len(planes), height, width)
    large = np.empty(shape, np.float32) if reuse is None else scratch(f"mini_video.{reuse}", shape)
    for plane, target in zip(planes, large, strict=True):
        cv2.resize(plane, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large)


def add_shares(ab: Array, shares: Iterable[Array], candidates: Sequence[Array]) -> None:
    """Add each candidate's ab, times its weight `[h,w]`, to `ab` `[2,h,w]`."""
    part = scratch("mini_video.part", ab.shape[1:])
    for share, candidate in zip(shares, candidates, strict=False):
        for target, plane in zip(ab, candidate, strict=True):
            np.multiply(share, plane, out=part)
            np.add(target, part, out=target)

"""The exemplars' colours, warped to a frame along optical flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from vscolor.models.base import Array
from vscolor.models.video import Exemplar
from vscolor.scratch import scratch

from . import architecture as arch
from .motion import MAX_RESIDUAL, Motion, warp, weigh
from .resampling import add_shares, area, resized


class Warped(NamedTuple):
    """The warped exemplars: ab `[2,h,w]`, luma residual `[h/4,w/4]`, whether there were any."""

    ab: Array
    residual: Array
    exists: bool


def warp_exemplars(
    shape: tuple[int, ...], exemplars: Sequence[Exemplar], motions: Sequence[Motion]
) -> Warped:
    """Warp exemplars and average them, weighted by how well each one's luma fits.

    Args:
        shape: Of the frame's luma.
        exemplars: One may occur twice, with two motions.
        motions: From the frame to each of them.
    """
    height, width = shape
    if not exemplars:
        ab = np.zeros((2, height, width), np.float32)
        residual = np.full((height // 4, width // 4), MAX_RESIDUAL, np.float32)
        return Warped(ab, residual, False)
    moved = [
        _carried(e, m, scratch(f"mini_video.moved {i}", (3, height, width)))
        for i, (e, m) in enumerate(zip(exemplars, motions, strict=True))
    ]
    left = np.stack(
        [
            m.residual + MAX_RESIDUAL * (1 - confidence)
            for m, (_, confidence) in zip(motions, moved, strict=True)
        ]
    )
    weighed = weigh(left, np.array([e.weight for e in exemplars]))
    fine = resized(weighed.shares, arch.FUSE_STRIDE, reuse="shares")
    ab = np.zeros((2, height, width), np.float32)
    add_shares(ab, fine, [colour for colour, _ in moved])
    return Warped(ab, weighed.residual, True)


def _carried(exemplar: Exemplar, motion: Motion, into: Array) -> tuple[Array, Array]:
    """An exemplar's ab `[2,h,w]` and confidence `[h/4,w/4]`, warped; ab is a view of `into`."""
    moved = warp([*exemplar.ab, exemplar.confidence], motion.flow, into)
    return moved[:2], area(moved[2], arch.FUSE_STRIDE)

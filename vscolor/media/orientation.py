"""Photographs as they were held: the orientation that a camera notes in EXIF.

OpenCV reads it, and turns what it decodes; bestsource does not. What OpenCV did to the pixels tells
what is to be done to the clip.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

HEAD: Final = 1 << 16
"""Bytes at the beginning of a file among which EXIF stands."""

MARKS: Final = (b"Exif", b"eXIf")
"""Of JPEG, and of PNG."""

type Pixels = NDArray[Any]
type Turn = tuple[Callable[[Pixels], Pixels], Callable[[vs.VideoNode], vs.VideoNode]]

TURNS: Final[tuple[Turn, ...]] = (
    (lambda p: p, lambda c: c),
    (lambda p: p[:, ::-1], lambda c: c.std.FlipHorizontal()),
    (lambda p: p[::-1, ::-1], lambda c: c.std.Turn180()),
    (lambda p: p[::-1], lambda c: c.std.FlipVertical()),
    (lambda p: p.T, lambda c: c.std.Transpose()),
    (lambda p: p.T[:, ::-1], lambda c: c.std.Transpose().std.FlipHorizontal()),
    (lambda p: p.T[::-1, ::-1], lambda c: c.std.Transpose().std.Turn180()),
    (lambda p: p.T[::-1], lambda c: c.std.Transpose().std.FlipVertical()),
)


def apply_exif_orientation(clip: vs.VideoNode, path: Path) -> vs.VideoNode:
    """The clip of a still, turned as its file says.

    Args:
        clip: What was read of it.
        path: The file.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not any(mark in head for mark in MARKS):
        return clip
    import cv2

    flags = cv2.IMREAD_GRAYSCALE
    stored, shown = (
        cv2.imread(str(path), flag) for flag in (flags | cv2.IMREAD_IGNORE_ORIENTATION, flags)
    )
    if stored is None or shown is None:
        return clip
    turn = next((act for see, act in TURNS if np.array_equal(see(stored), shown)), None)
    if turn is None or turn is TURNS[0][1]:
        return clip
    if clip.format.subsampling_w != clip.format.subsampling_h:
        # The core turns no chroma that has other proportions than luma.
        full = {"subsampling_w": 0, "subsampling_h": 0}
        clip = clip.resize.Bicubic(format=clip.format.replace(**full).id)
    return turn(clip)

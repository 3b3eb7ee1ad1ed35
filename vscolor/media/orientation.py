"""Applies the EXIF orientation of photographs.

OpenCV applies it when decoding, bestsource does not. Comparing OpenCV's pixels with and without it
shows how the clip must be turned.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

HEAD: Final = 1 << 16
"""Bytes at the start of a file that are searched for EXIF."""

MARKS: Final = (b"Exif", b"eXIf")
"""EXIF markers of JPEG and PNG."""

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
    """Turn the clip of a still by the EXIF orientation in its file.

    Args:
        clip: The clip read from the file.
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
        # Transposing would make 4:4:0 of 4:2:2; 4:4:4 can be turned in any way.
        full = {"subsampling_w": 0, "subsampling_h": 0}
        clip = clip.resize.Bicubic(format=clip.format.replace(**full).id)
    return turn(clip)

"""Baselines: colour propagated along optical flow, and chroma averaged over time.

All work on ab and luma at the size they are measured at; flow is `temporal.find_flow`, OpenCV's DIS
at its medium preset, on the source's luma. Propagation knows no cuts: pass one scene at a time to
stop it there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

import numpy as np

from vscolor.errors import MeasureError, SettingError
from vscolor.metrics.temporal import Frame, Plane, find_flow, warp


def carry_chained(first: Frame, lumas: Sequence[Plane]) -> Iterator[Frame]:
    """Propagate the first frame's colour, warping each frame's from the frame before.

    Flow errors accumulate slowly, and so does the blur of one interpolation per frame.

    Args:
        first: True ab of frame 0, `[h,w,2]`.
        lumas: The source's luma, `[h,w]`, 8 bits, one per frame; a short side of 256 is usual.

    Yields:
        ab of each frame, starting with `first`.
    """
    _check_sizes(first, lumas)
    now = np.asarray(first, np.float32)
    yield now
    for t in range(1, len(lumas)):
        now = warp(now, find_flow(lumas[t], lumas[t - 1]))
        yield now


def carry_direct(first: Frame, lumas: Sequence[Plane]) -> Iterator[Frame]:
    """Warp the first frame's colour to each frame, by one flow over the whole distance.

    Colour stays sharp, but whatever moves further than flow can follow is lost at once.

    Args:
        first: As in `carry_chained`.
        lumas: Likewise.

    Yields:
        ab of each frame, starting with `first`.
    """
    _check_sizes(first, lumas)
    start = np.asarray(first, np.float32)
    yield start
    for luma in lumas[1:]:
        yield warp(start, find_flow(luma, lumas[0]))


def average(frames: Sequence[Frame], span: int, cuts: Collection[int] = ()) -> Iterator[Frame]:
    """Replace each frame's ab by the mean of the frames around it, without motion compensation.

    Args:
        frames: ab, `[h,w,2]` each.
        span: Frames averaged, odd, usually 3 to 15; fewer at the ends of a scene.
        cuts: First frames of scenes; no average spans a cut.

    Yields:
        One frame for each of `frames`.

    Raises:
        SettingError: `span` is even or below 1.
    """
    if span < 1 or span % 2 == 0:
        raise SettingError(f"span is {span}, expected an odd number of frames")
    bounds = sorted({0, len(frames), *(n for n in cuts if 0 < n < len(frames))})
    for first, stop in pairwise(bounds):
        for t in range(first, stop):
            near = frames[max(first, t - span // 2) : min(stop, t + span // 2 + 1)]
            yield np.mean(near, axis=0, dtype=np.float32)


def _check_sizes(first: Frame, lumas: Sequence[Plane]) -> None:
    """Refuse luma that does not fit the colour.

    Raises:
        MeasureError: There is no luma, or it is of another size than the colour.
    """
    if not lumas:
        raise MeasureError("lumas is empty, expected one a frame")
    odd = next((p.shape for p in lumas if p.shape != first.shape[:2]), None)
    if odd is not None:
        raise MeasureError(f"luma is {odd}, expected {first.shape[:2]} as the colour")

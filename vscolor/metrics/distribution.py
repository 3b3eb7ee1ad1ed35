"""How consistent the distribution of a clip's colours is from frame to frame: CDC."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vscolor.errors import MeasureError
from vscolor.metrics.still import check_picture

type Codes = NDArray[np.uint8]
type Histogram = NDArray[np.float64]

LEVELS: Final = 256
INTERVALS: Final = (1, 2, 4)


def histogram(rgb: Codes) -> Histogram:
    """Relative frequency of each code in each channel `[3,256]` of a picture `[h,w,3]` of uint8.

    Raises:
        MeasureError: It is no such picture.
    """
    check_picture(rgb)
    if rgb.dtype != np.uint8:
        raise MeasureError(f"picture is {rgb.dtype}, expected 8-bit codes")
    counts = [cv2.calcHist([rgb], [c], None, [LEVELS], [0, LEVELS]).ravel() for c in range(3)]
    return np.asarray(np.stack(counts) / (rgb.shape[0] * rgb.shape[1]), np.float64)


def divergence(first: Histogram, second: Histogram) -> float:
    """Jensen-Shannon divergence in nats, 0 to ln 2, the mean of the channels `[3,256]`."""
    middle = (first + second) / 2

    def relative(p: Histogram) -> Histogram:
        """Kullback-Leibler divergence of p from `middle`, which is 0 only where p is."""
        ratio = np.divide(p, middle, out=np.ones_like(p), where=p > 0)
        return np.asarray((p * np.log(ratio)).sum(axis=-1))

    return float(np.mean(relative(first) + relative(second)) / 2)


class ColourDrift:
    """Divergence of each frame's colours from those 1, 2 and 4 frames before.

    Frames come one by one; only the last four histograms are kept.
    """

    def __init__(self) -> None:
        self._before: deque[Histogram] = deque(maxlen=max(INTERVALS))

    def add(self, rgb: Codes, cut: bool = False) -> list[float]:
        """Measure the next frame.

        Args:
            rgb: `[h,w,3]`, uint8.
            cut: Whether a scene begins here; frames before it are ignored.

        Returns:
            One number for each of `INTERVALS`; NaN if the scene has no frame that far back.
        """
        if cut:
            self._before.clear()
        now = histogram(rgb)
        found = [
            divergence(self._before[-interval], now)
            if interval <= len(self._before)
            else float("nan")
            for interval in INTERVALS
        ]
        self._before.append(now)
        return found


def cdc(frames: Iterable[Codes], cuts: Collection[int] = ()) -> float:
    """Colour distribution consistency: 0 for colours that never change, at most ln 2.

    Liu et al. 2021 (TCVC), as the NTIRE 2023 video colorization challenge scores it: for each of
    the intervals 1, 2 and 4 the mean divergence of pairs of frames so far apart, over 8-bit R, G
    and B with 256 bins each and the natural logarithm; then the mean of the three. The challenge's
    clips have no cuts; here pairs across a cut are left out. Changes of luma count too, so only
    results on the same film are comparable, and the target is the true clip's value, not 0.

    Args:
        frames: `[h,w,3]` of uint8 each.
        cuts: First frames of scenes.

    Returns:
        NaN if no scene has two frames; intervals longer than every scene do not count.

    Raises:
        MeasureError: There is no frame, or one is no such picture.
    """
    drift = ColourDrift()
    found = [drift.add(rgb, n in cuts) for n, rgb in enumerate(frames)]
    if not found:
        raise MeasureError("clip is empty, expected at least one frame")
    return mean_of_intervals(np.array(found))


def mean_of_intervals(found: NDArray[np.float64]) -> float:
    """CDC from the values of `ColourDrift.add` for each frame `[n,3]`; NaN if all are NaN."""
    known = [column[~np.isnan(column)] for column in found.T]
    means = [float(column.mean()) for column in known if len(column)]
    return float(np.mean(means)) if means else float("nan")

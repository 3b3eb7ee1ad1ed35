"""Display processing of Deep Exemplar-based Video Colorization: edge-aware smoothing, boost factor.

Neither enters the history: the next frame is coloured from the network's own ab.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from vscolor.errors import MissingExtraError
from vscolor.models.base import Array

BOOST: Final = 1.25
LAMBDA: Final = 500.0
SIGMA: Final = 4.0
GUIDE_SCALE: Final = 255 / 100


def require_smoother() -> None:
    """Raise `MissingExtraError` if OpenCV lacks the smoother."""
    import cv2

    if not hasattr(cv2, "ximgproc"):
        raise MissingExtraError("OpenCV's contrib module ximgproc", "devc")


def edge_guide(luma: Array) -> NDArray[np.uint8]:
    """Guide picture for `smooth`, 8 bits, truncated, from L* `[h,w]`, 0..100."""
    return (luma * GUIDE_SCALE).astype(np.uint8)


def smooth(guide: NDArray[np.uint8], ab: Array) -> Array:
    """Smooth ab `[2,h,w]` along the edges of a guide `[h,w]` (Min et al. 2014).

    Raises:
        MissingExtraError: OpenCV's contrib wheel is not installed.
    """
    require_smoother()
    import cv2

    planes = [
        cv2.ximgproc.fastGlobalSmootherFilter(guide, np.ascontiguousarray(plane), LAMBDA, SIGMA)
        for plane in ab
    ]
    return np.stack(planes)

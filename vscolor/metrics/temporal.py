"""How steady colour is along motion: warp error and pulsing.

Motion is found on the source's luma, so that all results are judged along the same paths. Flow is
OpenCV's DIS; where it cannot be trusted (occlusion, motion boundaries) the pixel is left out, by
the tests of Ruder et al. 2016 that Lai et al. 2018 use.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

type Flow = NDArray[np.float32]
type Mask = NDArray[np.bool_]
type Plane = NDArray[np.uint8]
type Frame = NDArray[np.floating]


@dataclass(frozen=True)
class Path:
    """Where each pixel of a frame was in the frame before.

    Attributes:
        flow: `[h,w,2]`, x and y, in pixels, from the later frame to the earlier.
        visible: `[h,w]`, whether the pixel can be found there.
    """

    flow: Flow
    visible: Mask


def find_flow(start: Plane, end: Plane) -> Flow:
    """Optical flow from one luma plane to another (Kroeger et al. 2016, medium preset).

    Args:
        start: `[h,w]`, 8 bits.
        end: Likewise.

    Returns:
        `[h,w,2]`: the pixel at (x, y) of `start` is at (x, y) + flow of `end`.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    empty = np.zeros((*start.shape, 2), np.float32)
    return np.asarray(search.calc(start, end, empty), np.float32)


def find_path(earlier: Plane, later: Plane) -> Path:
    """The path from a frame back to an earlier one, found on luma `[h,w]`, 8 bits."""
    back, forth = find_flow(later, earlier), find_flow(earlier, later)
    return Path(back, ~_occluded(back, forth) & ~_motion_boundary(back))


def warp(frame: Frame, flow: Flow) -> Frame:
    """Bring a frame `[h,w,c]` along a flow that points into it; edges are repeated."""
    height, width = flow.shape[:2]
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    source = np.ascontiguousarray(frame, np.float32)
    moved = cv2.remap(
        source,
        x + flow[..., 0],
        y + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(moved, np.float32).reshape(frame.shape)


def _occluded(back: Flow, forth: Flow) -> Mask:
    """Where going back and forth does not return (Ruder et al. 2016, equation 6), or leaves."""
    height, width = back.shape[:2]
    returned = warp(forth, back)
    gap = ((back + returned) ** 2).sum(-1)
    length = (back**2).sum(-1) + (returned**2).sum(-1)
    x = np.arange(width) + back[..., 0]
    y = np.arange(height)[:, None] + back[..., 1]
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    return np.asarray((gap > 0.01 * length + 0.5) | outside)


def _motion_boundary(flow: Flow) -> Mask:
    """Where the flow breaks (Ruder et al. 2016, equation 7)."""
    change = sum(
        (np.gradient(flow[..., c], axis=axis) ** 2 for c in (0, 1) for axis in (0, 1)),
        start=np.zeros(flow.shape[:2], np.float32),
    )
    return np.asarray(change > 0.01 * (flow**2).sum(-1) + 0.002)


def warp_error(
    frames: Sequence[Frame], lumas: Sequence[Plane], cuts: Collection[int] = ()
) -> float:
    """Mean squared difference of each frame and the frame before, along the source's motion.

    The survey's section 5.4, averaged over visible pixels, channels and pairs of frames instead of
    summed, so that clips of any length and size compare (Lai et al. 2018, equation 8). On RGB it is
    mostly luma's; for colour give ab, and divide by `mean_squared_chroma`, so that paler is not
    steadier.

    Args:
        frames: `[h,w,c]` each, in any unit; the result is in its square.
        lumas: The source's luma, `[h,w]`, 8 bits, one a frame.
        cuts: First frames of scenes; the pair that ends there is left out.
    """
    errors = []
    for t in range(1, len(frames)):
        if t in cuts:
            continue
        path = find_path(lumas[t - 1], lumas[t])
        if path.visible.any():
            difference = frames[t] - warp(frames[t - 1], path.flow)
            errors.append(float((difference[path.visible] ** 2).mean()))
    return float(np.mean(errors)) if errors else 0.0


def mean_squared_chroma(frames: Sequence[Frame]) -> float:
    """Mean square of ab `[h,w,2]` over all frames, in ab's own square."""
    return float(np.mean([(frame**2).mean() for frame in frames]))


def pulsing(frames: Sequence[Frame], truth: Sequence[Frame]) -> float:
    """Amplitude of the drift of a scene's colour: of the mean ab error over time.

    Args:
        frames: ab of one scene, `[h,w,2]` each.
        truth: The true ab, likewise.

    Returns:
        Root mean square of the frame-mean error about its own mean, times the square root of 2:
        for a sine its amplitude.
    """
    error = np.array([(f - t).mean(axis=(0, 1)) for f, t in zip(frames, truth, strict=True)])
    spread = error - error.mean(axis=0)
    return float(np.sqrt(2 * (spread**2).sum(axis=1).mean()))

"""Temporal stability of colour: warp error along optical flow, and pulsing.

Flow is computed on the source's luma, so that all results are measured along the same paths. It is
OpenCV's DIS, or RAFT if its weights are installed (`vscolor.metrics.raft`). Pixels where it is
unreliable (occlusions, motion boundaries) are left out, by the tests of Ruder et al. 2016 that Lai
et al. 2018 use.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

type Flow = NDArray[np.float32]
type Mask = NDArray[np.bool_]
type Plane = NDArray[np.uint8]
type Frame = NDArray[np.floating] | NDArray[np.uint8]
type FlowFinder = Callable[[Plane, Plane], Flow]


@dataclass(frozen=True)
class BackwardFlow:
    """Where each pixel of a frame was in the frame before.

    Attributes:
        flow: `[h,w,2]`, x and y, in pixels, from the later frame to the earlier.
        visible: `[h,w]`, whether the pixel is visible there and its flow reliable.
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


def find_backward_flow(earlier: Plane, later: Plane, find: FlowFinder = find_flow) -> BackwardFlow:
    """Flow from a frame back to an earlier one, computed on luma `[h,w]`, 8 bits.

    Args:
        earlier: Luma of the earlier frame.
        later: Luma of the later one.
        find: Estimates flow from its first plane to its second.
    """
    back, forth = find(later, earlier), find(earlier, later)
    return BackwardFlow(back, ~_occluded(back, forth) & ~_motion_boundary(back))


def warp(frame: Frame, flow: Flow) -> NDArray[np.float32]:
    """Warp a frame `[h,w,c]` along a flow that points into it; edges are repeated."""
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
    """Where the forward-backward check fails (Ruder et al. 2016, eq. 6) or flow points outside."""
    height, width = back.shape[:2]
    returned = warp(forth, back)
    gap = ((back + returned) ** 2).sum(-1)
    length = (back**2).sum(-1) + (returned**2).sum(-1)
    x = np.arange(width) + back[..., 0]
    y = np.arange(height)[:, None] + back[..., 1]
    outside = (x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)
    return np.asarray((gap > 0.01 * length + 0.5) | outside)


def _motion_boundary(flow: Flow) -> Mask:
    """Motion boundaries, where the flow is discontinuous (Ruder et al. 2016, equation 7)."""
    change = sum(
        (np.gradient(flow[..., c], axis=axis) ** 2 for c in (0, 1) for axis in (0, 1)),
        start=np.zeros(flow.shape[:2], np.float32),
    )
    return np.asarray(change > 0.01 * (flow**2).sum(-1) + 0.002)


class Tracker:
    """Flow back to the frame before and to the scene's first, as frames come one by one.

    Args:
        find: Estimates flow.
        far: Whether flow to the scene's first frame is computed too, at the same cost again.
    """

    def __init__(self, find: FlowFinder = find_flow, far: bool = False) -> None:
        self._find = find
        self._far = far
        self._last: Plane | None = None
        self._first: Plane | None = None

    def add(self, luma: Plane, cut: bool = False) -> Motion:
        """Compute the flow of the next frame.

        Args:
            luma: Its luma, `[h,w]`, 8 bits.
            cut: Whether a scene begins here.
        """
        if cut or self._last is None or self._first is None:
            self._last = self._first = luma
            return Motion(None, None)
        near = find_backward_flow(self._last, luma, self._find)
        if not self._far:
            far = None
        elif self._first is self._last:
            far = near
        else:
            far = find_backward_flow(self._first, luma, self._find)
        self._last = luma
        return Motion(near, far)


@dataclass(frozen=True)
class Motion:
    """A frame's backward flow; None where its scene begins, or if it was not requested.

    Attributes:
        to_previous: To the frame before.
        to_first: To the first frame of its scene.
    """

    to_previous: BackwardFlow | None
    to_first: BackwardFlow | None


def flow_error(earlier: Frame, later: Frame, path: BackwardFlow | None) -> float:
    """Mean squared difference between a frame and an earlier one warped to it.

    Args:
        earlier: `[h,w,c]`.
        later: Likewise.
        path: Flow from `later` back to `earlier`.

    Returns:
        The mean over visible pixels and channels; NaN without flow or a visible pixel.
    """
    if path is None or not path.visible.any():
        return math.nan
    difference = later - warp(earlier, path.flow)
    return float((difference[path.visible] ** 2).mean())


def warp_error(
    frames: Sequence[Frame],
    lumas: Sequence[Plane],
    cuts: Collection[int] = (),
    *,
    far: bool = False,
    find: FlowFinder = find_flow,
) -> float:
    """Mean squared difference between each frame and an earlier one, along the source's motion.

    The survey's section 5.4 multiplies the sum over a pair's visible pixels by hw/(hw - M), M being
    the number of masked pixels, and adds up the pairs, so it grows with the size and length of a
    clip. This follows common practice instead (Lai et al. 2018, equation 8): the mean over visible
    pixels and channels, then over pairs.

    On RGB, luma dominates; for colour pass ab, and divide by `mean_squared_chroma`, so that paler
    results do not count as steadier.

    Args:
        frames: `[h,w,c]` each, in any unit; the result is in its square.
        lumas: The source's luma, `[h,w]`, 8 bits, one per frame.
        cuts: First frames of scenes; the pair that ends there is left out.
        far: Whether each frame is compared with the first of its scene (the long-term warp error of
            Lai et al.) instead of the one before.
        find: Estimates flow.

    Returns:
        The warp error; 0 if there is no pair.
    """
    tracker, errors = Tracker(find, far), []
    first = 0
    for t, (frame, luma) in enumerate(zip(frames, lumas, strict=True)):
        if t in cuts:
            first = t
        motion = tracker.add(luma, t in cuts)
        path, since = (motion.to_first, first) if far else (motion.to_previous, t - 1)
        errors.append(flow_error(frames[max(since, 0)], frame, path))
    known = [error for error in errors if not math.isnan(error)]
    return float(np.mean(known)) if known else 0.0


def mean_squared_chroma(frames: Sequence[Frame]) -> float:
    """Mean square of ab `[h,w,2]` over all frames, in squared ab units."""
    return float(np.mean([(frame**2).mean() for frame in frames]))


def pulsing(frames: Sequence[Frame], truth: Sequence[Frame]) -> float:
    """Amplitude of a scene's colour drift: of the mean ab error over time.

    Args:
        frames: ab of one scene, `[h,w,2]` each.
        truth: The true ab, likewise.

    Returns:
        See `amplitude`.
    """
    errors = [(f - t).mean(axis=(0, 1)) for f, t in zip(frames, truth, strict=True)]
    return amplitude(np.array(errors))


def amplitude(errors: NDArray[np.floating]) -> float:
    """Root mean square of errors `[n,2]` about their own mean, times the square root of 2.

    For a sine that is its amplitude.
    """
    spread = errors - errors.mean(axis=0)
    return float(np.sqrt(2 * (spread**2).sum(axis=1).mean()))

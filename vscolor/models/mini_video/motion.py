"""Motion between two frames at the model's size: optical flow and its luma residual.

DIS (Kroeger et al. 2016, arXiv:1603.03590) in OpenCV, whose result does not depend on the number
of threads. Flows are channels last, as OpenCV needs them; colour planes are separate.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from vscolor.models.base import Array
from vscolor.scratch import per_thread, scratch

from . import architecture as arch
from .resampling import area

MAX_RESIDUAL = 30.0
"""Upper bound of the luma residual, L* units."""


class Search(NamedTuple):
    """DIS parameters that override OpenCV's medium preset.

    Attributes:
        stride: Pixels between patches.
        descents: Maximum gradient descent iterations per patch.
        refinements: Variational refinement iterations at each scale.
        finest: Finest scale, as the number of times the pictures are halved.
    """

    stride: int
    descents: int
    refinements: int
    finest: int


FAR = Search(stride=3, descents=25, refinements=2, finest=1)
"""Between distant frames. With the preset's 5 refinements, warped colour is 0 to 0.2 dB worse; with
none, or at the finest scale, 3 dB worse on a film with a plain background."""

NEAR = Search(stride=5, descents=16, refinements=0, finest=0)
"""Between adjacent frames: full resolution, no refinement. Colour warped over 59 frames is 0.5 dB
better than at the preset's scale, in 1.4 times the time; with refinement too, 0.2 dB less and twice
the time. Also used for the second flow estimate to a reference."""

RESIDUAL_HALVING = 1.0
"""L* units of luma residual that halve a motion's weight."""

MIN_SHARE = 1e-6

MIN_SPREAD = 1.0
MEDIAN = 5
"""Side of the median window, in grid positions, that removes outliers of an initial flow."""


class Motion(NamedTuple):
    """Optical flow from a frame to another one.

    Attributes:
        flow: Displacement in pixels `[h,w,2]`, x then y.
        residual: Mean absolute luma difference after warping, L* units, `[h/4,w/4]`.
    """

    flow: Array
    residual: Array


def find_motion(
    now: Array, then: Array, start: Array | None = None, *, near: bool = False
) -> Motion:
    """Estimate the flow from each pixel of `now` to its position in `then`.

    Args:
        now: L* `[h,w]`, 0..100.
        then: L* `[h,w]`; its brightness and contrast are first adjusted to those of `now`, so that
            the flicker of old film is not mistaken for motion.
        start: An initial flow in pixels on any coarse grid `[r,c,2]`, x then y; may have outliers.
            Flow initialised by correspondence follows large motion: warped colour gains 0.7 to
            2.4 dB over 40 frames of lively clips and loses nothing on calm ones.
        near: Whether to use `NEAR` instead of `FAR`.
    """
    import cv2

    then = _levelled(then, now)
    seen, sought = _bytes(now, "now"), _bytes(then, "then")
    guess = None if start is None else _smooth(start, now.shape)
    search = NEAR if near else FAR
    flow = _estimator(search, now.shape, start is not None).calc(seen, sought, guess)
    residual = scratch("motion.residual", now.shape)
    _remap(then, _places(flow), residual)
    cv2.absdiff(now, residual, dst=residual)
    np.minimum(residual, MAX_RESIDUAL, out=residual)
    return Motion(np.asarray(flow, np.float32), area(residual, arch.FUSE_STRIDE))


def flow_estimates(now: Array, reference: Array, start: Array | None) -> list[Motion]:
    """Two flow estimates from a frame to the only reference of its shot, for `weigh` to compare.

    Correspondence is sometimes wrong where flow without an initial estimate is right.

    Args:
        now: L* `[h,w]`.
        reference: L* `[h,w]`.
        start: As for `find_motion`.
    """
    return [find_motion(now, reference, start), find_motion(now, reference, near=True)]


class FlowWeights(NamedTuple):
    """Relative weights of several motions.

    Attributes:
        shares: Weight of each motion at each position `[M,h/4,w/4]`; sums to 1.
        residual: Weighted mean of the luma residuals, L* units, `[h/4,w/4]`.
    """

    shares: Array
    residual: Array


def weigh(left: Array, weights: Array) -> FlowWeights:
    """Weight motions: at each position, a smaller luma residual gives more weight.

    Args:
        left: Luma residual of each `[M,h/4,w/4]`, L* units.
        weights: Prior weight of each `[M]`.
    """
    shares = weights[:, None, None] * (0.5 ** (left / RESIDUAL_HALVING) + MIN_SHARE)
    shares = np.asarray(shares / shares.sum(axis=0), np.float32)
    return FlowWeights(shares, np.minimum((shares * left).sum(axis=0), MAX_RESIDUAL))


def warp(planes: Iterable[Array], flow: Array, into: Array | None = None) -> Array:
    """Warp planes `[h,w]` of the other frame along a flow of their size.

    Args:
        planes: The planes, warped one by one.
        flow: As `Motion.flow`.
        into: Array to write into; None for a new one.

    Returns:
        `[C,h,w]`.
    """
    planes = list(planes)
    places = _places(flow)
    moved = np.empty((len(planes), *flow.shape[:2]), np.float32) if into is None else into
    for plane, target in zip(planes, moved, strict=True):
        _remap(plane, places, target)
    return moved


def _remap(plane: Array, places: Array, target: Array) -> None:
    """Sample a plane at coordinates `[h,w,2]`, x then y, into `target`."""
    import cv2

    # Both coordinates are in one array; the type stubs allow only two.
    cv2.remap(  # type: ignore[call-overload]
        plane, places, None, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE
    )


def coarser(flow: Array, factor: int) -> Array:
    """A flow at a grid smaller by `factor`, in that grid's pixels."""
    return np.asarray(area(flow, factor) / factor, np.float32)


def _estimator(search: Search, shape: tuple[int, ...], led: bool) -> Any:
    """The thread's DIS instance for a picture size, with (`led`) or without an initial flow.

    Instances keep state: one that was given an initial flow would reuse it in a call without one,
    and one that was used on a small picture keeps the scales chosen for it.
    """
    made: dict[tuple[int, ...], Any] = per_thread(f"motion.{search} {led}", dict)
    if shape not in made:
        made.clear()
        made[shape] = _new_estimator(search)
    return made[shape]


def _new_estimator(search: Search) -> Any:
    import cv2

    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    dis.setPatchStride(search.stride)
    dis.setGradientDescentIterations(search.descents)
    dis.setVariationalRefinementIterations(search.refinements)
    dis.setFinestScale(search.finest)
    return dis


def _smooth(start: Array, shape: tuple[int, ...]) -> Array:
    """An initial flow without its outliers, at the size of the frame `[h,w,2]`."""
    import cv2

    planes = [cv2.medianBlur(np.ascontiguousarray(start[..., i]), MEDIAN) for i in (0, 1)]
    return np.asarray(
        cv2.resize(np.dstack(planes), shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def _places(flow: Array) -> Array:
    """The coordinates a flow `[h,w,2]` points to; the next call for that size overwrites them."""
    height, width = flow.shape[:2]
    places = scratch(f"motion.places {height}", flow.shape)
    np.add(flow[..., 0], np.arange(width, dtype=np.float32), out=places[..., 0])
    np.add(flow[..., 1], np.arange(height, dtype=np.float32)[:, None], out=places[..., 1])
    return np.asarray(places)


def _bytes(luma: Array, name: str) -> np.ndarray:
    scaled = scratch("motion.scaled", luma.shape)
    codes = scratch(f"motion.{name}", luma.shape, np.uint8)
    np.multiply(luma, 2.55, out=scaled)
    np.clip(scaled, 0, 255, out=scaled)
    scaled += 0.5
    np.copyto(codes, scaled, casting="unsafe")
    return np.asarray(codes)


def _levelled(then: Array, now: Array) -> Array:
    """`then` with mean and contrast adjusted to `now`; the next call overwrites it."""
    import cv2

    (now_mean, now_spread), (then_mean, then_spread) = (
        [float(x[0, 0]) for x in cv2.meanStdDev(luma)] for luma in (now, then)
    )
    gain = max(now_spread, MIN_SPREAD) / max(then_spread, MIN_SPREAD)
    # Limited, so that two different pictures are not forced to match.
    gain = min(1.5, max(1 / 1.5, gain))
    level = scratch("motion.level", then.shape)
    np.multiply(then, gain, out=level)
    level += now_mean - gain * then_mean
    return np.asarray(level)

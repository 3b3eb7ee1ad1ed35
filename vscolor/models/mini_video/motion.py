"""Motion between two frames at the model's size: optical flow, and how far to trust it.

DIS (Kroeger et al. 2016, arXiv:1603.03590) in OpenCV, whose result does not depend on the number
of threads. Flows are channels last, as OpenCV wants them; planes of colour are one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from vscolor.models.base import Array
from vscolor.scratch import scratch, thread_local

from . import architecture as arch
from .resampling import area

MAX_RESIDUAL = 30.0
"""L* units; what cannot be explained at all counts as this."""


class Search(NamedTuple):
    """How hard DIS looks, at OpenCV's medium preset but for these.

    Attributes:
        stride: Pixels between the patches that are looked for.
        descents: Most steps of each patch.
        refinements: Steps of the smoothing at each scale.
        finest: The last scale, as how often the pictures are halved.
    """

    stride: int
    descents: int
    refinements: int
    finest: int


FAR = Search(stride=3, descents=25, refinements=2, finest=1)
"""Across many frames. With the preset's 5 refinements colour carried along is 0 to 0.2 dB worse;
with none, or at the finest scale, 3 dB on a film whose background is plain."""

NEAR = Search(stride=5, descents=16, refinements=0, finest=0)
"""From frame to frame: every pixel its own, and no smoothing. Colour carried along 59 frames so is
0.5 dB better than at the preset's scale, in 1.4 times the time; smoothed as well, 0.2 dB less and
twice the time. It also finds the second route to a reference."""

RESIDUAL_HALVING = 1.0
"""L* units of unexplained luma that halve one motion's say against another's."""

MIN_SHARE = 1e-6

MIN_SPREAD = 1.0
MEDIAN = 5
"""Places across of the window in which a guess's strays are outvoted."""


class Motion(NamedTuple):
    """Where a frame's places were in another frame.

    Attributes:
        flow: Displacement in pixels `[h,w,2]`, x then y.
        residual: Mean luma difference left, L* units, `[h/4,w/4]`.
    """

    flow: Array
    residual: Array


def find_motion(
    now: Array, then: Array, start: Array | None = None, *, near: bool = False
) -> Motion:
    """Flow from each place of `now` to its place in `then`.

    Args:
        now: L* `[h,w]`, 0..100.
        then: Likewise; its brightness and contrast are brought to `now`'s first, so that the
            flicker of old film is not taken for motion.
        start: A guess at the displacement, in pixels, on any coarse grid `[r,c,2]`, x then y, with
            strays. Flow that starts from likeness reaches things that moved far: 0.7 to 2.4 dB of
            carried colour over 40 frames of lively clips, and nothing lost on calm ones.
        near: Whether to search as `NEAR` says, not as `FAR`.
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


def flow_candidates(now: Array, reference: Array, start: Array | None) -> list[Motion]:
    """Two ways from a frame to the one reference of its shot, to be weighed against each other.

    Likeness misleads now and then, and flow from nothing is then right.

    Args:
        now: L* `[h,w]`.
        reference: Likewise.
        start: As of `find_motion`.
    """
    return [find_motion(now, reference, start), find_motion(now, reference, near=True)]


class FlowWeights(NamedTuple):
    """What several motions are worth beside each other.

    Attributes:
        shares: Of each motion at each place `[M,h/4,w/4]`; together 1.
        residual: Luma that remains unexplained, L* units, `[h/4,w/4]`.
    """

    shares: Array
    residual: Array


def weigh(left: Array, weights: Array) -> FlowWeights:
    """Weigh motions: at each place the one that explains the luma better counts more.

    Args:
        left: What each leaves unexplained `[M,h/4,w/4]`, L* units.
        weights: How much each counts by itself `[M]`.
    """
    shares = weights[:, None, None] * (0.5 ** (left / RESIDUAL_HALVING) + MIN_SHARE)
    shares = np.asarray(shares / shares.sum(axis=0), np.float32)
    return FlowWeights(shares, np.minimum((shares * left).sum(axis=0), MAX_RESIDUAL))


def warp(planes: Iterable[Array], flow: Array, into: Array | None = None) -> Array:
    """Bring planes `[h,w]` from the other frame along a flow of their size.

    Args:
        planes: What to bring, each of its own.
        flow: As `Motion.flow`.
        into: What to write into; None for a new array.

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
    """Write into `target` what a plane shows at places `[h,w,2]`, x then y."""
    import cv2

    # Both coordinates are in one array; the type stubs know of two alone.
    cv2.remap(  # type: ignore[call-overload]
        plane, places, None, cv2.INTER_LINEAR, dst=target, borderMode=cv2.BORDER_REPLICATE
    )


def coarser(flow: Array, factor: int) -> Array:
    """A flow on a grid so many times smaller, in that grid's pixels."""
    return np.asarray(area(flow, factor) / factor, np.float32)


def _estimator(search: Search, shape: tuple[int, ...], led: bool) -> Any:
    """A thread's own DIS: it keeps buffers, among them a start that it was once given.

    One that is sometimes given a start and sometimes none would go on from the last one. And one
    that met a small picture keeps the scales it chose for it, so another size gets a new one.
    """
    made: dict[tuple[int, ...], Any] = thread_local(f"motion.{search} {led}", dict)
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
    """A guess without its strays, at the size of the frame `[h,w,2]`."""
    import cv2

    planes = [cv2.medianBlur(np.ascontiguousarray(start[..., i]), MEDIAN) for i in (0, 1)]
    return np.asarray(
        cv2.resize(np.dstack(planes), shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32
    )


def _places(flow: Array) -> Array:
    """Where a flow `[h,w,2]` points, likewise; the next call of its size writes over it."""
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
    """`then` with the mean and spread of `now`; the next call writes over it."""
    import cv2

    (now_mean, now_spread), (then_mean, then_spread) = (
        [float(x[0, 0]) for x in cv2.meanStdDev(luma)] for luma in (now, then)
    )
    gain = max(now_spread, MIN_SPREAD) / max(then_spread, MIN_SPREAD)
    # Two different pictures are not to be made alike.
    gain = min(1.5, max(1 / 1.5, gain))
    level = scratch("motion.level", then.shape)
    np.multiply(then, gain, out=level)
    level += now_mean - gain * then_mean
    return np.asarray(level)

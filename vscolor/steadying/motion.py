"""Chroma steadied along motion, over a window of frames.

Motion is found on small luma by block matching (vapoursynth-mvutensils), each neighbour's small
chroma is warped to the current frame, and two estimates follow:

1. the mode: each candidate is weighted by how many others agree with it, so that a pixel that is
   red in most frames and green in some ends up red, where a mean would make it brown;
2. the mean of the modes along the same motion, which removes the remaining noise.

Neighbouring frames share slow pulsing. Against it (`slow`), the colour of coarse cells is compared
`STRIDE` frames apart along the motion and the differences are summed up to 24 frames before and
after: a cell is moved to the mean of its colour over that window.

Only the change is scaled up and added to the full-size chroma, so fine detail stays. A neighbour's
block that does not match (occlusion) or lies beyond a cut is replaced by the frame itself. The
window is finite, so frame n needs no state. All runs in the core, except that `slow` sums its
coarse cells in NumPy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import vapoursynth as vs
import vsutil
from numpy.typing import NDArray

from vscolor import memory, scenes

SHORT_SIDE: Final = 256
MIN_SIDE: Final = 64
MULTIPLE: Final = 8
BLOCK: Final = {"blksize": [16], "overlap": [8]}
# Two chroma values this far apart (8-bit levels, |dU| + |dV|) do not support each other at all.
AGREEMENT: Final = 24.0
MAX_RADIUS: Final = 5
# The property in which mvutensils keeps each block's difference, and a value that never matches.
SAD_PROP: Final = "MVUtensilsAnalysisSAD"
NO_MATCH: Final = 1 << 30
# Short steps, so that blocks still match in fast pans; together they reach 24 frames.
STRIDE: Final = 2
STEPS: Final = 12
FAR_MATCH_FACTOR: Final = 1.5
COARSE_CELL: Final = 16
# A cell's change is averaged with the whole frame's mean: this is the frame's weight, the part of
# the cell that matches (0 to 1) the cell's.
LEAN: Final = 0.1
# Cells drift a little in any film, as light does: a drift below this, in 8-bit levels, is left.
NATURAL_DRIFT: Final = 1.0
EXPR_NAMES: Final = "xyzabcdefghijklmnopqrstuvw"


@dataclass(frozen=True)
class Window:
    """How far to look and which blocks match.

    Attributes:
        radius: Frames to each side, 1 to `MAX_RADIUS`.
        match: Largest mean luma difference of a matching block, 8-bit levels.
        slow: Whether to correct slow pulsing too, which looks further.
    """

    radius: int
    match: float
    slow: bool = False

    @property
    def deltas(self) -> list[int]:
        """Distances of the neighbours, nearest first."""
        return [d for n in range(1, self.radius + 1) for d in (n, -n)]

    @property
    def thsad(self) -> int:
        """`match` in mvutensils' unit, the sum of differences over an 8x8 block."""
        return round(self.match * 64)


def working_size(width: int, height: int) -> tuple[int, int]:
    """Width and height to steady at: short side 256 or the clip's if smaller, no side below 64."""
    scale = min(1.0, SHORT_SIDE / min(width, height))
    sides = (max(MIN_SIDE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (width, height))
    return next(sides), next(sides)


def correction(
    chroma: vs.VideoNode, luma: vs.VideoNode, window: Window, cuts: Iterable[int] | None
) -> list[vs.VideoNode]:
    """What to add to chroma to steady it, at the working size.

    Args:
        chroma: A YUV clip; its U and V are steadied.
        luma: A GRAY clip of the same length and aspect, of any size, to find motion in.
        window: How far to look.
        cuts: First frames of scenes; None to find them in `luma`.

    Returns:
        GRAYS clips for U and V, in units of chroma's nominal span (-0.5..0.5).
    """
    width, height = working_size(chroma.width, chroma.height)
    guide = luma.resize.Bilinear(width, height, vs.GRAY8, range=vs.RANGE_FULL)
    small = chroma.resize.Bilinear(width, height, vs.YUV444P16, range=vs.RANGE_FULL)
    reach = scenes.reach(guide, STRIDE * STEPS if window.slow else window.radius, cuts)
    vectors = _vectors(guide, reach, window.deltas)
    mode = _mode([small, *_along(small, vectors, window.thsad)])
    steady = mode.mvu.Degrain(mode.mvu.Super(**BLOCK), vectors, thsad=[window.thsad], planes=[1, 2])
    fast = _difference(steady, small)
    if not window.slow:
        return fast
    slow = _slow_correction(steady, guide, reach, round(FAR_MATCH_FACTOR * window.thsad))
    return [
        vs.core.std.Expr([f, s.resize.Bicubic(width, height)], "x y +")
        for f, s in zip(fast, slow, strict=True)
    ]


def _difference(after: vs.VideoNode, before: vs.VideoNode) -> list[vs.VideoNode]:
    """U and V of the difference of two 16-bit full-range clips, in nominal units."""
    return [
        vs.core.std.Expr(
            [vsutil.plane(after, p), vsutil.plane(before, p)], f"x y - {1 / 65535!r} *", vs.GRAYS
        )
        for p in (1, 2)
    ]


def _slow_correction(
    steady: vs.VideoNode, guide: vs.VideoNode, reach: vs.VideoNode, thsad: int
) -> list[vs.VideoNode]:
    """U and V to add against slow pulsing, in coarse cells (GRAYS, nominal units)."""
    half = [
        max(MIN_SIDE, round(side / 2 / MULTIPLE) * MULTIPLE)
        for side in (steady.width, steady.height)
    ]
    small = steady.resize.Bilinear(*half)
    vectors = _vectors(guide.resize.Bilinear(*half), reach, [STRIDE])
    steps = _steps(small, vectors, thsad)
    around = [scenes.shift(steps, STRIDE * k) for k in range(-STEPS, STEPS)]
    blank = steps.std.BlankClip(keep=True)
    drift = blank.std.ModifyFrame([blank, reach, *around], _write_drift)
    return [vsutil.plane(drift, p) for p in (1, 2)]


def _steps(small: vs.VideoNode, vectors: list[vs.VideoNode], thsad: int) -> vs.VideoNode:
    """How U and V change over the next `STRIDE` frames, in each coarse cell.

    Plane 0 holds the part of the cell that matches, 0 to 1; planes 1 and 2 the change there, summed
    and divided by the cell's whole area.
    """
    cells = [max(1, side // COARSE_CELL) for side in (small.width, small.height)]
    (moved,) = _along(small, vectors, thsad)
    black, white = (
        vs.core.std.BlankClip(small, format=vs.GRAY16, color=value, keep=True)
        for value in (0, 65535)
    )
    # White warped over black: 65535 where a block matches, 0 elsewhere.
    (vector,) = vectors
    matched = black.mvu.Compensate(white.mvu.Super(**BLOCK), vector, thsad=thsad)
    part = matched.std.Expr(f"x {1 / 65535!r} *", vs.GRAYS)
    planes = [part, *_difference(moved, small)]
    return vs.core.std.ShufflePlanes(
        [plane.resize.Bilinear(*cells) for plane in planes], [0, 0, 0], vs.YUV
    )


def _write_drift(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
    """The mean of each cell's colour over the window minus its colour now, summed from steps."""
    blank, reach, *steps = f
    behind, ahead = (int(reach.props[p]) // STRIDE for p in scenes.REACH_PROPS)
    changes = [_filled(step) for step in steps]
    after = np.cumsum(changes[STEPS : STEPS + min(ahead, STEPS)], axis=0)
    before = -np.cumsum(changes[:STEPS][::-1][: min(behind, STEPS)], axis=0)
    known = [side for side in (after, before) if len(side)]
    frame = blank.copy()
    if known:
        every = np.concatenate(known)
        mean = _beyond_natural(every.sum(axis=0) / (len(every) + 1))
        for plane in (1, 2):
            np.copyto(np.asarray(frame[plane]), mean[plane - 1])
    return frame


def _beyond_natural(drift: NDArray[np.floating]) -> NDArray[np.float32]:
    """A drift `[2,h,w]` without its natural part: the garrote keeps large ones nearly whole."""
    size = np.square(drift * 255).sum(axis=0)
    return np.asarray(
        drift * np.maximum(0, 1 - NATURAL_DRIFT**2 / np.maximum(size, 1e-6)), np.float32
    )


def _filled(step: vs.VideoFrame) -> NDArray[np.float32]:
    """A step's mean change `[2,h,w]`; cells that hardly match get the whole frame's."""
    part, *sums = (np.asarray(step[p]) for p in range(3))
    total = np.stack(sums)
    whole = total.sum(axis=(1, 2), keepdims=True) / max(float(part.sum()), 1e-3)
    return np.asarray((total + LEAN * whole) / (part + LEAN), np.float32)


def _vectors(guide: vs.VideoNode, reach: vs.VideoNode, deltas: Sequence[int]) -> list[vs.VideoNode]:
    """Motion to each neighbour; where that lies beyond a cut, no block matches."""
    prepared = guide.mvu.Super(**BLOCK)
    found = [prepared.mvu.Analyse(delta=d, chroma=False, **BLOCK) for d in deltas]
    return [
        v.std.ModifyFrame([v, reach], _void_beyond(d)) for v, d in zip(found, deltas, strict=True)
    ]


def _void_beyond(delta: int) -> Callable[[int, list[vs.VideoFrame]], vs.VideoFrame]:
    """A callback that makes no block match where `delta` leads out of the scene."""

    def void(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        vectors, reach = f
        memory.tidy()
        behind, ahead = (int(reach.props[p]) for p in scenes.REACH_PROPS)
        # Beyond the clip's ends there are no vectors to void.
        if -behind <= delta <= ahead or SAD_PROP not in vectors.props:
            return vectors
        frame = vectors.copy()
        frame.props[SAD_PROP] = [NO_MATCH] * len(frame.props[SAD_PROP])
        return frame

    return void


def _along(small: vs.VideoNode, vectors: list[vs.VideoNode], thsad: int) -> list[vs.VideoNode]:
    """Each neighbour warped to the current frame."""
    prepared = small.mvu.Super(**BLOCK)
    return [small.mvu.Compensate(prepared, v, thsad=thsad) for v in vectors]


def _mode(candidates: list[vs.VideoNode]) -> vs.VideoNode:
    """The densest of the candidates' chroma: a mean weighted by the cube of each one's support."""
    count = len(candidates)
    u, v = ([vsutil.plane(c, p) for c in candidates] for p in (1, 2))
    names = EXPR_NAMES[: 2 * count]
    weights = [
        vs.core.std.Expr([*u, *v], _support_expr(i, names[:count], names[count:]), vs.GRAYS)
        for i in range(count)
    ]
    blend = _blend_expr(names[:count], names[count:])
    planes = [vs.core.std.Expr([*weights, *values], blend, vs.GRAY16) for values in (u, v)]
    return vs.core.std.ShufflePlanes([candidates[0], *planes], [0, 0, 0], vs.YUV)


def _support_expr(own: int, u: str, v: str) -> str:
    """How many candidates agree with one, itself included, to the third power."""
    per_level = 1 / (AGREEMENT * 257)
    terms = [
        f"1 {u[own]} {u[i]} - abs {v[own]} {v[i]} - abs + {per_level!r} * - 0 max"
        for i in range(len(u))
        if i != own
    ]
    return f"{' '.join(terms)} {'+ ' * (len(terms) - 1)}1 + dup dup * *"


def _blend_expr(weights: str, values: str) -> str:
    """The weighted mean of the values."""
    terms = " ".join(f"{w} {x} *" for w, x in zip(weights, values, strict=True))
    plus = "+ " * (len(weights) - 1)
    return f"{terms} {plus}{' '.join(weights)} {plus}/"

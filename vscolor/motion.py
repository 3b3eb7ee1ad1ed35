"""Chroma steadied along motion: a window of frames, found on the luma, in the core.

Motion is found on small luma by block matching (vapoursynth-mvutensils), each neighbour's small
chroma is brought to the current frame along it, and two estimates follow each other:

1. the mode: each candidate is weighted by how many others agree with it, so that a place that is
   red in most frames and green in some ends up red, where a mean would make it brown;
2. the mean of the modes along the same motion, which takes the noise that is left.

What that changes is scaled up and added to the full-size chroma, so fine detail stays. A neighbour
whose block does not match (occlusion) or that lies beyond a cut counts as the frame itself. The
window is finite, so frame n needs no state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import vapoursynth as vs
import vsutil

from vscolor import scenes

SHORT_SIDE: Final = 256
LEAST_SIDE: Final = 64
MULTIPLE: Final = 8
BLOCK: Final = {"blksize": [16], "overlap": [8]}
# Two chroma values this far apart (8-bit levels, |dU| + |dV|) do not support each other at all.
AGREEMENT: Final = 24.0
MAX_RADIUS: Final = 5
# Where mvutensils keeps each block's difference, and one it takes for a change of scene.
SAD_PROP: Final = "MVUtensilsAnalysisSAD"
NO_MATCH: Final = 1 << 30
EXPR_NAMES: Final = "xyzabcdefghijklmnopqrstuvw"


@dataclass(frozen=True)
class Window:
    """How far to look and what to take for the same thing.

    Attributes:
        radius: Frames to each side, 1 to `MAX_RADIUS`.
        match: Largest mean luma difference of a matching block, 8-bit levels.
    """

    radius: int
    match: float

    @property
    def deltas(self) -> list[int]:
        """Distances of the neighbours, nearest first."""
        return [d for n in range(1, self.radius + 1) for d in (n, -n)]

    @property
    def thsad(self) -> int:
        """`match` in mvutensils' unit, the sum over an 8x8 block."""
        return round(self.match * 64)


def working_size(width: int, height: int) -> tuple[int, int]:
    """Width and height chroma is steadied at: short side 256, never larger than the clip."""
    scale = min(1.0, SHORT_SIDE / min(width, height))
    sides = (max(LEAST_SIDE, round(side * scale / MULTIPLE) * MULTIPLE) for side in (width, height))
    return next(sides), next(sides)


def correction(
    chroma: vs.VideoNode, luma: vs.VideoNode, window: Window, cuts: Iterable[int] | None
) -> list[vs.VideoNode]:
    """What to add to chroma to steady it, at the working size.

    Args:
        chroma: A YUV clip; its U and V are steadied.
        luma: A GRAY clip of the same length and shape, of any size, that tells what moved.
        window: Where to look.
        cuts: First frames of scenes; None to find them in `luma`.

    Returns:
        GRAYS clips for U and V, in units of chroma's nominal span (-0.5..0.5).
    """
    width, height = working_size(chroma.width, chroma.height)
    guide = luma.resize.Bilinear(width, height, vs.GRAY8, range=vs.RANGE_FULL)
    small = chroma.resize.Bilinear(width, height, vs.YUV444P16, range=vs.RANGE_FULL)
    reach = scenes.reach(guide, window.radius, cuts)
    vectors = _vectors(guide, reach, window)
    mode = _mode([small, *_along(small, vectors, window)])
    steady = mode.mvu.Degrain(mode.mvu.Super(**BLOCK), vectors, thsad=[window.thsad], planes=[1, 2])
    return [
        vs.core.std.Expr(
            [vsutil.plane(steady, p), vsutil.plane(small, p)], f"x y - {1 / 65535!r} *", vs.GRAYS
        )
        for p in (1, 2)
    ]


def _vectors(guide: vs.VideoNode, reach: vs.VideoNode, window: Window) -> list[vs.VideoNode]:
    """Motion to each neighbour, void where the neighbour lies beyond a cut."""
    prepared = guide.mvu.Super(**BLOCK)
    found = [prepared.mvu.Analyse(delta=d, chroma=False, **BLOCK) for d in window.deltas]
    return [
        v.std.ModifyFrame([v, reach], _void_beyond(d))
        for v, d in zip(found, window.deltas, strict=True)
    ]


def _void_beyond(delta: int) -> Callable[[int, list[vs.VideoFrame]], vs.VideoFrame]:
    """A callback that makes no block match where `delta` leads out of the scene."""

    def void(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        vectors, reach = f
        behind, ahead = (int(reach.props[p]) for p in scenes.REACH_PROPS)
        # Beyond the clip's ends there are no vectors to void.
        if -behind <= delta <= ahead or SAD_PROP not in vectors.props:
            return vectors
        frame = vectors.copy()
        frame.props[SAD_PROP] = [NO_MATCH] * len(frame.props[SAD_PROP])
        return frame

    return void


def _along(small: vs.VideoNode, vectors: list[vs.VideoNode], window: Window) -> list[vs.VideoNode]:
    """Each neighbour moved to where its blocks are now."""
    prepared = small.mvu.Super(**BLOCK)
    return [small.mvu.Compensate(prepared, v, thsad=window.thsad) for v in vectors]


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

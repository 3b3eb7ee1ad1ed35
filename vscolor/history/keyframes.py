"""Which keyframes a frame takes its colours from: pure arithmetic on frame numbers, no clips.

A scene's first keyframe lies `DELAY` frames after the cut, past most flashes; if it is much darker
than the frame `LATER_DELAY` after the cut (a fade-in), that one replaces it. A long scene has more
keyframes at multiples of `SPACING`, so that the search for its start is bounded; between two of
them a frame takes from both, weighted by distance, so a difference becomes a slow drift and never a
step. Keyframes lie before the frame, or at most `LATER_DELAY` frames after it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log2
from typing import Final, NamedTuple

SPACING: Final = 48
"""Frames between the keyframes of a long scene."""

DELAY: Final = 6
"""Frames from a cut to the scene's first keyframe."""

LATER_DELAY: Final = 32
"""Frames from a cut to the frame that replaces a first keyframe that is too dark."""

DARK_RATIO: Final = 0.6
"""The first keyframe is too dark if its mean L* is below this part of the later frame's."""

GROUP: Final = 16
"""Frames in a group; cuts are gathered by group."""

GROUPS_BEFORE: Final = -(-(SPACING * 5 // 2 + DELAY) // GROUP)
"""Groups before a frame's own that are searched for its scene's start."""

GROUPS_AFTER: Final = -(-LATER_DELAY // GROUP)
NEARNESS: Final = 48
"""Frames over which a reference's weight halves."""

REACH: Final = 480
"""Frames before and after a reference that are searched for its scene's ends, without a list."""

ANYWHERE: Final = 0.25
"""Weight of a reference that belongs to no frame."""

FARTHEST: Final = 32 * NEARNESS
"""Frames by which a weight may fall: beyond them it would vanish in rounding."""


class Keyframe(NamedTuple):
    """A frame to take colours from.

    Attributes:
        frame: Its number.
        weight: How much it counts, above 0, at most 1.
        later: The frame that replaces this one if this one is too dark; None for none.
    """

    frame: int
    weight: float
    later: int | None = None


class Scene(NamedTuple):
    """A scene's first frame and end (exclusive); None where the search did not reach."""

    start: int | None
    end: int | None


UNKNOWN: Final = Scene(None, None)


def scene_around(n: int, cuts: Sequence[int], first: int, last: int, length: int) -> Scene:
    """Find a frame's scene from the cuts in the searched range.

    Args:
        n: The frame.
        cuts: All first frames of scenes from `first` to `last`, ascending.
        first: First frame that was searched.
        last: Last frame that was searched.
        length: Of the clip.
    """
    at = bisect_right(cuts, n)
    start = cuts[at - 1] if at else (0 if first <= 0 else None)
    end = cuts[at] if at < len(cuts) else (length if last >= length - 1 else None)
    return Scene(start, end)


def keyframes_of(n: int, scene: Scene) -> list[Keyframe]:
    """The keyframes of frame n, one or two, their weights summing to 1.

    `scene.start` may be unknown only if it is more than `GROUPS_BEFORE` groups before.
    """
    begin = None if scene.start is None else first_keyframe(scene.start, scene.end)
    latest = n // SPACING * SPACING
    if begin is not None and latest < begin + SPACING // 2:
        return [Keyframe(begin, 1.0, later_keyframe(scene))]
    before = latest - SPACING
    later = None
    if begin is not None and before < begin + SPACING // 2:
        before, later = begin, later_keyframe(scene)
    share = (n - latest) / SPACING
    return [Keyframe(before, 1.0 - share, later), *([Keyframe(latest, share)] if share else [])]


def first_keyframe(start: int, end: int | None) -> int:
    """The first keyframe of a scene; `end` may be None if it is more than `DELAY` after `start`."""
    key = start + DELAY
    return key if end is None else min(key, end - 1)


def later_keyframe(scene: Scene) -> int | None:
    """The frame that may replace a scene's first keyframe; None if the scene has no other."""
    assert scene.start is not None
    later = scene.start + LATER_DELAY
    later = later if scene.end is None else min(later, scene.end - 1)
    return None if later == first_keyframe(scene.start, scene.end) else later


def is_dark(first: float, later: float) -> bool:
    """Whether a first keyframe of this mean L* is too dark compared with the later frame."""
    return first < DARK_RATIO * later - 1.0  # not if both are black


def searched(n: int) -> tuple[int, int]:
    """First and last frame (may be beyond the clip) whose cuts decide frame n's keyframes."""
    group = n // GROUP
    return (group - GROUPS_BEFORE) * GROUP, (group + GROUPS_AFTER + 1) * GROUP - 1


def nearness(n: int, frame: int | None, nearest: float = 0) -> float:
    """Weight for frame n of a reference that belongs to `frame`, or to none.

    Args:
        n: The frame.
        frame: The reference's frame.
        nearest: Distance of the nearest reference of the scene; where it is more than `FARTHEST`,
            all are weighted as if they were nearer by the rest.
    """
    if frame is None:
        return ANYWHERE
    away = abs(n - frame) - max(0, nearest - FARTHEST)
    return float(0.5 ** (min(away, 2 * FARTHEST) / NEARNESS))


def distance(n: int, frame: int | None) -> float:
    """Frames from frame n to a reference's.

    A reference without a frame ranks as at the distance where its weight would be `ANYWHERE`.
    """
    return -NEARNESS * log2(ANYWHERE) if frame is None else abs(n - frame)

"""Which frames a frame takes its colours from: pure integers, no clips.

A scene's first key lies a few frames behind its cut, past most flashes; where the scene is still
being faded in there, a frame further on stands in for it.
A long scene gets further keys at fixed multiples, so that a search has an end; between two keys a
frame takes from both by distance, so a difference becomes a slow drift and never a step. Keys lie
behind a frame, or a few frames ahead: nothing far ahead is ever asked for.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log2
from typing import Final, NamedTuple

SPACING: Final = 48
"""Frames between the keys of a long scene."""

DELAY: Final = 6
"""Frames from a cut to the scene's first key."""

LATER_DELAY: Final = 32
"""Frames from a cut to the frame that stands in for a first key that is too dark."""

DARK_RATIO: Final = 0.6
"""Mean L* of a first key, over that of the later frame, below which it is."""

GROUP: Final = 16
"""Cuts are gathered by groups of frames."""

GROUPS_BEFORE: Final = -(-(SPACING * 5 // 2 + DELAY) // GROUP)
"""Groups behind a frame's own that are searched for its scene's start."""

GROUPS_AFTER: Final = -(-LATER_DELAY // GROUP)
NEARNESS: Final = 48
"""Frames over which a reference's weight falls by half."""

REACH: Final = 480
"""Frames each way that a reference's scene is searched for its ends, where no list tells them."""

ANYWHERE: Final = 0.25
"""Weight of a reference that belongs to no frame."""


class Keyframe(NamedTuple):
    """A frame to take colours from.

    Attributes:
        frame: Its number.
        weight: How much it counts, above 0 to 1.
        later: The frame that stands in where this one is dark beside it; None for none.
    """

    frame: int
    weight: float
    later: int | None = None


class Scene(NamedTuple):
    """A scene's first frame and the one behind its last; None where the search did not reach."""

    start: int | None
    end: int | None


UNKNOWN: Final = Scene(None, None)


def scene_around(n: int, cuts: Sequence[int], first: int, last: int, length: int) -> Scene:
    """Find a frame's scene in what is known of the cuts.

    Args:
        n: The frame.
        cuts: All first frames of scenes from `first` to `last`, rising.
        first: First frame that was searched.
        last: Last frame that was searched.
        length: Of the clip.
    """
    at = bisect_right(cuts, n)
    start = cuts[at - 1] if at else (0 if first <= 0 else None)
    end = cuts[at] if at < len(cuts) else (length if last >= length - 1 else None)
    return Scene(start, end)


def keyframes_of(n: int, scene: Scene) -> list[Keyframe]:
    """The keys of frame n, one or two, weights summing to 1.

    `scene.start` may be unknown only where it is more than `GROUPS_BEFORE` groups back.
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
    """The first key of a scene; its end may be unknown where it is more than `DELAY` away."""
    key = start + DELAY
    return key if end is None else min(key, end - 1)


def later_keyframe(scene: Scene) -> int | None:
    """The frame that may stand in for a scene's first key; None where the scene has no other."""
    assert scene.start is not None
    later = scene.start + LATER_DELAY
    later = later if scene.end is None else min(later, scene.end - 1)
    return None if later == first_keyframe(scene.start, scene.end) else later


def is_dark(first: float, later: float) -> bool:
    """Whether a first key of such a mean L* shows too little beside the later frame."""
    return first < DARK_RATIO * later - 1.0  # black beside black is no darker


def searched(n: int) -> tuple[int, int]:
    """The first and last frame whose cuts frame n's keys depend on (beyond the clip's ends too)."""
    group = n // GROUP
    return (group - GROUPS_BEFORE) * GROUP, (group + GROUPS_AFTER + 1) * GROUP - 1


def nearness(n: int, frame: int | None) -> float:
    """Weight of a reference that belongs to a frame, or to none, for frame n."""
    return ANYWHERE if frame is None else float(0.5 ** (abs(n - frame) / NEARNESS))


def distance(n: int, frame: int | None) -> float:
    """Frames from frame n to the one that a reference belongs to; one of none weighs as if."""
    return -NEARNESS * log2(ANYWHERE) if frame is None else abs(n - frame)

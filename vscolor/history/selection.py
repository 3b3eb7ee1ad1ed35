"""Which references a frame takes from, and how much each of them counts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import vapoursynth as vs

from vscolor.history import keyframes
from vscolor.history.gather import cuts_of

KEYFRAME_WEIGHT: Final = 0.02
"""Of the scene's keyframes beside hints, or references of other scenes or films."""

MAX_REFERENCES: Final = 4
"""How many references a frame takes from, at most: the nearest in time."""


@dataclass(frozen=True)
class PreparedReference:
    """A reference, or the hints of a frame, as an exemplar and the scene it applies to.

    Attributes:
        name: For messages and debug marks.
        exemplar: A clip of one frame: the packed exemplar, see `rows.Shape`.
        frame: The frame of the film it belongs to; None for any.
        full_frame: Whether it colours the whole picture, as references do and hints do not.
        cross_scene: Whether scenes without a reference take from it, by correspondence.
        scene: The scene of `frame`, if there is a list of cuts.
        nearby_cuts: Without a list, a clip of one frame whose `CUTS` are those around `frame`.
    """

    name: str
    exemplar: vs.VideoNode
    frame: int | None
    full_frame: bool
    cross_scene: bool
    scene: keyframes.Scene | None = None
    nearby_cuts: vs.VideoNode | None = None

    def may_apply_to(self, n: int, scene: keyframes.Scene = keyframes.UNKNOWN) -> bool:
        """Whether it may apply to frame n, judged by frame numbers alone.

        Args:
            n: The frame.
            scene: What is known of that frame's scene.
        """
        if self.frame is None:
            return True
        if self.scene:
            return _within(n, self.scene)
        return abs(self.frame - n) <= keyframes.REACH and _within(self.frame, scene)

    def applies_to(self, n: int, nearby_cuts: vs.VideoFrame | None, length: int) -> bool:
        """Whether frame n is in its scene; `nearby_cuts` is a frame of the clip of that name."""
        if not self.may_apply_to(n):
            return False
        if self.frame is None or nearby_cuts is None:
            return True
        reach = (self.frame - keyframes.REACH, self.frame + keyframes.REACH)
        return _within(n, keyframes.scene_around(self.frame, cuts_of(nearby_cuts), *reach, length))


class SelectedReference(NamedTuple):
    """A reference that a frame takes from.

    Attributes:
        reference: The reference.
        weight: How much it counts beside others, above 0.
        same_shot: Whether it belongs to the frame's own scene.
    """

    reference: PreparedReference
    weight: float
    same_shot: bool


def candidates(
    references: Sequence[PreparedReference], n: int, scene: keyframes.Scene
) -> list[PreparedReference]:
    """References that may apply to frame n, those that may be in its scene first.

    Both kinds are sorted by distance in time, then the list is cut short. On either side of n a
    farther reference can be in the scene only if the nearer ones are, so no reference of the scene
    is cut off in favour of one outside it.

    Args:
        references: The user's.
        n: The frame.
        scene: What is known of its scene.
    """
    ranked = sorted(
        (r for r in references if r.cross_scene or r.may_apply_to(n)),
        key=lambda r: (not r.may_apply_to(n, scene), keyframes.distance(n, r.frame)),
    )
    return ranked[: 2 * MAX_REFERENCES]


def select(
    n: int, given: Sequence[PreparedReference], nearby_cuts: Iterable[vs.VideoFrame], length: int
) -> dict[int, SelectedReference]:
    """The references that frame n takes from, by their index in `given`.

    A scene without a reference takes from those of other scenes, by correspondence alone, as from
    a picture of another film.

    Args:
        n: The frame.
        given: As `candidates` returns them.
        nearby_cuts: A frame of `nearby_cuts` of each reference that has such a clip.
        length: Of the clip.
    """
    coming = iter(nearby_cuts)
    cuts = [next(coming) if r.nearby_cuts is not None else None for r in given]
    at_home = [r.applies_to(n, frame, length) for r, frame in zip(given, cuts, strict=True)]
    own = [home and r.frame is not None for r, home in zip(given, at_home, strict=True)]
    provided = any(mine and r.full_frame for r, mine in zip(given, own, strict=True))
    chosen = [i for i, r in enumerate(given) if at_home[i] or (r.cross_scene and not provided)]
    chosen.sort(key=lambda i: not own[i])
    distances = [keyframes.distance(n, r.frame) for r, mine in zip(given, own, strict=True) if mine]
    nearest = min(distances, default=0)
    return {
        i: SelectedReference(
            given[i],
            keyframes.nearness(n, given[i].frame, nearest) if own[i] else keyframes.ANYWHERE,
            own[i],
        )
        for i in chosen[:MAX_REFERENCES]
    }


def keyframe_weight(selected: Collection[SelectedReference]) -> float:
    """Factor on the weights of the scene's own keyframes, 0 to 1.

    It is 0 beside a reference of the scene: what that does not show (things that enter the picture
    later) keeps the frame's own colouring. Hints colour only a part of a frame, so beside them
    keyframes still count a little.
    """
    if any(s.same_shot and s.reference.full_frame for s in selected):
        return 0.0
    return KEYFRAME_WEIGHT if selected else 1.0


def _within(n: int, scene: keyframes.Scene) -> bool:
    return (scene.start is None or scene.start <= n) and (scene.end is None or n < scene.end)

"""Cuts near each frame, collected per group of `keyframes.GROUP` frames.

A frame needs the cuts within a hundred frames of it; requesting these one by one would take a
hundred inputs a frame. So the cuts of each group are collected once and neighbouring groups joined.
"""

from __future__ import annotations

from typing import Any, Final

import vapoursynth as vs

from vscolor.batching import every, pad
from vscolor.history import keyframes
from vscolor.scenes import shift

CUTS: Final = "_vscolor_cuts"


def cuts_in_groups(flags: vs.VideoNode) -> vs.VideoNode:
    """The cuts in each group of frames, as the property `CUTS` of a tiny frame.

    Args:
        flags: A clip with `_SceneChangePrev`.

    Returns:
        A clip of one frame for each `keyframes.GROUP` frames. Each list starts with -1, since it
        must not be empty.
    """
    padded = pad(flags, -flags.num_frames % keyframes.GROUP)
    last = flags.num_frames - 1
    members = [every(padded, keyframes.GROUP, i) for i in range(keyframes.GROUP)]
    blank = vs.core.std.BlankClip(members[0], keep=True)

    def gather(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame = f[0].copy()
        first = n * keyframes.GROUP
        frame.props[CUTS] = [
            -1,
            *(
                first + i
                for i, flag in enumerate(f[1:])
                if flag.props["_SceneChangePrev"] and 0 < first + i <= last
            ),
        ]
        return frame

    return blank.std.ModifyFrame([blank, *members], gather)


def gathered_cuts(groups: vs.VideoNode, behind: int, ahead: int) -> vs.VideoNode:
    """The cuts in and around each group of frames.

    Args:
        groups: As `cuts_in_groups` returns them.
        behind: How many groups before it to include.
        ahead: How many groups after it to include.

    Returns:
        A clip like `groups`.
    """
    blank = vs.core.std.BlankClip(groups, keep=True)

    def join(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        frame = f[0].copy()
        cuts = {cut for group in f[1:] for cut in _listed(group.props[CUTS])}
        frame.props[CUTS] = sorted(cuts)
        return frame

    around = [shift(groups, d) for d in range(-behind, ahead + 1)]
    return blank.std.ModifyFrame([blank, *around], join)


def _listed(value: Any) -> list[int]:
    return [value] if isinstance(value, int) else list(value)


def cuts_of(frame: vs.VideoFrame) -> list[int]:
    """The cuts listed on a frame of `gathered_cuts`."""
    return [cut for cut in _listed(frame.props[CUTS]) if cut >= 0]


def cuts_within(groups: vs.VideoNode, reach: int) -> vs.VideoNode:
    """The cuts of each group and of the groups within `reach` frames of it."""
    far = -(-reach // keyframes.GROUP)
    return gathered_cuts(groups, far, far)

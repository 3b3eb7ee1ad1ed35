"""What the frames around a frame say of cuts, gathered group by group.

A frame needs to know the cuts within a hundred frames of it; asking for them one by one would
take a hundred inputs a frame. Groups of frames are asked once and their answers joined.
"""

from __future__ import annotations

from typing import Any, Final

import vapoursynth as vs

from vscolor.batching import every, pad
from vscolor.history import keyframes
from vscolor.scenes import shift

CUTS: Final = "_vscolor_cuts"


def cuts_in_groups(flags: vs.VideoNode) -> vs.VideoNode:
    """For each group of frames the cuts in it, as the property `CUTS` of a tiny frame.

    Args:
        flags: A clip with `_SceneChangePrev`.

    Returns:
        A clip of one frame a group of `keyframes.GROUP` frames; -1 leads each list, which may not
        be empty.
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
    """For each group of frames the cuts around it.

    Args:
        groups: Of `cuts_in_groups`.
        behind: Groups before.
        ahead: Groups after.

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
    """The cuts a frame of `gathered_cuts` tells."""
    return [cut for cut in _listed(frame.props[CUTS]) if cut >= 0]


def cuts_within(groups: vs.VideoNode, reach: int) -> vs.VideoNode:
    """For each group of frames the cuts within `reach` frames of its own."""
    far = -(-reach // keyframes.GROUP)
    return gathered_cuts(groups, far, far)

"""Steadying networks with memory, run in blocks.

VapourSynth guarantees no order of requests, so one callback makes a whole block of frames: it
begins some frames earlier, to warm up the memory, steps through the block, and starts afresh at
cuts. Where a scene has no earlier frames, the warm-up runs backwards through the later ones. So
frame n depends only on the frames near n. Where two blocks meet, both make the same few frames, and
one is cross-faded into the other. A node makes one tall frame a block; several nodes (lanes) take
the blocks in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import scenes
from vscolor.batching import cut_apart, every, interleave, pack, pad
from vscolor.errors import VscolorError
from vscolor.memory import tidy
from vscolor.models.base import Array
from vscolor.models.stepper import Picture, Stepper
from vscolor.scenes import starts_scene
from vscolor.steadying.pictures import read_picture

BREADTH: Final = 1 / 8
"""Sigma of the blur of the shift that `centred` makes, over the short side."""


@dataclass(frozen=True)
class Blocks:
    """How a clip is cut.

    Attributes:
        frames: Length of the clip.
        length: Frames of a block.
        overlap: Frames at its end that the next block makes too, and into which it is cross-faded.
        warm_up: Frames before those a block makes, or after a scene's start, that warm up the
            memory.
        lanes: Nodes that work at the same time.
    """

    frames: int
    length: int
    overlap: int
    warm_up: int
    lanes: int

    @property
    def cycle(self) -> int:
        """Frames after which the pattern of lanes repeats."""
        return self.length * self.lanes

    @property
    def padding(self) -> int:
        """How often the last frame is repeated: at least a block, for the last cross-fade."""
        return self.length + -(self.frames + self.length) % self.cycle

    @property
    def made(self) -> range:
        """Positions in the window of the frames that a block makes."""
        return range(self.warm_up, self.warm_up + self.overlap + self.length)

    def window(self, lane: int, cycle: int) -> range:
        """The frames that a block's callback gets; some may be beyond the clip's ends."""
        first = cycle * self.cycle + lane * self.length
        return range(first - self.overlap - self.warm_up, first + self.length + self.warm_up)

    def share_of_next(self, place: int) -> float:
        """Weight of the next block in the frame at a position of a block."""
        into = place - (self.length - self.overlap) + 1
        return max(0, into) / (self.overlap + 1)


def warm_up_order(starts: Sequence[bool], at: int, warm_up: int) -> list[int]:
    """Which frames to step through before frame `at`, in order.

    Args:
        starts: For each frame of the window whether it is the first of its scene.
        at: A frame's position in the window.
        warm_up: Most frames to step through.

    Returns:
        Positions in the window: the frames before `at` in its scene; if these are too few, first
        as many as are missing of those after the scene's start, backwards.
    """
    begin = at
    while begin > max(0, at - warm_up) and not starts[begin]:
        begin -= 1
    end = begin + 1
    while end < len(starts) and not starts[end] and end - begin <= warm_up - (at - begin):
        end += 1
    mirrored = range(end - 1, begin, -1) if starts[begin] else range(0)
    return [*mirrored, *range(begin, at)]


def places_of_scene(starts: Sequence[bool], at: int) -> range:
    """Positions in the window of the frames of the scene of frame `at`."""
    first = max((i for i in range(at + 1) if starts[i]), default=0)
    return range(first, next((i for i in range(at + 1, len(starts)) if starts[i]), len(starts)))


def centred(chroma: Array, scene: Sequence[Array]) -> Array:
    """A frame's chroma shifted, at low frequencies, to the median of its scene.

    The frame a network begins with stays in its memory for long. One that flickers is a bad start,
    and two blocks that begin with different ones would differ where they meet.

    Args:
        chroma: `[1,2,h,w]`.
        scene: Likewise, of the scene's frames in the window.
    """
    import cv2

    gap = (np.median(np.concatenate(scene), axis=0) - chroma[0]).astype(np.float32)
    spread = BREADTH * min(gap.shape[1:])
    broad = [cv2.GaussianBlur(p, (0, 0), spread, borderType=cv2.BORDER_REFLECT) for p in gap]
    return np.asarray(chroma + np.stack(broad)[None], np.float32)


def steadied(
    stepper: Stepper,
    pictures: Sequence[Picture],
    starts: Sequence[bool],
    wanted: range,
    warm_up: int,
) -> Iterator[Array]:
    """Steadied chroma of the wanted frames of a window.

    Args:
        stepper: The network.
        pictures: The window.
        starts: For each of its frames whether it is the first of its scene.
        wanted: Consecutive positions in the window.
        warm_up: Most frames to warm up the memory with.
    """
    before, made, memory = pictures[0], pictures[0].chroma, None
    for at in wanted:
        order = [at]
        if at == wanted[0] or starts[at]:
            order = [*warm_up_order(starts, at, warm_up), at]
            before = pictures[order[0]]
            made = centred(before.chroma, [pictures[i].chroma for i in places_of_scene(starts, at)])
            memory = stepper.begin(before)
        for place in order:
            made, memory = stepper.step(before, pictures[place], made, memory)
            before = pictures[place]
        yield made


def correction_in_blocks(
    pictures: vs.VideoNode, stepper: Stepper, plan: Blocks, caller: str
) -> vs.VideoNode:
    """What to add to chroma to steady it.

    Args:
        pictures: As `vscolor.steadying.pictures.small_pictures` makes them.
        stepper: The network.
        plan: How to cut the clip.
        caller: The filter's name, for messages.

    Returns:
        YUV444PS of the size of the pictures' chroma; U and V in nominal units. A frame that fails
        raises `vs.Error`.
    """
    padded = pad(pictures, plan.padding)
    lanes = [_lane(padded, stepper, plan, lane, caller) for lane in range(plan.lanes)]
    # The block after the last lane's is the first lane's next one.
    following = [*lanes[1:], [scenes.shift(clip, 1) for clip in lanes[0]]]
    members = [
        _passing(plan, i, own, after)
        for own, after in zip(lanes, following, strict=True)
        for i in range(plan.length)
    ]
    return interleave(members)[: plan.frames]


def _passing(
    plan: Blocks, place: int, own: list[vs.VideoNode], after: list[vs.VideoNode]
) -> vs.VideoNode:
    """The frame at a position of each block, near its end cross-faded into the next block's.

    Two blocks differ a little where they meet; the cross-fade makes that a drift and not a step.
    """
    mine, share = own[plan.overlap + place], plan.share_of_next(place)
    if not share:
        return mine
    return mine.std.Merge(after[place - (plan.length - plan.overlap)], weight=[share])


def _lane(
    pictures: vs.VideoNode, stepper: Stepper, plan: Blocks, lane: int, caller: str
) -> list[vs.VideoNode]:
    """One lane's node, cut apart: clip i holds the i-th frame that each of its blocks makes."""
    fmt = pictures.format
    width, height = pictures.width >> fmt.subsampling_w, pictures.height >> fmt.subsampling_h
    count = len(plan.made)
    template = vs.core.std.BlankClip(
        pictures,
        width,
        height * count,
        vs.YUV444PS,
        length=pictures.num_frames // plan.cycle,
        keep=True,
    )

    def steady(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        blank, *window = f
        there = [i for i, k in enumerate(plan.window(lane, n)) if 0 <= k < plan.frames]
        inside = [i for i in plan.made if i in there]
        correction = np.zeros((count, 2, height, width), np.float32)
        if inside:
            first = plan.window(lane, n)[there[0]]
            held = [read_picture(window[i]) for i in there]
            starts = [starts_scene(first + i, window[k]) for i, k in enumerate(there)]
            places = range(inside[0] - there[0], inside[-1] - there[0] + 1)
            try:
                made = steadied(stepper, held, starts, places, plan.warm_up)
                for i, place, chroma in zip(inside, places, made, strict=True):
                    correction[i - plan.warm_up] = chroma[0] - held[place].chroma[0]
            except VscolorError as error:
                raise vs.Error(f"{caller}: {error}") from None
        tidy()
        return pack(blank, correction)

    inputs = [every(scenes.shift(pictures, o), plan.cycle, 0) for o in plan.window(lane, 0)]
    return cut_apart(template.std.ModifyFrame([template, *inputs], steady), count)

"""Steadying networks that carry memory, run in blocks.

VapourSynth promises no order, so a block of frames is made at once by one callback: it begins some
frames earlier, to warm the memory up, steps through the block, and starts anew at cuts. Where a
scene has no earlier frames, the warm-up runs backwards through the ones that follow. So frame n
depends on the frames near n alone. A node makes one tall frame a block; blocks go to several nodes
in turn.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import numpy as np
import vapoursynth as vs

from vscolor import scenes
from vscolor.errors import VscolorError
from vscolor.models.base import Array
from vscolor.pictures import Picture, read_picture, starts_scene, write_chroma

BLOCKS_KEPT: Final = 2
BREADTH: Final = 1 / 8
"""Spread over which a first frame's chroma is moved, over the short side."""


class Stepper(Protocol):
    """A network that steadies frame after frame. Must be callable from several threads at once."""

    def begin(self, picture: Picture) -> Any:
        """The memory before a scene's first frame."""
        ...

    def step(
        self, before: Picture, now: Picture, made_before: Array, memory: Any
    ) -> tuple[Array, Any]:
        """Take one step.

        Args:
            before: The frame before; at the start the same as `now`.
            now: The frame to steady.
            made_before: The steadied chroma of the frame before; at the start as it is given.
            memory: What `begin` or the last step returned.

        Returns:
            Steadied chroma `[1,2,h,w]`, and the memory for the next step.
        """
        ...


@dataclass(frozen=True)
class Blocks:
    """How a clip is cut.

    Attributes:
        frames: Length of the clip.
        length: Frames of a block.
        warm_up: Frames before a block, or after a scene's start, that warm the memory up.
        lanes: Nodes that work at the same time.
    """

    frames: int
    length: int
    warm_up: int
    lanes: int

    @property
    def cycle(self) -> int:
        """Frames after which the pattern of lanes repeats."""
        return self.length * self.lanes

    @property
    def padding(self) -> int:
        """How often the last frame is repeated to fill the last cycle."""
        return -self.frames % self.cycle

    def window(self, lane: int, cycle: int) -> range:
        """The frames that a block's callback is given, some of them beyond the clip's ends."""
        first = cycle * self.cycle + lane * self.length
        return range(first - self.warm_up, first + self.length + self.warm_up)


def warm_up_order(starts: Sequence[bool], at: int, warm_up: int) -> list[int]:
    """Which frames to step through before frame `at`, in order.

    Args:
        starts: For each frame of the window whether it is the first of its scene.
        at: A frame's place in the window.
        warm_up: Most frames to step through.

    Returns:
        Places in the window: those before `at` in its scene; where they are too few, ahead of
        them as many as are needed of those that follow the scene's start, backwards.
    """
    begin = at
    while begin > max(0, at - warm_up) and not starts[begin]:
        begin -= 1
    end = begin + 1
    while end < len(starts) and not starts[end] and end - begin <= warm_up - (at - begin):
        end += 1
    mirrored = range(end - 1, begin, -1) if starts[begin] else range(0)
    return [*mirrored, *range(begin, at)]


def scene_around(starts: Sequence[bool], at: int) -> range:
    """Places in the window of the frames of the scene of frame `at`."""
    first = max((i for i in range(at + 1) if starts[i]), default=0)
    return range(first, next((i for i in range(at + 1, len(starts)) if starts[i]), len(starts)))


def centred(chroma: Array, scene: Sequence[Array]) -> Array:
    """A frame's chroma moved, broadly, to where most of its scene has it.

    What a network begins with stays in its memory for long; a frame that flickers is no good
    beginning, and two blocks that begin with two of them differ where they meet.

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
        wanted: Places in the window, one after the other.
        warm_up: Frames to warm the memory up.
    """
    before, made, memory = pictures[0], pictures[0].chroma, None
    for at in wanted:
        order = [at]
        if at == wanted[0] or starts[at]:
            order = [*warm_up_order(starts, at, warm_up), at]
            before = pictures[order[0]]
            made = centred(before.chroma, [pictures[i].chroma for i in scene_around(starts, at)])
            memory = stepper.begin(before)
        for place in order:
            made, memory = stepper.step(before, pictures[place], made, memory)
            before = pictures[place]
        yield made


def change_in_blocks(
    pictures: vs.VideoNode, stepper: Stepper, plan: Blocks, caller: str
) -> vs.VideoNode:
    """What to add to chroma to steady it.

    Args:
        pictures: As `vscolor.pictures.small_pictures` makes them.
        stepper: The network.
        plan: How to cut the clip.
        caller: The filter's name, for messages.

    Returns:
        YUV444PS of the size of the pictures' chroma; U and V in nominal units. A frame that fails
        raises `vs.Error`.
    """
    padded = pictures + pictures[-1] * plan.padding if plan.padding else pictures
    members = [
        clip for lane in range(plan.lanes) for clip in _lane(padded, stepper, plan, lane, caller)
    ]
    woven = vs.core.std.Interleave(members, modify_duration=False) if members[1:] else members[0]
    return woven[: plan.frames]


def _lane(
    pictures: vs.VideoNode, stepper: Stepper, plan: Blocks, lane: int, caller: str
) -> list[vs.VideoNode]:
    """One lane's node, cut apart: clip i holds frame i of each of its blocks."""
    fmt = pictures.format
    width, height = pictures.width >> fmt.subsampling_w, pictures.height >> fmt.subsampling_h
    template = vs.core.std.BlankClip(
        pictures,
        width,
        height * plan.length,
        vs.YUV444PS,
        length=pictures.num_frames // plan.cycle,
        keep=True,
    )
    wanted = range(plan.warm_up, plan.warm_up + plan.length)

    def steady(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        blank, *window = f
        there = [i for i, k in enumerate(plan.window(lane, n)) if 0 <= k < plan.frames]
        first = plan.window(lane, n)[there[0]]
        held = [read_picture(window[i]) for i in there]
        starts = [starts_scene(first + i, window[k]) for i, k in enumerate(there)]
        inside = [there.index(i) for i in wanted if i in there]
        change = np.zeros((plan.length, 2, height, width), np.float32)
        if inside:
            places = range(inside[0], inside[-1] + 1)
            try:
                made = steadied(stepper, held, starts, places, plan.warm_up)
                for i, (place, chroma) in enumerate(zip(places, made, strict=True)):
                    change[i] = chroma[0] - held[place].chroma[0]
            except VscolorError as error:
                raise vs.Error(f"{caller}: {error}") from None
        return write_chroma(blank, change)

    offsets = [lane * plan.length + i - plan.warm_up for i in range(plan.length + 2 * plan.warm_up)]
    inputs = [
        scenes.shift(pictures, o).std.SelectEvery(plan.cycle, [0], modify_duration=False)
        for o in offsets
    ]
    node = template.std.ModifyFrame([template, *inputs], steady)
    # The core's guess at a cache may forget a block before its last frame is fetched.
    node.std.SetVideoCache(mode=1, fixedsize=1, maxsize=BLOCKS_KEPT)
    if plan.length == 1:
        return [node]
    return [node.std.CropAbs(width, height, top=i * height) for i in range(plan.length)]

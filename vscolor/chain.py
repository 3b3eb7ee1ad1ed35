"""The recurrent steps of a video model, cut into blocks.

Frame n's colour follows from frame n-1's, which VapourSynth's free order of requests does not
allow for a whole clip. So the chain is cut: a block of L frames starts W frames early from
nothing, and over its last W frames gives way to the run that the next block starts with. Both are
functions of frame numbers alone, so a seek computes what a straight run computes, and no step
shows where one block meets the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import vapoursynth as vs

from vscolor import memory
from vscolor.blocks import FramePass, cut_apart, every, lines_like, pack, pad, weave
from vscolor.errors import VscolorError
from vscolor.guided import flat_lines, lines_through
from vscolor.models.base import Array
from vscolor.models.video import VideoModel
from vscolor.rows import Shape, row_of
from vscolor.scenes import shift
from vscolor.scratch import scratch

START: Final = "_vscolor_start"
"""Set on the first frame of a scene: nothing is carried into it."""

type Step = Callable[[Array, Any, int, int], tuple[Array, Any]]
"""`VideoModel.step`, or what shows something else than its colour on the same way."""


@dataclass(frozen=True)
class _Block:
    """The frames of one block.

    Attributes:
        start: First frame that leaves it.
        model: The model.
        step: What it does with each frame.
        length: Of the clip.
        shape: Of the model's picture.
    """

    start: int
    model: VideoModel[Any]
    step: Step
    length: int
    shape: Shape

    def colours(self, matched: Sequence[vs.VideoFrame]) -> Iterator[Array]:
        """Ab of the block's frames, from `match`'s frames from the warm-up on.

        Each may be written over when the next is asked for.
        """
        blocks = self.model.blocks
        first = self.start - blocks.warm_up
        fade = self.start + blocks.length - blocks.warm_up
        own = self._run(first, matched)
        following = self._run(fade, matched[fade - first :])
        for n in range(self.start, self.start + blocks.length):
            ab = own[n - first]
            if n >= fade:
                mixed = scratch("chain.mixed", ab.shape)
                np.subtract(following[n - fade], ab, out=mixed)
                mixed *= np.float32((n - fade + 1) / (blocks.warm_up + 1))
                mixed += ab
                ab = mixed
            yield ab

    def _run(self, first: int, matched: Sequence[vs.VideoFrame]) -> list[Array]:
        """The chain from a frame on, from nothing; beyond the clip its neighbour is repeated."""
        state: Any = None
        found: list[Array] = []
        size = self.model.match_size(self.shape.height, self.shape.width)
        for n, frame in enumerate(matched, first):
            if n < 0 or n >= self.length:
                found.append(found[-1] if found else np.zeros((2, *self.shape.colours), np.float32))
                continue
            if frame.props[START]:
                state = None
            ab, state = self.step(row_of(frame)[:size], state, self.shape.height, self.shape.width)
            found.append(ab)
        return found


def colour_in_blocks(
    frames: FramePass,
    model: VideoModel[Any],
    matched: vs.VideoNode,
    lanes: int,
    *,
    step: Step,
    edge_aware: bool,
) -> vs.VideoNode:
    """The blocks, in lanes, as lines."""
    length, blocks, shape = frames.luma.num_frames, model.blocks, Shape.of(model, frames.luma)
    cycle = blocks.length * lanes
    padding = -length % cycle
    early = shift(pad(matched, padding), -blocks.warm_up)
    luma = pad(frames.luma, padding)
    like = lines_like(frames.luma, model.grid.ab_stride)
    draw = lines_through if edge_aware else (lambda _, ab: flat_lines(ab))

    def lane_of(lane: int) -> list[vs.VideoNode]:
        template = vs.core.std.BlankClip(
            like,
            height=like.height * blocks.length,
            length=early.num_frames // cycle,
            keep=True,
        )
        offsets = [lane * blocks.length + i for i in range(blocks.warm_up + blocks.length)]
        chained = [every(_later(early, o, cycle), cycle, o % cycle) for o in offsets]
        seen = [every(luma, cycle, lane * blocks.length + i) for i in range(blocks.length)]

        def colour(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            blank, *inputs = f
            block = _Block(n * cycle + lane * blocks.length, model, step, length, shape)
            memory.tidy()
            looks = (np.asarray(x[0])[None, None] for x in inputs[len(offsets) :])
            colours = block.colours(inputs[: len(offsets)])
            lines = (draw(look, ab[None])[0] for look, ab in zip(looks, colours, strict=True))
            try:
                return pack(blank, lines, blocks.length, 2)
            except VscolorError as error:
                raise vs.Error(f"{frames.caller}: {error}") from None

        node = template.std.ModifyFrame([template, *chained, *seen], colour)
        return cut_apart(node, blocks.length)

    return weave([clip for lane in range(lanes) for clip in lane_of(lane)])[:length]


def _later(clip: vs.VideoNode, offset: int, cycle: int) -> vs.VideoNode:
    """The clip from a whole number of cycles on, so that an offset beyond a cycle can be picked."""
    return shift(clip, offset // cycle * cycle)

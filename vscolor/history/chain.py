"""The recurrent steps of a video model, cut into blocks.

Frame n's colour follows from frame n-1's, which VapourSynth's free order of requests does not
allow for a whole clip. So the chain is cut into blocks: a block of L frames starts W frames early
with no state, and its last W frames are cross-faded into the next block's run. Both depend on frame
numbers alone, so a seek computes what a straight run computes, and no step shows where blocks meet.

Step j of all blocks is one node: its frame k is the state of block k's run after step j. So a frame
waits only for the steps it depends on, while other threads match the frames that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import memory
from vscolor.batching import FramePass, coefficients_template, every, interleave, pack, pad
from vscolor.errors import VscolorError
from vscolor.guided import constant_coefficients, exact_coefficients
from vscolor.history.rows import Shape, fill, row_of
from vscolor.models.base import Array
from vscolor.models.parts import Parts
from vscolor.models.running import require_finite
from vscolor.models.video import VideoModel
from vscolor.scenes import shift
from vscolor.scratch import scratch

START: Final = "_vscolor_start"
"""Set on the first frame of a scene: nothing is carried into it."""

BEGUN: Final = "_vscolor_begun"
"""Set on each frame of a run: 0 as long as it has seen no frame of the clip."""

STEPS_KEPT: Final = 2
"""Cache size of a step's node: two blocks are live during a cross-fade."""

type Step = Callable[[Array, Array | None, int, int], tuple[Array, Array]]
"""`VideoModel.step`, or a view of something else than its colour, computed alongside."""


@dataclass(frozen=True)
class _Chain:
    """A model's chain over a clip.

    Attributes:
        caller: The filter's name, for messages.
        model: The model.
        step: What it does with each frame.
        shape: Of the model's picture.
        length: Of the clip.
    """

    caller: str
    model: VideoModel
    step: Step
    shape: Shape
    length: int

    @cached_property
    def result(self) -> Parts:
        """The row of a frame of a run."""
        state = self.model.state_shape(self.shape.height, self.shape.width)
        return Parts(ab=(2, *self.shape.colours), state=state)

    def ab_of(self, frame: vs.VideoFrame) -> Array:
        """Ab `[2,h,w]` of a frame of a run."""
        return self.result.unpack(row_of(frame))["ab"]

    def runs(self, matched: vs.VideoNode, blocks: int) -> list[vs.VideoNode]:
        """A clip for each step of the blocks' runs, one frame a block."""
        plan = self.model.blocks
        padded = pad(matched, blocks * plan.length - self.length)
        early = shift(padded, -plan.warm_up)
        blank = self.shape.like(matched, self.result.size, blocks).std.SetFrameProps(**{BEGUN: 0})
        clips: list[vs.VideoNode] = []
        for j in range(plan.warm_up + plan.length):
            whole, rest = divmod(j, plan.length)
            matched = every(shift(early, whole * plan.length), plan.length, rest)
            clip = blank.std.ModifyFrame([blank, matched, *clips[-1:]], self._stepper(j))
            clip.std.SetVideoCache(mode=1, fixedsize=1, maxsize=STEPS_KEPT)
            clips.append(clip)
        return clips

    def _stepper(self, j: int) -> Callable[[int, list[vs.VideoFrame]], vs.VideoFrame]:
        """The callback that makes a frame of step j from that of the step before."""
        height, width = self.shape.height, self.shape.width
        size = self.model.match_size(height, width)

        def go_on(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
            blank, matched, *before = f
            number = n * self.model.blocks.length - self.model.blocks.warm_up + j
            if not 0 <= number < self.length:
                return before[0] if before else blank
            state = None
            if before and before[0].props[BEGUN] and not matched.props[START]:
                state = self.result.unpack(row_of(before[0]))["state"]
            try:
                ab, state = self.step(row_of(matched)[:size], state, height, width)
                require_finite(ab)
            except VscolorError as error:
                raise vs.Error(f"{self.caller}: {error}") from None
            frame = blank.copy()
            fill(frame, np.ravel(ab), np.ravel(state))
            frame.props[BEGUN] = 1
            return frame

        return go_on


def colour_in_blocks(
    frames: FramePass, model: VideoModel, matched: vs.VideoNode, *, step: Step, edge_aware: bool
) -> vs.VideoNode:
    """Colour every frame from `match`'s frames; as `batching.predict_coefficients` returns it."""
    length, plan, shape = frames.luma.num_frames, model.blocks, Shape.of(model, frames.luma)
    blocks = -(-length // plan.length)
    chain = _Chain(frames.caller, model, step, shape, length)
    # One more, into which the last frames of the last block are cross-faded.
    runs = chain.runs(matched, blocks + 1)
    luma = pad(frames.luma, blocks * plan.length - length)
    like = coefficients_template(frames.luma, model.grid.ab_stride)
    template = vs.core.std.BlankClip(like, length=blocks, keep=True)
    draw = exact_coefficients if edge_aware else (lambda _, ab: constant_coefficients(ab))

    def member(i: int) -> vs.VideoNode:
        """Frame i of each block."""
        into = i - (plan.length - plan.warm_up) + 1
        following = [runs[into - 1][1:]] if into > 0 else []

        def lines(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
            blank, look, own, *after = f
            ab = chain.ab_of(own)
            if after:
                ab = _mixed(ab, chain.ab_of(after[0]), into / (plan.warm_up + 1))
            memory.tidy()
            return pack(blank, draw(np.asarray(look[0])[None, None], ab[None]))

        inputs = [template, every(luma, plan.length, i), runs[plan.warm_up + i][:blocks]]
        return template.std.ModifyFrame([*inputs, *following], lines)

    return interleave([member(i) for i in range(plan.length)])[:length]


def _mixed(ab: Array, other: Array, share: float) -> Array:
    """`ab` with a share of the other; the thread's next call writes over it."""
    mixed = scratch("chain.mixed", ab.shape)
    np.subtract(other, ab, out=mixed)
    mixed *= np.float32(share)
    mixed += ab
    return np.asarray(mixed)

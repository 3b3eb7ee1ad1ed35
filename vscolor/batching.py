"""Frames through a model, each on its own: how they are batched, and the nodes that run them.

Frame n is always in batch n // size, and batches go to lanes in turn. A lane is one node; the core
runs a node's callbacks one at a time, so several lanes keep several cores (or a transfer and a
computation) busy at once. Neither number changes a frame: batches are cut by frame number, never by
the order of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import vapoursynth as vs

from vscolor import memory, windows
from vscolor.errors import SettingError, VscolorError
from vscolor.guided import constant_coefficients, fit_coefficients
from vscolor.models import running
from vscolor.models.base import Array, Grid, StillModel

BATCHES_KEPT = 4


@dataclass(frozen=True)
class BatchPlan:
    """How a clip is cut.

    Attributes:
        frames: Length of the clip.
        batch: Frames that go through the model together.
        lanes: Nodes that work at the same time.
    """

    frames: int
    batch: int
    lanes: int

    @property
    def cycle(self) -> int:
        """Frames after which the pattern of lanes and batches repeats."""
        return self.batch * self.lanes

    @property
    def padding(self) -> int:
        """How often the last frame is repeated to fill the last cycle."""
        return -self.frames % self.cycle

    def members(self, lane: int) -> list[int]:
        """Offsets within a cycle of the frames of a lane's batch."""
        return [lane * self.batch + i for i in range(self.batch)]


@dataclass(frozen=True)
class FramePass:
    """A clip as it goes through a model.

    Attributes:
        caller: The filter's name, for messages.
        luma: L* at the model's size, GRAYS.
        prop_src: The source, as long as `luma`; its frames' properties are passed to `check`, its
            pixels are not read.
        check: Raises a `VscolorError` for a frame that must not be coloured.
        analyses: For a model that looks at neighbours, their analyses, from `vscolor.windows`, as
            long as `luma`; else None.
    """

    caller: str
    luma: vs.VideoNode
    prop_src: vs.VideoNode
    check: Callable[[vs.FrameProps], None]
    analyses: vs.VideoNode | None = None

    def every(self, cycle: int, offset: int) -> list[vs.VideoNode]:
        """Frame `offset` of each cycle of the source and, if there are any, of the analyses."""
        clips = [self.prop_src] if self.analyses is None else [self.prop_src, self.analyses]
        return [every(clip, cycle, offset) for clip in clips]

    def padded(self, frames: int) -> FramePass:
        """The same with the last frame repeated `frames` times."""
        analyses = None if self.analyses is None else pad(self.analyses, frames)
        return replace(
            self,
            luma=pad(self.luma, frames),
            prop_src=pad(self.prop_src, frames),
            analyses=analyses,
        )


@dataclass(frozen=True)
class BatchOp:
    """What is done to each frame.

    Attributes:
        run: From L* `[B,1,h,w]` and the frames of `FramePass.analyses` (or none) to the last P
            planes of the result, `[B,P,height,width]`.
        template: A blank clip of the result's format, width and height.
    """

    run: Callable[[Array, Sequence[vs.VideoFrame]], Array]
    template: vs.VideoNode


def predict_coefficients(
    frames: FramePass, model: StillModel, batch: int, lanes: int, *, edge_aware: bool
) -> vs.VideoNode:
    """Run a still model over a clip.

    Args:
        frames: The clip.
        model: The model.
        batch: Frames per run of the model.
        lanes: Runs at the same time.
        edge_aware: Whether colour follows luma's edges (see `vscolor.guided`).

    Returns:
        Linear coefficients in f(Y) (see `vscolor.guided`): YUV444PS at 1/`ab_stride` of luma's
        size and twice as high; planes 1 and 2, for a* and b*, hold the slopes above the offsets. A
        frame that fails raises `vs.Error`.
    """
    op = coefficients_op(
        partial(windows.predict, model), frames.luma, model.grid, edge_aware=edge_aware
    )
    return run_frames(frames, op, batch, lanes)


def coefficients_op(
    predict: Callable[[Array, Sequence[vs.VideoFrame]], Array],
    luma: vs.VideoNode,
    grid: Grid,
    *,
    edge_aware: bool,
) -> BatchOp:
    """Colour frames and fit linear coefficients, see `predict_coefficients`.

    Args:
        predict: From L* `[B,1,h,w]` and the frames of `FramePass.analyses` to ab.
        luma: L* at the model's size, GRAYS.
        grid: The model's.
        edge_aware: Whether colour follows luma's edges.
    """

    def coefficients(stack: Array, analyses: Sequence[vs.VideoFrame]) -> Array:
        ab = running.require_finite(predict(stack, analyses))
        return fit_coefficients(stack, ab) if edge_aware else constant_coefficients(ab)

    return BatchOp(coefficients, coefficients_template(luma, grid.ab_stride))


def coefficients_template(luma: vs.VideoNode, stride: int) -> vs.VideoNode:
    """A blank clip to hold linear coefficients, see `predict_coefficients`."""
    size = luma.width // stride, 2 * luma.height // stride
    return vs.core.std.BlankClip(luma, *size, vs.YUV444PS, keep=True)


class Inputs:
    """A node's input clips in named groups, by which its callback gets their frames."""

    def __init__(self, **groups: Sequence[vs.VideoNode]) -> None:
        self._counts = {name: len(clips) for name, clips in groups.items()}
        self.clips = [clip for clips in groups.values() for clip in clips]

    def named(self, frames: Sequence[vs.VideoFrame]) -> dict[str, list[vs.VideoFrame]]:
        """The callback's frames, one for each clip, by group."""
        coming = iter(frames)
        return {name: list(islice(coming, count)) for name, count in self._counts.items()}


def run_frames(frames: FramePass, op: BatchOp, batch: int, lanes: int) -> vs.VideoNode:
    """Apply an operation to every frame; a frame that fails raises `vs.Error`."""
    plan = BatchPlan(frames.luma.num_frames, batch, lanes)
    padded = frames.padded(plan.padding)
    members = [clip for lane in range(lanes) for clip in _lane(padded, op, plan, lane)]
    return interleave(members)[: plan.frames]


def _lane(frames: FramePass, op: BatchOp, plan: BatchPlan, lane: int) -> list[vs.VideoNode]:
    """One lane's node, cut apart: clip i holds frame i of each of its batches.

    Both as input and as result a batch is one tall frame, its members one above the other: the
    core stacks and crops it, and NumPy sees `[B,1,h,w]` without a copy.
    """
    offsets = plan.members(lane)
    height = op.template.height
    template = vs.core.std.BlankClip(
        op.template,
        height=height * plan.batch,
        length=frames.luma.num_frames // plan.cycle,
        keep=True,
    )

    every_frame = [frames.every(plan.cycle, o) for o in offsets]
    inputs = Inputs(
        blank=[template],
        luma=[_stack([every(frames.luma, plan.cycle, o) for o in offsets])],
        prop_srcs=[prop_src for prop_src, *_ in every_frame],
        analyses=[analysis for _, *analyses in every_frame for analysis in analyses],
    )

    def colour(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        came = inputs.named(f)
        try:
            for offset, frame in zip(offsets, came["prop_srcs"], strict=True):
                _check_numbered(n * plan.cycle + offset, frame.props, frames.check)
            tall = np.asarray(came["luma"][0][0])
            result = op.run(tall.reshape(plan.batch, 1, -1, tall.shape[1]), came["analyses"])
        except VscolorError as error:
            # The core truncates long messages; chained tracebacks would push this one out.
            raise vs.Error(f"{frames.caller}: {error}") from None
        memory.tidy()
        return pack(came["blank"][0], result)

    node = template.std.ModifyFrame(inputs.clips, colour)
    return cut_apart(node, plan.batch)


def cut_apart(node: vs.VideoNode, count: int) -> list[vs.VideoNode]:
    """Split a clip of tall frames into clips of the frames stacked in them."""
    # The core's automatic cache may drop a batch before its last frame is fetched.
    node.std.SetVideoCache(mode=1, fixedsize=1, maxsize=BATCHES_KEPT)
    if count == 1:
        return [node]
    height = node.height // count
    return [node.std.CropAbs(node.width, height, top=i * height) for i in range(count)]


def guarded(
    clip: vs.VideoNode,
    prop_src: vs.VideoNode,
    check: Callable[[vs.FrameProps], None],
    caller: str,
    role: str = "frame",
) -> vs.VideoNode:
    """A clip whose frame n is returned only if frame n of `prop_src` passes a check.

    Args:
        clip: Any, as long as `prop_src`; its samples are neither copied nor read.
        prop_src: Whose frames' properties are checked.
        check: Raises a `SettingError` for a frame that must not be used.
        caller: The filter's name, for messages.
        role: What a frame is called in messages.
    """

    def passed(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        frame, source = f
        try:
            _check_numbered(n, source.props, check, role)
        except SettingError as error:
            raise vs.Error(f"{caller}: {error}") from None
        return frame

    return clip.std.ModifyFrame([clip, prop_src], passed)


def _check_numbered(
    n: int, props: vs.FrameProps, check: Callable[[vs.FrameProps], None], role: str = "frame"
) -> None:
    try:
        check(props)
    except SettingError as error:
        raise SettingError(f"{role} {n}: {error}") from error


def pack(template: vs.VideoFrame, result: Array) -> vs.VideoFrame:
    """A batch's `[B,P,h,w]` as the last P planes of one frame, its members one above the other."""
    frame = template.copy()
    first = frame.format.num_planes - result.shape[1]
    for plane in range(result.shape[1]):
        target = np.asarray(frame[first + plane])
        members = target.reshape(len(result), -1, target.shape[1], copy=False)
        np.copyto(members, result[:, plane])
    return frame


def pad(clip: vs.VideoNode, frames: int) -> vs.VideoNode:
    """The clip with its last frame repeated `frames` times more."""
    return clip + clip[-1] * frames if frames else clip


def every(clip: vs.VideoNode, cycle: int, offset: int) -> vs.VideoNode:
    """Frames offset, offset + cycle, ..."""
    return clip.std.SelectEvery(cycle, [offset], modify_duration=False) if cycle > 1 else clip


def _stack(clips: list[vs.VideoNode]) -> vs.VideoNode:
    return vs.core.std.StackVertical(clips) if len(clips) > 1 else clips[0]


def interleave(clips: list[vs.VideoNode]) -> vs.VideoNode:
    """One clip with the frames of all in turn."""
    return vs.core.std.Interleave(clips, modify_duration=False) if len(clips) > 1 else clips[0]

"""Frames through a still model: which frames share a batch, and the nodes that run them.

Frame n is always in batch n // size, and batches go to lanes in turn. A lane is one node; the core
runs a node's callbacks one at a time, so lanes are what keeps several cores (or a transfer and a
computation) busy at once. Neither number changes a frame: batches are cut by frame number, never by
the order of requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import vapoursynth as vs

from vscolor.errors import SettingError, VscolorError
from vscolor.models.base import Array, StillModel

AB_PROP = "_vscolor_ab"


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
class StillPass:
    """One clip on its way through a still model.

    Attributes:
        caller: The filter's name, for messages.
        luma: L* at the model's size, GRAYS.
        witness: The source, as long as `luma`; its frames' properties are given to `check`, its
            pixels are not read.
        model: The model.
        check: Raises a `VscolorError` for a frame that must not be coloured.
    """

    caller: str
    luma: vs.VideoNode
    witness: vs.VideoNode
    model: StillModel
    check: Callable[[vs.FrameProps], None]


def predict_ab(work: StillPass, batch: int, lanes: int) -> vs.VideoNode:
    """Run a still model over a clip.

    Returns:
        YUV444PS with a* and b* in planes 1 and 2, at 1/`ab_stride` of luma's size. A frame that
        fails raises `vs.Error`.
    """
    plan = BatchPlan(work.luma.num_frames, batch, lanes)
    padded = replace(
        work, luma=_pad(work.luma, plan.padding), witness=_pad(work.witness, plan.padding)
    )
    members = [clip for lane in range(lanes) for clip in _lane(padded, plan, lane)]
    return _weave(members)[: plan.frames]


def _lane(work: StillPass, plan: BatchPlan, lane: int) -> list[vs.VideoNode]:
    """One lane's node, unpacked: clip i holds frame i of each of its batches."""
    stride, offsets = work.model.grid.ab_stride, plan.members(lane)
    template = vs.core.std.BlankClip(
        work.luma,
        work.luma.width // stride,
        work.luma.height // stride,
        vs.YUV444PS,
        length=work.luma.num_frames // plan.cycle,
        keep=True,
    )

    def colour(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        lumas, witnesses = f[1 : 1 + plan.batch], f[1 + plan.batch :]
        try:
            for offset, frame in zip(offsets, witnesses, strict=True):
                _check_numbered(n * plan.cycle + offset, frame.props, work.check)
            ab = work.model.predict(np.stack([np.asarray(frame[0])[None] for frame in lumas]))
        except VscolorError as error:
            raise vs.Error(f"{work.caller}: {error}") from error
        return _pack(f[0], ab)

    inputs = [_every(c, plan.cycle, o) for c in (work.luma, work.witness) for o in offsets]
    node = template.std.ModifyFrame([template, *inputs], colour)
    if plan.batch == 1:
        return [node]
    return [node.std.PropToClip(AB_PROP, i) for i in range(plan.batch)]


def _check_numbered(n: int, props: vs.FrameProps, check: Callable[[vs.FrameProps], None]) -> None:
    try:
        check(props)
    except SettingError as error:
        raise SettingError(f"frame {n}: {error}") from error


def _pack(template: vs.VideoFrame, ab: Array) -> vs.VideoFrame:
    """One frame as itself; a batch as a list in a property of the first."""
    frames = [_ab_frame(template, planes) for planes in ab]
    if len(frames) == 1:
        return frames[0]
    carrier = template.copy()
    carrier.props[AB_PROP] = frames
    return carrier


def _ab_frame(template: vs.VideoFrame, ab: Array) -> vs.VideoFrame:
    frame = template.copy()
    for plane, values in zip((1, 2), ab, strict=True):
        np.copyto(np.asarray(frame[plane]), values)
    return frame


def _pad(clip: vs.VideoNode, frames: int) -> vs.VideoNode:
    return clip + clip[-1] * frames if frames else clip


def _every(clip: vs.VideoNode, cycle: int, offset: int) -> vs.VideoNode:
    return clip.std.SelectEvery(cycle, [offset], modify_duration=False) if cycle > 1 else clip


def _weave(clips: list[vs.VideoNode]) -> vs.VideoNode:
    return vs.core.std.Interleave(clips, modify_duration=False) if len(clips) > 1 else clips[0]

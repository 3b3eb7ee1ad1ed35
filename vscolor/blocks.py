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

from vscolor import windows
from vscolor.errors import SettingError, VscolorError
from vscolor.guided import flat_lines, local_lines
from vscolor.models.base import Array, StillModel

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
class StillPass:
    """One clip on its way through a still model.

    Attributes:
        caller: The filter's name, for messages.
        luma: L* at the model's size, GRAYS.
        witness: The source, as long as `luma`; its frames' properties are given to `check`, its
            pixels are not read.
        model: The model.
        edge_aware: Whether colour follows luma's edges (see `vscolor.guided`).
        check: Raises a `VscolorError` for a frame that must not be coloured.
        notes: For a model that looks at neighbours, what was noticed in them, from
            `vscolor.windows`, as long as `luma`; else None.
    """

    caller: str
    luma: vs.VideoNode
    witness: vs.VideoNode
    model: StillModel
    edge_aware: bool
    check: Callable[[vs.FrameProps], None]
    notes: vs.VideoNode | None = None

    def every(self, cycle: int, offset: int) -> list[vs.VideoNode]:
        """Of frame `offset` of each cycle: the source, and the notes where the model has them."""
        clips = [self.witness] if self.notes is None else [self.witness, self.notes]
        return [_every(clip, cycle, offset) for clip in clips]

    def padded(self, frames: int) -> StillPass:
        """The same with the last frame repeated."""
        notes = None if self.notes is None else _pad(self.notes, frames)
        return replace(
            self, luma=_pad(self.luma, frames), witness=_pad(self.witness, frames), notes=notes
        )


def predict_lines(work: StillPass, batch: int, lanes: int) -> vs.VideoNode:
    """Run a still model over a clip.

    Returns:
        YUV444PS at 1/`ab_stride` of luma's size and twice as high: a* and b* in planes 1 and 2,
        as lines in f(Y), slopes above offsets. A frame that fails raises `vs.Error`.
    """
    plan = BatchPlan(work.luma.num_frames, batch, lanes)
    padded = work.padded(plan.padding)
    members = [clip for lane in range(lanes) for clip in _lane(padded, plan, lane)]
    return _weave(members)[: plan.frames]


def _lane(work: StillPass, plan: BatchPlan, lane: int) -> list[vs.VideoNode]:
    """One lane's node, cut apart: clip i holds frame i of each of its batches.

    A batch is one tall frame, its members one above the other, on the way in and on the way out:
    the core stacks and crops it, and NumPy sees `[B,1,h,w]` without a copy of its own.
    """
    stride, offsets = work.model.grid.ab_stride, plan.members(lane)
    per_frame = 1 if work.notes is None else 2
    width, height = work.luma.width // stride, 2 * work.luma.height // stride
    template = vs.core.std.BlankClip(
        work.luma,
        width,
        height * plan.batch,
        vs.YUV444PS,
        length=work.luma.num_frames // plan.cycle,
        keep=True,
    )

    def colour(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:
        blank, luma, *beside = f
        witnesses = beside[::per_frame]
        notes = beside[1::2] if per_frame == 2 else []
        try:
            for offset, frame in zip(offsets, witnesses, strict=True):
                _check_numbered(n * plan.cycle + offset, frame.props, work.check)
            tall = np.asarray(luma[0])
            stack = tall.reshape(plan.batch, 1, -1, tall.shape[1])
            ab = windows.predict(work.model, stack, notes)
        except VscolorError as error:
            # The core cuts long messages, and a chain of tracebacks would push this one out.
            raise vs.Error(f"{work.caller}: {error}") from None
        lines = local_lines(stack, ab) if work.edge_aware else flat_lines(ab)
        return _pack(blank, np.concatenate(lines, axis=2))

    luma = _stack([_every(work.luma, plan.cycle, o) for o in offsets])
    beside = [clip for o in offsets for clip in work.every(plan.cycle, o)]
    node = template.std.ModifyFrame([template, luma, *beside], colour)
    # The core's guess at a cache may forget a batch before its last frame is fetched.
    node.std.SetVideoCache(mode=1, fixedsize=1, maxsize=BATCHES_KEPT)
    if plan.batch == 1:
        return [node]
    return [node.std.CropAbs(width, height, top=i * height) for i in range(plan.batch)]


def _check_numbered(n: int, props: vs.FrameProps, check: Callable[[vs.FrameProps], None]) -> None:
    try:
        check(props)
    except SettingError as error:
        raise SettingError(f"frame {n}: {error}") from error


def _pack(template: vs.VideoFrame, lines: Array) -> vs.VideoFrame:
    """A batch's `[B,2,h,w]` as the chroma of one frame, its members one above the other."""
    frame = template.copy()
    for plane in (1, 2):
        target = np.asarray(frame[plane])
        members = target.reshape(lines.shape[0], -1, target.shape[1], copy=False)
        np.copyto(members, lines[:, plane - 1])
    return frame


def _pad(clip: vs.VideoNode, frames: int) -> vs.VideoNode:
    return clip + clip[-1] * frames if frames else clip


def _every(clip: vs.VideoNode, cycle: int, offset: int) -> vs.VideoNode:
    return clip.std.SelectEvery(cycle, [offset], modify_duration=False) if cycle > 1 else clip


def _stack(clips: list[vs.VideoNode]) -> vs.VideoNode:
    return vs.core.std.StackVertical(clips) if len(clips) > 1 else clips[0]


def _weave(clips: list[vs.VideoNode]) -> vs.VideoNode:
    return vs.core.std.Interleave(clips, modify_duration=False) if len(clips) > 1 else clips[0]

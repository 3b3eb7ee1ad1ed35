"""Frames through a video model: features, exemplars and correspondence, then the chain.

Everything but the recurrence runs per frame in any order: features in batches, then correspondence
to the frame's exemplars: its scene's keyframes, each coloured by the model on its own, and the
user's references and hints. `chain` runs the recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import vapoursynth as vs

from vscolor import memory
from vscolor.batching import BatchOp, FramePass, Inputs, interleave, run_frames
from vscolor.errors import VscolorError
from vscolor.history import keyframes
from vscolor.history.chain import START, Step, colour_in_blocks
from vscolor.history.gather import cuts_of, gathered_cuts
from vscolor.history.rows import Shape, as_planes, fill, row_of
from vscolor.history.selection import (
    PreparedReference,
    SelectedReference,
    candidates,
    keyframe_weight,
    select,
)
from vscolor.models.base import Array
from vscolor.models.video import Exemplar, VideoModel

USED_PROP: Final = "_vscolor_used"
"""Set on each matched frame: its scene, keyframes and references and their weights, a line each."""


class Propagated(NamedTuple):
    """A coloured clip.

    Attributes:
        coefficients: As `batching.predict_coefficients` returns them.
        annotated: A clip of the same length, with the property `USED_PROP`.
    """

    coefficients: vs.VideoNode
    annotated: vs.VideoNode


def propagate(
    frames: FramePass,
    model: VideoModel,
    groups: vs.VideoNode,
    references: Sequence[PreparedReference],
    *,
    batch: int,
    lanes: int,
    step: Step,
    edge_aware: bool,
) -> Propagated:
    """Run a video model over a clip.

    Args:
        frames: The clip.
        model: The model.
        groups: The cuts, as `gather.cuts_in_groups` returns them.
        references: The user's.
        batch: Frames per run of everything but the recurrence.
        lanes: Runs at the same time.
        step: The model's, or a replacement that shows something else (`debug.tinting`).
        edge_aware: Whether colour follows luma's edges.
    """
    shape = Shape.of(model, frames.luma)
    looks = run_frames(frames, _look(model, shape, frames.luma), batch, lanes)
    own = run_frames(frames, _own_exemplar(model, shape, frames.luma), batch, lanes)
    around = gathered_cuts(groups, keyframes.GROUPS_BEFORE, keyframes.GROUPS_AFTER)
    matcher = _Matcher(frames, model, shape, looks, own, tuple(references))
    blank = shape.like(frames.luma, model.match_size(shape.height, shape.width))
    cuts_around = interleave([around] * keyframes.GROUP)[: frames.luma.num_frames]
    matched = blank.std.FrameEval(matcher.node_for, prop_src=[cuts_around], clip_src=[blank])
    # Enough for a seek backwards within a block.
    matched.std.SetVideoCache(
        mode=1, fixedsize=1, maxsize=model.blocks.length + model.blocks.warm_up
    )
    coefficients = colour_in_blocks(frames, model, matched, step=step, edge_aware=edge_aware)
    return Propagated(coefficients, matched)


def _look(model: VideoModel, shape: Shape, luma: vs.VideoNode) -> BatchOp:
    """Features of each frame."""
    like = shape.like(luma, shape.features)

    def run(stack: Array, _analyses: Sequence[vs.VideoFrame]) -> Array:
        return as_planes(model.encode(stack), like)

    return BatchOp(run, like)


def _own_exemplar(model: VideoModel, shape: Shape, luma: vs.VideoNode) -> BatchOp:
    """Each frame as an exemplar, coloured by the model on its own."""
    like = shape.like(luma, shape.exemplar.size)
    confidence = np.ones(shape.colours, np.float32)

    def run(stack: Array, _analyses: Sequence[vs.VideoFrame]) -> Array:
        rows = [
            shape.pack_exemplar(row, one, model.still(row, shape.height, shape.width), confidence)
            for row, one in zip(model.encode(stack), stack, strict=True)
        ]
        return as_planes(np.stack(rows), like)

    return BatchOp(run, like)


@dataclass(frozen=True)
class _Matcher:
    """Makes, for each frame, the node that matches it to its exemplars."""

    frames: FramePass
    model: VideoModel
    shape: Shape
    looks: vs.VideoNode
    own: vs.VideoNode
    references: tuple[PreparedReference, ...]

    def node_for(self, n: int, f: vs.VideoFrame) -> vs.VideoNode:
        """A clip whose frame n is the result of `match` for frame n."""
        length, cuts = self.frames.luma.num_frames, cuts_of(f)
        scene = keyframes.scene_around(n, cuts, *keyframes.searched(n), length)
        keys = keyframes.keyframes_of(n, scene)
        given = candidates(self.references, n, scene)
        blank = self.shape.like(
            self.frames.luma, self.model.match_size(self.shape.height, self.shape.width), 1
        )
        inputs = Inputs(
            blank=[blank],
            look=[self.looks[n]],
            luma=[self.frames.luma[n]],
            before=[self.frames.luma[max(n - 1, 0)]],
            keys=[self.own[key.frame] for key in keys],
            later=[self.own[key.later] for key in keys if key.later is not None],
            references=[reference.exemplar for reference in given],
            nearby_cuts=[
                reference.nearby_cuts for reference in given if reference.nearby_cuts is not None
            ],
        )
        match = _Match(self, n, n == 0 or n in cuts, scene, keys, given, inputs)
        return blank.std.ModifyFrame(inputs.clips, match.run).std.Loop(times=length)


@dataclass(frozen=True)
class _Match:
    """The match of one frame: all that is known before its input frames arrive.

    Attributes:
        matcher: The clip's.
        frame: The frame's number.
        starts: Whether it is the first frame of its scene.
        scene: Its scene.
        keys: The scene's keyframes that it takes from.
        given: References that may apply.
        inputs: The clips it needs frames of.
    """

    matcher: _Matcher
    frame: int
    starts: bool
    scene: keyframes.Scene
    keys: list[keyframes.Keyframe]
    given: list[PreparedReference]
    inputs: Inputs

    def run(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG002
        """Match the frame: a callback of `ModifyFrame`."""
        matcher, came = self.matcher, self.inputs.named(f)
        selected = select(
            self.frame, self.given, came["nearby_cuts"], matcher.frames.luma.num_frames
        )
        beside = keyframe_weight(selected.values())
        features = row_of(came["look"][0])[: matcher.shape.features]
        luma, before = (np.asarray(came[name][0][0]) for name in ("luma", "before"))
        keys = self._lit_keyframes(came)
        exemplars = self._exemplars(selected, beside, keys, came["references"])
        try:
            found = matcher.model.match(luma, before, features, exemplars)
        except VscolorError as error:
            raise vs.Error(f"{matcher.frames.caller}: frame {self.frame}: {error}") from None
        memory.tidy()
        frame = came["blank"][0].copy()
        fill(frame, found)
        frame.props[START] = int(self.starts)
        frame.props[USED_PROP] = _described(
            self.frame, self.scene, [key for key, _ in keys], beside, [*selected.values()]
        )
        return frame

    def _lit_keyframes(
        self, came: dict[str, list[vs.VideoFrame]]
    ) -> list[tuple[keyframes.Keyframe, Array]]:
        """The keyframes and their exemplars; a first keyframe that is too dark is replaced."""
        shape, later = self.matcher.shape, iter(came["later"])
        keys: list[tuple[keyframes.Keyframe, Array]] = []
        for key, frame in zip(self.keys, came["keys"], strict=True):
            row = row_of(frame)
            if key.later is not None:
                other = row_of(next(later))
                if keyframes.is_dark(shape.lightness(row), shape.lightness(other)):
                    keys.append((keyframes.Keyframe(key.later, key.weight), other))
                    continue
            keys.append((key, row))
        return keys

    def _exemplars(
        self,
        selected: dict[int, SelectedReference],
        beside: float,
        keys: Sequence[tuple[keyframes.Keyframe, Array]],
        references: Sequence[vs.VideoFrame],
    ) -> list[Exemplar]:
        """The selected references, then the keyframes with their weights times `beside`."""
        shape = self.matcher.shape
        chosen = [
            shape.read_exemplar(row_of(references[i]), s.weight, s.same_shot)
            for i, s in selected.items()
        ]
        # Beside references, keyframes only fill in what no reference matches. Correspondence is
        # enough for that: optical flow to each keyframe would cost more than all networks.
        own = [
            shape.read_exemplar(row, beside * key.weight, not chosen) for key, row in keys if beside
        ]
        return [*chosen, *own]


def _described(
    n: int,
    scene: keyframes.Scene,
    keys: Sequence[keyframes.Keyframe],
    beside: float,
    selected: Sequence[SelectedReference],
) -> str:
    """The frame's scene, keyframes and references with weights, a line each."""
    start = f"before {keyframes.searched(n)[0]}" if scene.start is None else str(scene.start)
    cut = ", CUT" if scene.start == n and n else ""
    return "\n".join(
        [
            f"frame {n}",
            f"scene from {start}{cut}",
            *(f"keyframe {key.frame}: {_short(beside * key.weight)}" for key in keys if beside),
            *(f"{s.reference.name}: {_short(s.weight)}" for s in selected),
        ]
    )


def _short(weight: float) -> str:
    return f"{weight:.3f}" if weight >= 0.0005 else f"{weight:.0e}"

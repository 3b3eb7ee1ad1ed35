"""Frames through a video model: features, keys and correspondence, then the chain.

What is no chain runs frame by frame and in any order: features in batches, and correspondence to
the frame's exemplars, which are its scene's keys as the model colours them on its own, and the
user's references and hints. `chain` does the rest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import vapoursynth as vs

from vscolor import memory
from vscolor.blocks import FramePass, Inputs, Work, run_frames, weave
from vscolor.errors import VscolorError
from vscolor.history import keys as key_plan
from vscolor.history.chain import START, Step, colour_in_blocks
from vscolor.history.gather import cuts_of, gathered_cuts
from vscolor.history.rows import Shape, as_planes, fill, row_of
from vscolor.models.base import Array
from vscolor.models.video import Exemplar, VideoModel

OWN_WEIGHT: Final = 0.02
"""Of the scene's own keys beside hints, or references of other scenes and films."""

MOST_REFERENCES: Final = 4
"""A frame takes from so many references at most, the nearest in time."""

SERVING: Final = "_vscolor_serving"
"""Set on each matched frame: its scene, keys and references and their weights, a line each."""


@dataclass(frozen=True)
class Ready:
    """A reference of the user's, ready to be asked for.

    Attributes:
        name: What to call it before a person.
        row: A clip of one frame: the exemplar's row.
        frame: The frame of the film it belongs to; None for any.
        whole: Whether it colours a whole picture, as references do and hints do not.
        roams: Whether scenes that have none of their own take from it, by likeness.
        scene: The scene of that frame, where a list tells it.
        span: Else a clip of one frame whose `CUTS` are those around `frame`.
    """

    name: str
    row: vs.VideoNode
    frame: int | None
    whole: bool
    roams: bool
    scene: key_plan.Scene | None = None
    span: vs.VideoNode | None = None

    def may_serve(self, n: int, scene: key_plan.Scene = key_plan.UNKNOWN) -> bool:
        """Whether frame n may be of its scene, as far as numbers tell.

        Args:
            n: The frame.
            scene: What is known of that frame's scene.
        """
        if self.frame is None:
            return True
        if self.scene:
            return _within(n, self.scene)
        return abs(self.frame - n) <= key_plan.REACH and _within(self.frame, scene)

    def serves(self, n: int, span: vs.VideoFrame | None, length: int) -> bool:
        """Whether frame n is of its scene, `span` being the frame of the clip of that name."""
        if self.frame is None or span is None:
            return self.may_serve(n)
        reach = (self.frame - key_plan.REACH, self.frame + key_plan.REACH)
        return _within(n, key_plan.scene_around(self.frame, cuts_of(span), *reach, length))


class Serving(NamedTuple):
    """A reference that a frame takes from.

    Attributes:
        given: The reference.
        weight: How much it counts beside others, above 0.
        same_shot: Whether it is of the frame's own shot.
    """

    given: Ready
    weight: float
    same_shot: bool


class Along(NamedTuple):
    """What comes of a clip.

    Attributes:
        lines: As `blocks.predict_lines` returns them.
        told: As many frames, with the property `SERVING`.
    """

    lines: vs.VideoNode
    told: vs.VideoNode


def _within(n: int, scene: key_plan.Scene) -> bool:
    return (scene.start is None or scene.start <= n) and (scene.end is None or n < scene.end)


def colour_along(
    frames: FramePass,
    model: VideoModel,
    groups: vs.VideoNode,
    references: Sequence[Ready],
    *,
    batch: int,
    lanes: int,
    step: Step,
    edge_aware: bool,
) -> Along:
    """Run a video model over a clip.

    Args:
        frames: The clip.
        model: The model.
        groups: The cuts, as `gather.cuts_in_groups` has them.
        references: The user's.
        batch: Frames per run of what is not a chain.
        lanes: Runs at the same time.
        step: The model's, or what shows something else in place of its colour.
        edge_aware: Whether colour follows luma's edges.
    """
    shape = Shape.of(model, frames.luma)
    looks = run_frames(frames, _look(model, shape, frames.luma), batch, lanes)
    own = run_frames(frames, _own_exemplar(model, shape, frames.luma), batch, lanes)
    around = gathered_cuts(groups, key_plan.GROUPS_BEHIND, key_plan.GROUPS_AHEAD)
    matcher = _Matcher(frames, model, shape, looks, own, tuple(references))
    blank = shape.like(frames.luma, model.match_size(shape.height, shape.width))
    told = weave([around] * key_plan.GROUP)[: frames.luma.num_frames]
    matched = blank.std.FrameEval(matcher.node_for, prop_src=[told], clip_src=[blank])
    # What a jump back within a block needs.
    matched.std.SetVideoCache(
        mode=1, fixedsize=1, maxsize=model.blocks.length + model.blocks.warm_up
    )
    lines = colour_in_blocks(frames, model, matched, step=step, edge_aware=edge_aware)
    return Along(lines, matched)


def _look(model: VideoModel, shape: Shape, luma: vs.VideoNode) -> Work:
    """Features of each frame."""
    like = shape.like(luma, shape.features)

    def run(stack: Array, _notes: Sequence[vs.VideoFrame]) -> Array:
        return as_planes(model.encode(stack), like)

    return Work(run, like)


def _own_exemplar(model: VideoModel, shape: Shape, luma: vs.VideoNode) -> Work:
    """Each frame as an exemplar, coloured as the model colours it on its own."""
    like = shape.like(luma, shape.exemplar)
    trust = np.ones(shape.colours, np.float32)

    def run(stack: Array, _notes: Sequence[vs.VideoFrame]) -> Array:
        rows = [
            shape.pack_exemplar(row, one, model.still(row, shape.height, shape.width), trust)
            for row, one in zip(model.encode(stack), stack, strict=True)
        ]
        return as_planes(np.stack(rows), like)

    return Work(run, like)


@dataclass(frozen=True)
class _Matcher:
    """Makes, for each frame, the node that finds where its colours could come from."""

    frames: FramePass
    model: VideoModel
    shape: Shape
    looks: vs.VideoNode
    own: vs.VideoNode
    references: tuple[Ready, ...]

    def node_for(self, n: int, f: vs.VideoFrame) -> vs.VideoNode:
        """A clip whose frame n is what `match` says of frame n."""
        length, cuts = self.frames.luma.num_frames, cuts_of(f)
        scene = key_plan.scene_around(n, cuts, *key_plan.searched(n), length)
        keys = key_plan.keys_of(n, scene)
        given = self._near(n, scene)
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
            references=[reference.row for reference in given],
            spans=[reference.span for reference in given if reference.span is not None],
        )
        match = _Match(self, n, n == 0 or n in cuts, scene, keys, given, inputs)
        return blank.std.ModifyFrame(inputs.clips, match.run).std.Loop(times=length)

    def _near(self, n: int, scene: key_plan.Scene) -> list[Ready]:
        """References that may serve frame n, those that may be of its scene first.

        Among those the nearest come first. Of two on one side the farther is of the scene only if
        the nearer is, so that none of the scene is left out for one that is not.
        """
        ranked = sorted(
            (r for r in self.references if r.roams or r.may_serve(n)),
            key=lambda r: (not r.may_serve(n, scene), key_plan.distance(n, r.frame)),
        )
        return ranked[: 2 * MOST_REFERENCES]


@dataclass(frozen=True)
class _Match:
    """One frame to be matched, and with what: all that is known before its inputs are there.

    Attributes:
        matcher: Of the clip.
        frame: The frame's number.
        starts: Whether its scene begins with it.
        scene: Its scene.
        keys: The scene's keys that serve it.
        given: References that may.
        inputs: What is asked for.
    """

    matcher: _Matcher
    frame: int
    starts: bool
    scene: key_plan.Scene
    keys: list[key_plan.Key]
    given: list[Ready]
    inputs: Inputs

    def run(self, n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG002
        """Match: a callback of `ModifyFrame`."""
        matcher, came = self.matcher, self.inputs.named(f)
        serving = self._serving(came["spans"])
        beside = _own_weight([*serving.values()])
        features = row_of(came["look"][0])[: matcher.shape.features]
        luma, before = (np.asarray(came[name][0][0]) for name in ("luma", "before"))
        keys = self._lit_keys(came)
        exemplars = self._exemplars(serving, beside, keys, came["references"])
        try:
            found = matcher.model.match(luma, before, features, exemplars)
        except VscolorError as error:
            raise vs.Error(f"{matcher.frames.caller}: frame {self.frame}: {error}") from None
        memory.tidy()
        frame = came["blank"][0].copy()
        fill(frame, found)
        frame.props[START] = int(self.starts)
        frame.props[SERVING] = _described(
            self.frame, self.scene, [key for key, _ in keys], beside, [*serving.values()]
        )
        return frame

    def _serving(self, spans: Sequence[vs.VideoFrame]) -> dict[int, Serving]:
        """References that serve the frame, by their place in `given`."""
        coming = iter(spans)
        told = [next(coming) if r.span is not None else None for r in self.given]
        length = self.matcher.frames.luma.num_frames
        at_home = [
            r.serves(self.frame, span, length) for r, span in zip(self.given, told, strict=True)
        ]
        return _serving(self.frame, self.given, at_home)

    def _lit_keys(self, came: dict[str, list[vs.VideoFrame]]) -> list[tuple[key_plan.Key, Array]]:
        """The keys and their rows, with a later frame where a first key is dark."""
        shape, later = self.matcher.shape, iter(came["later"])
        keys: list[tuple[key_plan.Key, Array]] = []
        for key, frame in zip(self.keys, came["keys"], strict=True):
            row = row_of(frame)
            if key.later is not None:
                other = row_of(next(later))
                if key_plan.is_dark(shape.lightness(row), shape.lightness(other)):
                    keys.append((key_plan.Key(key.later, key.weight), other))
                    continue
            keys.append((key, row))
        return keys

    def _exemplars(
        self,
        serving: dict[int, Serving],
        beside: float,
        keys: Sequence[tuple[key_plan.Key, Array]],
        references: Sequence[vs.VideoFrame],
    ) -> list[Exemplar]:
        """Those references, then the scene's keys, each of which counts `beside` as much."""
        shape = self.matcher.shape
        chosen = [
            shape.read_exemplar(row_of(references[i]), s.weight, s.same_shot)
            for i, s in serving.items()
        ]
        # Beside a reference they speak where it is silent, for which likeness is enough: flow
        # to each of them would cost more than all the networks.
        own = [
            shape.read_exemplar(row, beside * key.weight, not chosen) for key, row in keys if beside
        ]
        return [*chosen, *own]


def _serving(n: int, given: Sequence[Ready], at_home: Sequence[bool]) -> dict[int, Serving]:
    """Those that frame n takes from, by their place in `given`.

    A scene that has none of its own takes from those of others, by likeness alone, as from a
    picture of another film.

    Args:
        n: The frame.
        given: References, the nearest first.
        at_home: For each whether the frame is of its scene, or it belongs to no scene.
    """
    own = [home and r.frame is not None for r, home in zip(given, at_home, strict=True)]
    provided = any(mine and r.whole for r, mine in zip(given, own, strict=True))
    chosen = [i for i, r in enumerate(given) if at_home[i] or (r.roams and not provided)]
    chosen.sort(key=lambda i: not own[i])
    return {
        i: Serving(
            given[i], key_plan.nearness(n, given[i].frame) if own[i] else key_plan.ANYWHERE, own[i]
        )
        for i in chosen[:MOST_REFERENCES]
    }


def _own_weight(serving: Sequence[Serving]) -> float:
    """How much the scene's own keys count, 0 to 1.

    Not at all beside a reference of the scene: where that says nothing, the frame's own colouring
    stands, as for what comes into the picture later. Hints colour a part of a frame only.
    """
    if any(s.same_shot and s.given.whole for s in serving):
        return 0.0
    return OWN_WEIGHT if serving else 1.0


def _described(
    n: int,
    scene: key_plan.Scene,
    keys: Sequence[key_plan.Key],
    beside: float,
    serving: Sequence[Serving],
) -> str:
    """What serves a frame, a line each."""
    start = f"before {key_plan.searched(n)[0]}" if scene.start is None else str(scene.start)
    cut = ", CUT" if scene.start == n and n else ""
    return "\n".join(
        [
            f"frame {n}",
            f"scene from {start}{cut}",
            *(f"key {key.frame}: {beside * key.weight:.3f}" for key in keys if beside),
            *(f"{s.given.name}: {s.weight:.3f}" for s in serving),
        ]
    )

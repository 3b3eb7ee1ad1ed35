"""`mini-video` as a `VideoModel`, on any runtime.

`encode`, `match` and `step` exchange flat rows of floats, whose layouts are `Parts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import NamedTuple, Protocol

import numpy as np

from vscolor.models import running
from vscolor.models.base import Array, Grid
from vscolor.models.mini.architecture import MULTIPLE as MINI_MULTIPLE
from vscolor.models.parts import Parts
from vscolor.models.video import BlockPlan, Exemplar, ScaledHint, Strengths
from vscolor.scratch import scratch

from . import architecture as arch
from .exemplar_warp import Warped, warp_exemplars
from .matching import Attention, initial_flow, match
from .motion import MAX_RESIDUAL, coarser, find_motion, flow_estimates, warp
from .resampling import add_shares, area, resized
from .spreading import spread

BLOCKS = BlockPlan(length=16, warm_up=8)


class Networks(Attention, Protocol):
    """All networks, on some runtime. Arrays are float32 NumPy, shapes as in `network.py`."""

    def see(self, luma: Array) -> tuple[Array, Array, Array]:
        """L* `[B,1,h,w]` to `mini`'s ab `[B,2,h/4,w/4]`, unit vectors and context."""
        ...

    def fuse(self, feeds: dict[str, Array]) -> tuple[Array, Array]:
        """See `network.Fusion`; feeds have the input names of `graph.build`."""
        ...


class FusionResult(NamedTuple):
    """The fusion's output for a frame.

    Attributes:
        blend: Weights of the candidates and a correction, `[6,h/4,w/4]`, as `network.Fusion`.
        memory: For the next frame, `[4,h/4,w/4]`.
        before: Warped ab of the frame before, `[2,h,w]`; overwritten at the next frame.
    """

    blend: Array
    memory: Array
    before: Array


def feature_parts(height: int, width: int) -> Parts:
    """Layout of `encode`'s result: `mini`'s colours, unit vectors, context."""
    fine, eighth = (height // 4, width // 4), (height // 8, width // 8)
    return Parts(still=(2, *fine), vectors=(arch.EMBED, *eighth), context=(arch.CONTEXT, *fine))


def match_parts(height: int, width: int) -> Parts:
    """Layout of `match`'s result: all inputs of `step` except the state."""
    fine, eighth = (height // 4, width // 4), (height // 8, width // 8)
    return Parts(
        luma=(1, *fine),
        context=(arch.CONTEXT, *fine),
        cues=(len(arch.CUE_SCALES), *fine),
        flow=(height, width, 2),
        direct=(2, height, width),
        matched=(2, *eighth),
        still=(2, *fine),
        score_bias=(len(arch.CANDIDATES),),
    )


def state_parts(height: int, width: int) -> Parts:
    """Layout of the state: a step's colours and the fusion's memory."""
    return Parts(ab=(2, height, width), memory=(arch.HIDDEN, height // 4, width // 4))


class MiniVideo:
    """The embedded video model."""

    grid = Grid(multiple=arch.MULTIPLE, ab_stride=1, size=256)
    blocks = BLOCKS

    def __init__(self, networks: Networks, strengths: Strengths) -> None:
        self._networks = networks
        self._strengths = strengths

    def feature_size(self, height: int, width: int) -> int:
        """See `VideoModel`."""
        return feature_parts(height, width).size

    def match_size(self, height: int, width: int) -> int:
        """See `VideoModel`."""
        return match_parts(height, width).size

    def encode(self, luma: Array) -> Array:
        """See `VideoModel`."""
        height, width = luma.shape[2:]
        planes = self._networks.see(running.padded(luma, MINI_MULTIPLE))
        strides = (arch.FUSE_STRIDE, arch.MATCH_STRIDE, arch.FUSE_STRIDE)
        rows = [
            x[:, :, : height // s, : width // s].reshape(len(luma), -1)
            for x, s in zip(planes, strides, strict=True)
        ]
        return np.concatenate(rows, axis=1)

    def still(self, features: Array, height: int, width: int) -> Array:
        """See `VideoModel`."""
        still = feature_parts(height, width).unpack(features)["still"]
        return resized(still, arch.FUSE_STRIDE)

    def spread(self, luma: Array, features: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:
        """See `VideoModel`."""
        return spread(luma, feature_parts(*luma.shape).unpack(features)["vectors"], hints)

    def match(
        self, luma: Array, before: Array, features: Array, exemplars: Sequence[Exemplar]
    ) -> Array:
        """See `VideoModel`."""
        height, width = luma.shape
        seen = feature_parts(height, width).unpack(features)
        back = find_motion(luma, before, near=True)
        direct = self._warped(luma, seen["vectors"], [e for e in exemplars if e.same_shot])
        keys = [_vectors(e) for e in exemplars]
        matched = match(self._networks, luma, seen["vectors"], exemplars, keys)
        cues = [back.residual[None], direct.residual[None], matched.cues]
        return match_parts(height, width).pack(
            luma=area(luma, arch.FUSE_STRIDE)[None],
            context=seen["context"],
            cues=np.concatenate(cues),
            flow=back.flow,
            direct=direct.ab,
            matched=matched.ab,
            still=seen["still"],
            score_bias=self._scores(direct.exists, bool(exemplars)),
        )

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """See `VideoModel`."""
        return (state_parts(height, width).size,)

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """See `VideoModel`."""
        parts = match_parts(height, width).unpack(matched)
        fused = self._fuse(parts, state, height, width)
        ab = _mixed(
            fused.blend,
            fused.before,
            parts["direct"],
            resized(parts["matched"], arch.MATCH_STRIDE, reuse="matched"),
            resized(parts["still"], arch.FUSE_STRIDE, reuse="still"),
        )
        left = state_parts(height, width)
        after = left.pack(ab=ab, memory=fused.memory)
        return left.unpack(after)["ab"], after

    def source_weights(self, matched: Array, state: Array | None, height: int, width: int) -> Array:
        """See `AttributingModel`. The fusion's correction of the mean belongs to no source."""
        parts = match_parts(height, width).unpack(matched)
        fused = self._fuse(parts, state, height, width)
        return resized(fused.blend[: len(arch.CANDIDATES)], arch.FUSE_STRIDE)

    def _fuse(
        self, parts: dict[str, Array], state: Array | None, height: int, width: int
    ) -> FusionResult:
        cues, score_bias = parts["cues"], parts["score_bias"]
        if state is None:
            before = np.zeros((2, height, width), np.float32)
            memory = np.zeros((arch.HIDDEN, height // 4, width // 4), np.float32)
            cues, score_bias = cues.copy(), score_bias.copy()
            cues[0], score_bias[0] = MAX_RESIDUAL, arch.ABSENT
        else:
            left = state_parts(height, width).unpack(state)
            into = scratch("mini_video.before", left["ab"].shape)
            before = warp(left["ab"], parts["flow"], into)
            memory = warp(left["memory"], coarser(parts["flow"], arch.FUSE_STRIDE))
        matched, still = parts["matched"], parts["still"]
        ratio = arch.MATCH_STRIDE // arch.FUSE_STRIDE
        pooled = [
            *(area(plane, arch.FUSE_STRIDE)[None] for plane in (*before, *parts["direct"])),
            resized(matched, ratio),
            still,
        ]
        blend, memory = self._networks.fuse(
            {
                "luma": parts["luma"][None],
                "context": parts["context"][None],
                "cues": cues[None],
                "memory": memory[None],
                "candidates": np.concatenate(pooled)[None],
                "score_bias": score_bias.reshape(1, -1, 1, 1),
            }
        )
        return FusionResult(blend[0], memory[0], before)

    def _scores(self, follows: bool, matches: bool) -> Array:
        """Bias of the candidates' scores: the log of their strength, or `ABSENT`."""
        s = self._strengths
        present = (s.history, s.reference * follows, s.reference * matches, s.still)
        return np.array([log(x) if x > 0 else arch.ABSENT for x in present], np.float32)

    def _warped(self, luma: Array, vectors: Array, exemplars: Sequence[Exemplar]) -> Warped:
        """The exemplars' colours, warped along flow.

        A single exemplar is warped by two flow estimates, which compete; with several exemplars,
        one each suffices.
        """
        if len(exemplars) != 1:
            motions = [find_motion(luma, e.luma) for e in exemplars]
            return warp_exemplars(luma.shape, exemplars, motions)
        (only,) = exemplars
        start = initial_flow(vectors, _vectors(only), self._networks.nearest)
        return warp_exemplars(luma.shape, [only, only], flow_estimates(luma, only.luma, start))


def _vectors(exemplar: Exemplar) -> Array:
    """An exemplar's unit vectors `[64,h/8,w/8]`."""
    return feature_parts(*exemplar.luma.shape).unpack(exemplar.features)["vectors"]


def _mixed(blend: Array, *candidates: Array) -> Array:
    """The candidates' weighted mean, corrected, `[2,h,w]`; as `network.mix`.

    The thread's next call overwrites it.
    """
    fine = resized(blend, arch.FUSE_STRIDE, reuse="blend")
    ab = fine[len(candidates) :]
    add_shares(ab, fine, candidates)
    return ab

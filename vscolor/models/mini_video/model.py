"""`mini-video` with the manners of a `VideoModel`, whatever runs its networks.

What travels between `encode`, `match` and `step` is a row of floats, cut by the tables of `Parts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import log
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vscolor.models.base import Array, Grid
from vscolor.models.mini.architecture import MULTIPLE as MINI_MULTIPLE
from vscolor.models.parts import Parts
from vscolor.models.video import BlockPlan, Dab, Exemplar, Strengths
from vscolor.scratch import scratch

from . import architecture as arch
from .motion import (
    LARGEST_RESIDUAL,
    LEAST_SHARE,
    Motion,
    coarser,
    find_motion,
    find_routes,
    follow,
    weigh,
)
from .spreading import spread

BLOCKS = BlockPlan(length=16, warm_up=8)
SPARSE = 2
"""Of so many places in each direction one is looked up for flow to start from."""


type Indices = NDArray[np.int64]


class Networks(Protocol):
    """The networks, on some runtime. Arrays are float32 NumPy, shapes as in `network.py`."""

    temperature: float

    def see(self, luma: Array) -> tuple[Array, Array, Array]:
        """L* `[B,1,h,w]` to `mini`'s ab `[B,2,h/4,w/4]`, unit vectors and context."""
        ...

    def attend(self, query: Array, keys: Array, values: Array, bias: Array) -> tuple[Array, Array]:
        """See `network.attend`."""
        ...

    def nearest(self, query: Array, keys: Array) -> Indices:
        """The index of each place's likest among the keys `[1,M,64]`, of `[1,N,64]`: `[1,N]`."""
        ...

    def fuse(self, feeds: dict[str, Array]) -> tuple[Array, Array]:
        """See `network.Fusion`; feeds are named as in `graph.build`."""
        ...


class Judged(NamedTuple):
    """What the fusion makes of a frame.

    Attributes:
        judgement: Shares of the candidates and a correction, `[6,h/4,w/4]`, as `network.Fusion`.
        memory: For the next frame, `[4,h/4,w/4]`.
        before: The frame before's ab, brought along, `[2,h,w]`; the next frame writes over it.
    """

    judgement: Array
    memory: Array
    before: Array


def feature_parts(height: int, width: int) -> Parts:
    """What `encode` says of a frame: `mini`'s colours, unit vectors, context."""
    fine, eighth = (height // 4, width // 4), (height // 8, width // 8)
    return Parts(still=(2, *fine), vectors=(arch.EMBED, *eighth), context=(arch.CONTEXT, *fine))


def match_parts(height: int, width: int) -> Parts:
    """What `match` says of a frame: all that `step` takes but the state."""
    fine, eighth = (height // 4, width // 4), (height // 8, width // 8)
    return Parts(
        luma=(1, *fine),
        context=(arch.CONTEXT, *fine),
        trust=(len(arch.EVIDENCE_SCALES), *fine),
        flow=(height, width, 2),
        direct=(2, height, width),
        matched=(2, *eighth),
        still=(2, *fine),
        available=(len(arch.CANDIDATES),),
    )


def state_parts(height: int, width: int) -> Parts:
    """What a step leaves for the next: its colours and the fusion's memory."""
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
        planes = self._networks.see(_widened(luma, MINI_MULTIPLE))
        strides = (arch.FUSE_STRIDE, arch.MATCH_STRIDE, arch.FUSE_STRIDE)
        rows = [
            x[:, :, : height // s, : width // s].reshape(len(luma), -1)
            for x, s in zip(planes, strides, strict=True)
        ]
        return np.concatenate(rows, axis=1)

    def still(self, features: Array, height: int, width: int) -> Array:
        """See `VideoModel`."""
        still = feature_parts(height, width).unpack(features)["still"]
        return _resized(still, arch.FUSE_STRIDE)

    def spread(self, luma: Array, features: Array, dabs: list[Dab]) -> tuple[Array, Array]:
        """See `VideoModel`."""
        return spread(luma, feature_parts(*luma.shape).unpack(features)["vectors"], dabs)

    def match(
        self, luma: Array, before: Array, features: Array, exemplars: Sequence[Exemplar]
    ) -> Array:
        """See `VideoModel`."""
        height, width = luma.shape
        seen = feature_parts(height, width).unpack(features)
        back = find_motion(luma, before, near=True)
        direct = self._followed(luma, seen["vectors"], [e for e in exemplars if e.same_shot])
        matched = self._matched(luma, seen["vectors"], exemplars)
        trust = [back.residual[None], direct.residual[None], matched.trust]
        return match_parts(height, width).pack(
            luma=_shrunk(luma, arch.FUSE_STRIDE),
            context=seen["context"],
            trust=np.concatenate(trust),
            flow=back.flow,
            direct=direct.ab,
            matched=matched.ab,
            still=seen["still"],
            available=self._scores(direct.exists, bool(exemplars)),
        )

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """See `VideoModel`."""
        return (state_parts(height, width).size,)

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """See `VideoModel`."""
        parts = match_parts(height, width).unpack(matched)
        judged = self._judged(parts, state, height, width)
        ab = _mixed(
            judged.judgement,
            judged.before,
            parts["direct"],
            _resized(parts["matched"], arch.MATCH_STRIDE, reuse="matched"),
            _resized(parts["still"], arch.FUSE_STRIDE, reuse="still"),
        )
        left = state_parts(height, width)
        after = left.pack(ab=ab, memory=judged.memory)
        return left.unpack(after)["ab"], after

    def shares(self, matched: Array, state: Array | None, height: int, width: int) -> Array:
        """See `TellingModel`. The fusion's correction of the mean is of none of the sources."""
        parts = match_parts(height, width).unpack(matched)
        judged = self._judged(parts, state, height, width)
        return _resized(judged.judgement[: len(arch.CANDIDATES)], arch.FUSE_STRIDE)

    def _judged(
        self, parts: dict[str, Array], state: Array | None, height: int, width: int
    ) -> Judged:
        trust, available = parts["trust"], parts["available"]
        if state is None:
            before = np.zeros((2, height, width), np.float32)
            memory = np.zeros((arch.HIDDEN, height // 4, width // 4), np.float32)
            trust, available = trust.copy(), available.copy()
            trust[0], available[0] = LARGEST_RESIDUAL, arch.ABSENT
        else:
            left = state_parts(height, width).unpack(state)
            into = scratch("mini_video.before", left["ab"].shape)
            before = follow(left["ab"], parts["flow"], into)
            memory = follow(left["memory"], coarser(parts["flow"], arch.FUSE_STRIDE))
        matched, still = parts["matched"], parts["still"]
        ratio = arch.MATCH_STRIDE // arch.FUSE_STRIDE
        pooled = [
            *(_area(plane, arch.FUSE_STRIDE)[None] for plane in (*before, *parts["direct"])),
            _resized(matched, ratio),
            still,
        ]
        judgement, memory = self._networks.fuse(
            {
                "luma": parts["luma"][None],
                "context": parts["context"][None],
                "trust": trust[None],
                "memory": memory[None],
                "candidates": np.concatenate(pooled)[None],
                "available": available.reshape(1, -1, 1, 1),
            }
        )
        return Judged(judgement[0], memory[0], before)

    def _scores(self, follows: bool, matches: bool) -> Array:
        """What is added to the candidates' scores: their strength, or that they do not exist."""
        s = self._strengths
        present = (s.history, s.reference * follows, s.reference * matches, s.still)
        return np.array([log(x) if x > 0 else arch.ABSENT for x in present], np.float32)

    def _followed(self, luma: Array, vectors: Array, exemplars: Sequence[Exemplar]) -> Followed:
        """The exemplars' colours along flow; for one alone, along two routes.

        Several exemplars make up for each other.
        """
        if len(exemplars) != 1:
            motions = [find_motion(luma, e.luma) for e in exemplars]
            return _followed(luma.shape, exemplars, motions)
        (only,) = exemplars
        keys = feature_parts(*luma.shape).unpack(only.features)["vectors"]
        start = likeness_start(vectors, keys, self._networks.nearest)
        return _followed(luma.shape, [only, only], find_routes(luma, only.luma, start))

    def _matched(self, luma: Array, vectors: Array, exemplars: Sequence[Exemplar]) -> Matched:
        height, width = luma.shape
        if not exemplars:
            return _unmatched(height, width)
        keys = [feature_parts(height, width).unpack(e.features)["vectors"] for e in exemplars]
        total = sum(e.weight for e in exemplars)
        biases = [self._bias(e, e.weight / total) for e in exemplars]
        found, cosine = self._networks.attend(
            _places(vectors)[None],
            np.concatenate([_places(k) for k in keys])[None],
            np.concatenate([_values(e) for e in exemplars])[None],
            np.concatenate(biases)[None, None],
        )
        shape = (height // arch.MATCH_STRIDE, width // arch.MATCH_STRIDE)
        planes = np.ascontiguousarray(found[0].T).reshape(arch.VALUES, *shape)
        top = cosine[0, :, 0].reshape(1, *shape)
        return _read(planes, top, _shrunk(luma, arch.MATCH_STRIDE))

    def _bias(self, exemplar: Exemplar, share: float) -> Array:
        """What makes the softmax count each place times its share and trust."""
        trust = _area(exemplar.trust, arch.MATCH_STRIDE)
        log_share = np.log(np.maximum(trust * share, LEAST_SHARE)).ravel()
        return np.asarray(log_share * self._networks.temperature, np.float32)


def likeness_start(
    vectors: Array, keys: Array, nearest: Callable[[Array, Array], Indices]
) -> Array:
    """How far off each second place's likest is in an exemplar, for flow to start from.

    Args:
        vectors: The frame's `[64,h/8,w/8]`.
        keys: The exemplar's, likewise.
        nearest: As of `Networks`.

    Returns:
        Pixels of the luma, x then y, `[h/16,w/16,2]`, rounded up.
    """
    own_y, own_x = np.mgrid[: vectors.shape[1] : SPARSE, : vectors.shape[2] : SPARSE]
    query = _places(vectors[:, ::SPARSE, ::SPARSE])
    index = nearest(query[None], _places(keys)[None])
    y, x = np.divmod(index.reshape(own_y.shape), vectors.shape[2])
    return np.asarray(arch.MATCH_STRIDE * np.stack([x - own_x, y - own_y], axis=-1), np.float32)


class Matched(NamedTuple):
    """What correspondence says: ab `[2,h/8,w/8]` and its trust planes `[4,h/4,w/4]`."""

    ab: Array
    trust: Array


class Followed(NamedTuple):
    """What flow from the exemplars says: ab `[2,h,w]`, luma left `[h/4,w/4]`."""

    ab: Array
    residual: Array
    exists: bool


def _unmatched(height: int, width: int) -> Matched:
    trust = np.zeros((4, height // 4, width // 4), np.float32)
    trust[0], trust[1] = -1, LARGEST_RESIDUAL
    return Matched(np.zeros((2, height // 8, width // 8), np.float32), trust)


def _read(planes: Array, cosine: Array, luma: Array) -> Matched:
    """From matched values at stride 8 to what the fusion takes; as in training."""
    ab, there, square, vouched = planes[:2], planes[2:3], planes[3:4], planes[4:5]
    spread = np.sqrt(np.maximum(square - (ab * ab).sum(axis=0, keepdims=True), 1e-4))
    trust = np.concatenate([cosine, np.abs(luma - there), spread, vouched])
    return Matched(ab, _resized(trust, arch.MATCH_STRIDE // arch.FUSE_STRIDE))


def _mixed(judgement: Array, *candidates: Array) -> Array:
    """The candidates' weighted mean, corrected, `[2,h,w]`; as `network.mix`.

    The thread's next call writes over it.
    """
    fine = _resized(judgement, arch.FUSE_STRIDE, reuse="judgement")
    ab = fine[len(candidates) :]
    _add_shares(ab, fine, candidates)
    return ab


def _add_shares(ab: Array, shares: Iterable[Array], candidates: Sequence[Array]) -> None:
    """Add to ab `[2,h,w]` each candidate's, times its share `[h,w]`."""
    part = scratch("mini_video.part", ab.shape[1:])
    for share, candidate in zip(shares, candidates, strict=False):
        for target, plane in zip(ab, candidate, strict=True):
            np.multiply(share, plane, out=part)
            np.add(target, part, out=target)


def _followed(
    shape: tuple[int, ...], exemplars: Sequence[Exemplar], motions: Sequence[Motion]
) -> Followed:
    """The exemplars' colours along flow; where several explain the luma, the better counts more."""
    height, width = shape
    if not exemplars:
        ab = np.zeros((2, height, width), np.float32)
        residual = np.full((height // 4, width // 4), LARGEST_RESIDUAL, np.float32)
        return Followed(ab, residual, False)
    moved = [
        _carried(e, m, scratch(f"mini_video.moved {i}", (3, height, width)))
        for i, (e, m) in enumerate(zip(exemplars, motions, strict=True))
    ]
    left = np.stack(
        [
            m.residual + LARGEST_RESIDUAL * (1 - trust)
            for m, (_, trust) in zip(motions, moved, strict=True)
        ]
    )
    weighed = weigh(left, np.array([e.weight for e in exemplars]))
    fine = _resized(weighed.shares, arch.FUSE_STRIDE, reuse="shares")
    ab = np.zeros((2, height, width), np.float32)
    _add_shares(ab, fine, [colour for colour, _ in moved])
    return Followed(ab, weighed.residual, True)


def _carried(exemplar: Exemplar, motion: Motion, into: Array) -> tuple[Array, Array]:
    """An exemplar's ab `[2,h,w]` and trust `[h/4,w/4]`, brought along; the first in `into`."""
    moved = follow([*exemplar.ab, exemplar.trust], motion.flow, into)
    return moved[:2], _area(moved[2], arch.FUSE_STRIDE)


def _values(exemplar: Exemplar) -> Array:
    """What an exemplar's places carry `[M,5]`; as in training."""
    ab = np.stack([_area(plane, arch.MATCH_STRIDE) for plane in exemplar.ab])
    luma = _shrunk(exemplar.luma, arch.MATCH_STRIDE)
    trust = _area(exemplar.trust, arch.MATCH_STRIDE)[None]
    square = (ab * ab).sum(axis=0, keepdims=True)
    return _places(np.concatenate([ab, luma, square, trust]))


def _places(planes: Array) -> Array:
    """`[C,h,w]` as one row a place, `[h*w,C]`."""
    return np.ascontiguousarray(planes.reshape(len(planes), -1).T)


def _shrunk(luma: Array, stride: int) -> Array:
    return _area(luma, stride)[None]


def _area(plane: Array, factor: int) -> Array:
    """Means of squares, `[h,w]` to `[h/factor,w/factor]`."""
    import cv2

    size = (plane.shape[1] // factor, plane.shape[0] // factor)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _widened(luma: Array, multiple: int) -> Array:
    """`[B,1,h,w]` with its last rows and columns repeated up to a multiple."""
    height, width = luma.shape[2:]
    more = ((0, 0), (0, 0), (0, -height % multiple), (0, -width % multiple))
    return np.pad(luma, more, mode="edge")


def _resized(planes: Array, factor: int, *, reuse: str | None = None) -> Array:
    """`[C,h,w]` larger by a factor, bilinear; with `reuse` in a scratch array of that name."""
    import cv2

    width, height = planes.shape[2] * factor, planes.shape[1] * factor
    shape = (len(planes), height, width)
    large = np.empty(shape, np.float32) if reuse is None else scratch(f"mini_video.{reuse}", shape)
    for plane, target in zip(planes, large, strict=True):
        cv2.resize(plane, (width, height), dst=target, interpolation=cv2.INTER_LINEAR)
    return np.asarray(large)

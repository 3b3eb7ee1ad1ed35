"""Correspondence: a frame's colours from the best-matching positions of the exemplars.

Zhang et al. 2019 (arXiv:1906.09909), section 3.1, over all exemplars at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vscolor.models.base import Array
from vscolor.models.video import Exemplar

from . import architecture as arch
from .motion import MAX_RESIDUAL, MIN_SHARE
from .resampling import area, resized

SPARSE = 2
"""Stride, in positions of the matching grid, of the matches that initialise flow."""


type Indices = NDArray[np.int64]


class Attention(Protocol):
    """The networks for correspondence, on some runtime. Arrays are float32 NumPy."""

    temperature: float

    def attend(self, query: Array, keys: Array, values: Array, bias: Array) -> tuple[Array, Array]:
        """See `network.attend`."""
        ...

    def nearest(self, query: Array, keys: Array) -> Indices:
        """Index of the best-matching key `[1,M,64]` for each query `[1,N,64]`: `[1,N]`."""
        ...


class Matched(NamedTuple):
    """Matched ab `[2,h/8,w/8]` and its cues `[4,h/4,w/4]`, see `arch.CUE_SCALES`."""

    ab: Array
    cues: Array


def match(
    attention: Attention,
    luma: Array,
    vectors: Array,
    exemplars: Sequence[Exemplar],
    keys: Sequence[Array],
) -> Matched:
    """Match every position of a frame with the exemplars.

    Args:
        attention: The networks.
        luma: L* `[h,w]`.
        vectors: The frame's unit vectors `[64,h/8,w/8]`.
        exemplars: The exemplars to search; may be empty.
        keys: The exemplars' unit vectors `[64,h/8,w/8]`.
    """
    height, width = luma.shape
    if not exemplars:
        return _unmatched(height, width)
    total = sum(e.weight for e in exemplars)
    biases = [_bias(e, e.weight / total) * attention.temperature for e in exemplars]
    found, cosine = attention.attend(
        _places(vectors)[None],
        np.concatenate([_places(k) for k in keys])[None],
        np.concatenate([_values(e) for e in exemplars])[None],
        np.concatenate(biases)[None, None],
    )
    shape = (height // arch.MATCH_STRIDE, width // arch.MATCH_STRIDE)
    planes = np.ascontiguousarray(found[0].T).reshape(arch.VALUES, *shape)
    top = cosine[0, :, 0].reshape(1, *shape)
    return _read(planes, top, area(luma, arch.MATCH_STRIDE)[None])


def initial_flow(vectors: Array, keys: Array, nearest: Callable[[Array, Array], Indices]) -> Array:
    """Initial flow to an exemplar: the displacement to the best match, at every second position.

    Args:
        vectors: The frame's unit vectors `[64,h/8,w/8]`.
        keys: The exemplar's unit vectors `[64,h/8,w/8]`.
        nearest: See `Attention`.

    Returns:
        Luma pixels, x then y, `[h/16,w/16,2]`, h/16 and w/16 rounded up.
    """
    own_y, own_x = np.mgrid[: vectors.shape[1] : SPARSE, : vectors.shape[2] : SPARSE]
    query = _places(vectors[:, ::SPARSE, ::SPARSE])
    index = nearest(query[None], _places(keys)[None])
    y, x = np.divmod(index.reshape(own_y.shape), vectors.shape[2])
    return np.asarray(arch.MATCH_STRIDE * np.stack([x - own_x, y - own_y], axis=-1), np.float32)


def _bias(exemplar: Exemplar, share: float) -> Array:
    """Log of share times confidence `[M]`, which scales each position's attention weight."""
    confidence = area(exemplar.confidence, arch.MATCH_STRIDE)
    return np.asarray(np.log(np.maximum(confidence * share, MIN_SHARE)).ravel(), np.float32)


def _unmatched(height: int, width: int) -> Matched:
    cues = np.zeros((4, height // 4, width // 4), np.float32)
    cues[0], cues[1] = -1, MAX_RESIDUAL
    return Matched(np.zeros((2, height // 8, width // 8), np.float32), cues)


def _read(planes: Array, cosine: Array, luma: Array) -> Matched:
    """Turn matched values at stride 8 into the fusion's inputs; as in training."""
    ab, there, square, confidence = planes[:2], planes[2:3], planes[3:4], planes[4:5]
    spread = np.sqrt(np.maximum(square - (ab * ab).sum(axis=0, keepdims=True), 1e-4))
    cues = np.concatenate([cosine, np.abs(luma - there), spread, confidence])
    return Matched(ab, resized(cues, arch.MATCH_STRIDE // arch.FUSE_STRIDE))


def _values(exemplar: Exemplar) -> Array:
    """Values of an exemplar's positions `[M,5]`, see `arch.VALUES`; as in training."""
    ab = np.stack([area(plane, arch.MATCH_STRIDE) for plane in exemplar.ab])
    luma, confidence = (
        area(x, arch.MATCH_STRIDE)[None] for x in (exemplar.luma, exemplar.confidence)
    )
    square = (ab * ab).sum(axis=0, keepdims=True)
    return _places(np.concatenate([ab, luma, square, confidence]))


def _places(planes: Array) -> Array:
    """`[C,h,w]` as one row per position, `[h*w,C]`."""
    return np.ascontiguousarray(planes.reshape(len(planes), -1).T)

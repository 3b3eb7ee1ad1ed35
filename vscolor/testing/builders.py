"""Tiny deterministic models, and clips to run models on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import vapoursynth as vs

from vscolor.device import Device
from vscolor.models.base import Array, Card, Grid
from vscolor.models.registry import Entry
from vscolor.models.video import BlockPlan, Exemplar, ScaledHint, Strengths

TINY_CARD = Card(
    name="tiny",
    kind="still",
    summary="for tests: ab is a fixed function of L*",
    paper="none",
    code_licence="MIT",
    weights_licence="none",
    score="none",
    page="",
)


class TinyModel:
    """A model without weights: a* = L* - 50, b* = 0.8 L* - 30 of each 4x4 block's mean.

    Its output differs wherever the picture differs, so a frame taken for another shows.
    """

    grid = Grid(multiple=8, ab_stride=4)

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        b, _, h, w = luma.shape
        mean = luma.reshape(b, h // 4, 4, w // 4, 4).mean(axis=(2, 4))
        return np.stack([mean - 50, 0.8 * mean - 30], axis=1).astype(np.float32)


def _load_tiny(
    device: Device,  # noqa: ARG001
    weights: str | Path | None,  # noqa: ARG001
    options: Mapping[str, Any],  # noqa: ARG001
) -> TinyModel:
    return TinyModel()


def tiny_entry() -> Entry:
    """`TinyModel` for `registry.add`."""
    return Entry(TINY_CARD, _load_tiny, installed=lambda: True)


def noise_clip(
    format: int = vs.GRAY8,
    width: int = 64,
    height: int = 48,
    length: int = 5,
    seed: int = 0,
    **props: int,
) -> vs.VideoNode:
    """A clip of seeded noise over the whole code range, another in each frame.

    Args:
        format: Any planar format.
        width: In pixels.
        height: In pixels.
        length: In frames.
        seed: Of NumPy's PCG64.
        props: Frame properties to set.
    """
    blank = vs.core.std.BlankClip(None, width, height, format, length, keep=True)

    def fill(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        rng = np.random.default_rng((seed, n))
        for plane in range(frame.format.num_planes):
            target = np.asarray(frame[plane])
            chroma = plane > 0 and frame.format.color_family == vs.YUV
            target[...] = _noise(rng, target, frame.format.bits_per_sample, chroma)
        return frame

    clip = blank.std.ModifyFrame(blank, fill)
    return clip.std.SetFrameProps(**props) if props else clip


def _noise(rng: np.random.Generator, like: np.ndarray, bits: int, signed: bool) -> np.ndarray:
    if like.dtype.kind == "f":
        return rng.random(like.shape).astype(like.dtype) - (0.5 if signed else 0)
    return rng.integers(0, 1 << bits, like.shape, dtype=like.dtype)


def planes_of(clip: vs.VideoNode, n: int) -> list[np.ndarray]:
    """Copies of frame n's planes."""
    with clip.get_frame(n) as frame:
        return [np.array(frame[p]) for p in range(frame.format.num_planes)]


TINY_VIDEO_CARD = replace(
    TINY_CARD,
    name="tiny-video",
    kind="video",
    supports=frozenset({"history", "hints", "references"}),
)


class TinyVideoModel:
    """A video model without weights, whose colour tells where it came from.

    The still colour is `TinyModel`'s. A frame's colour is a third each of the frame before's, the
    exemplars' weighted mean, and its own still colour; without a frame before, of the other two.
    """

    grid = Grid(multiple=8, ab_stride=4)
    blocks = BlockPlan(length=6, warm_up=3)

    def __init__(self, strengths: Strengths | None = None) -> None:
        self._strengths = strengths or Strengths()

    def feature_size(self, height: int, width: int) -> int:
        """See `VideoModel`."""
        return 2 * (height // 4) * (width // 4)

    match_size = feature_size

    def encode(self, luma: Array) -> Array:
        """See `VideoModel`."""
        return TinyModel().predict(luma).reshape(len(luma), -1)

    def still(self, features: Array, height: int, width: int) -> Array:
        """See `VideoModel`."""
        return features.reshape(2, height // 4, width // 4)

    def spread(self, luma: Array, features: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:  # noqa: ARG002
        """See `VideoModel`: the first point's colour everywhere."""
        shape = (luma.shape[0] // 4, luma.shape[1] // 4)
        ab = np.broadcast_to(hints[0].ab[:, None, None], (2, *shape)).astype(np.float32)
        return ab, np.ones(shape, np.float32)

    def match(
        self,
        luma: Array,
        before: Array,  # noqa: ARG002
        features: Array,
        exemplars: Sequence[Exemplar],
    ) -> Array:
        """See `VideoModel`."""
        own = self.still(features, *luma.shape)
        total = sum(e.weight for e in exemplars)
        mean = sum((e.ab * np.float32(e.weight / total) for e in exemplars), np.zeros_like(own))
        return np.ravel((mean + own) / 2).astype(np.float32)

    def source_weights(
        self,
        matched: Array,  # noqa: ARG002
        state: Array | None,
        height: int,
        width: int,
    ) -> Array:
        """See `AttributingModel`."""
        follows = state is not None and self._strengths.history
        parts = (1 / 3, 0, 1 / 3, 1 / 3) if follows else (0, 0, 1 / 2, 1 / 2)
        return np.tile(np.array(parts, np.float32)[:, None, None], (1, height // 4, width // 4))

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """See `VideoModel`."""
        return (2, height // 4, width // 4)

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """See `VideoModel`."""
        ab = matched.reshape(2, height // 4, width // 4)
        if state is not None and self._strengths.history:
            ab = (state + 2 * ab) / np.float32(3)
        return ab, ab


def _load_tiny_video(
    device: Device,  # noqa: ARG001
    weights: str | Path | None,  # noqa: ARG001
    options: Mapping[str, Any],  # noqa: ARG001
    strengths: Strengths,
) -> TinyVideoModel:
    return TinyVideoModel(strengths)


def tiny_video_entry() -> Entry:
    """`TinyVideoModel` for `registry.add`."""
    return Entry(TINY_VIDEO_CARD, _load_tiny_video, installed=lambda: True)

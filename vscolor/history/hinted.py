"""Frames through a still model that takes hints: each hint colours its own frame alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor.batching import FramePass, coefficients_op, run_frames
from vscolor.history.exemplars import check_frame, scaled_hint
from vscolor.history.hints import Hint
from vscolor.models.base import Array, HintedModel
from vscolor.models.video import ScaledHint
from vscolor.scenes import carrier

NUMBER_PROP: Final = "_vscolor_number"


@dataclass(frozen=True)
class HintedPass:
    """A model and the points it is given.

    Attributes:
        model: The model.
        hints: Points of each hinted frame, in pixels of the model's picture.
    """

    model: HintedModel
    hints: dict[int, list[ScaledHint]]

    def predict(self, luma: Array, numbers: Sequence[int]) -> Array:
        """Ab of the frames `[B,1,h,w]` with these numbers; see `HintedModel.predict_hinted`."""
        b, _, h, w = luma.shape
        ab, mask = np.zeros((b, 2, h, w), np.float32), np.zeros((b, 1, h, w), np.float32)
        for row, number in enumerate(numbers):
            for hint in self.hints.get(number, ()):
                inside = covered(hint, h, w)
                ab[row][:, inside] = hint.ab[:, None]
                mask[row, 0][inside] = 1
        return self.model.predict_hinted(luma, ab, mask)


def covered(hint: ScaledHint, height: int, width: int) -> np.ndarray:
    """Mask `[h,w]` of the pixels a point covers, at least the one it lies in."""
    y, x = np.ogrid[:height, :width]
    inside = (x + 0.5 - hint.x) ** 2 + (y + 0.5 - hint.y) ** 2 <= hint.radius**2
    inside[min(int(hint.y), height - 1), min(int(hint.x), width - 1)] = True
    return np.asarray(inside)


def hinted_coefficients(
    frames: FramePass,
    model: HintedModel,
    hints: Sequence[Hint],
    *,
    film: tuple[int, int],
    batch: int,
    lanes: int,
    edge_aware: bool,
) -> vs.VideoNode:
    """Run a still model with hints over a clip.

    Args:
        frames: The clip.
        model: The model.
        hints: The user's.
        film: Width and height of the film, in whose pixels the hints are given.
        batch: Frames per run of the model.
        lanes: Runs at the same time.
        edge_aware: Whether colour follows luma's edges.

    Returns:
        Linear coefficients as `batching.predict_coefficients` returns them.

    Raises:
        SettingError: A hint cannot be used.
    """
    scaled: dict[int, list[ScaledHint]] = {}
    for hint in hints:
        check_frame(hint.frame, "hint", frames.luma.num_frames)
        scaled.setdefault(hint.frame, []).append(
            scaled_hint(hint, film, (frames.luma.width, frames.luma.height))
        )
    hinted = HintedPass(model, scaled)

    def predict(stack: Array, analyses: Sequence[vs.VideoFrame]) -> Array:
        return hinted.predict(stack, [int(str(f.props[NUMBER_PROP])) for f in analyses])

    op = coefficients_op(predict, frames.luma, model.grid, edge_aware=edge_aware)
    return run_frames(replace(frames, analyses=_numbered(frames.luma)), op, batch, lanes)


def _numbered(clip: vs.VideoNode) -> vs.VideoNode:
    """Tiny frames with their numbers as a property."""
    blank = carrier(clip)

    def number(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        frame.props[NUMBER_PROP] = n
        return frame

    return blank.std.ModifyFrame(blank, number)

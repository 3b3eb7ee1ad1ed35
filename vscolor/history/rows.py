"""Rows of floats that travel through the core as frames: features, exemplars, matches.

What a model packs into a row is its own affair; here rows become frames and frames become rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import vapoursynth as vs

from vscolor.models.base import Array
from vscolor.models.parts import Parts
from vscolor.models.video import Exemplar, VideoModel


@dataclass(frozen=True)
class Shape:
    """The model's picture and the rows of floats that travel as frames of its width.

    Attributes:
        height: Of the model's luma.
        width: Likewise.
        features: Length of a frame's feature row.
        colours: Size of ab, `(h/s, w/s)`.
    """

    height: int
    width: int
    features: int
    colours: tuple[int, int]

    @staticmethod
    def of(model: VideoModel, luma: vs.VideoNode) -> Shape:
        """The shape for a model and a clip at its size."""
        stride = model.grid.ab_stride
        features = model.feature_size(luma.height, luma.width)
        return Shape(
            luma.height, luma.width, features, (luma.height // stride, luma.width // stride)
        )

    @cached_property
    def exemplar(self) -> Parts:
        """The row of an exemplar."""
        return Parts(
            features=(self.features,),
            luma=(self.height, self.width),
            ab=(2, *self.colours),
            confidence=self.colours,
        )

    def like(self, clip: vs.VideoNode, floats: int, length: int | None = None) -> vs.VideoNode:
        """A blank clip whose frames hold this many floats."""
        rows = -(-floats // self.width)
        return vs.core.std.BlankClip(
            clip, self.width, rows, vs.GRAYS, length=length or clip.num_frames, keep=True
        )

    def pack_exemplar(self, features: Array, luma: Array, ab: Array, confidence: Array) -> Array:
        """A row of floats that `read_exemplar` reads."""
        return self.exemplar.pack(features=features, luma=luma, ab=ab, confidence=confidence)

    def lightness(self, row: Array) -> float:
        """Mean L* of the exemplar of a row."""
        return float(self.exemplar.unpack(row)["luma"].mean())

    def read_exemplar(self, row: Array, weight: float, same_shot: bool) -> Exemplar:
        """An exemplar from its row."""
        return Exemplar(**self.exemplar.unpack(row), weight=weight, same_shot=same_shot)


def row_of(frame: vs.VideoFrame) -> Array:
    """The floats of a frame."""
    return np.asarray(frame[0]).reshape(-1)


def fill(frame: vs.VideoFrame, *rows: Array) -> None:
    """Write rows of floats, one after the other, into a frame that holds at least as many."""
    target = np.asarray(frame[0])  # its lines may be further apart than they are wide
    width, at = target.shape[1], 0
    for row in rows:
        line, column = divmod(at, width)
        head = min(-at % width, len(row))
        if head:
            target[line, column : column + head] = row[:head]
            line += 1
        whole, tail = divmod(len(row) - head, width)
        target[line : line + whole] = row[head : len(row) - tail].reshape(whole, width)
        if tail:
            target[line + whole, :tail] = row[-tail:]
        at += len(row)


def as_planes(rows: Array, like: vs.VideoNode) -> Array:
    """Rows `[B,F]` as planes of a blank clip's size `[B,1,h,w]`."""
    planes = np.zeros((len(rows), 1, like.height * like.width), np.float32)
    planes[:, 0, : rows.shape[1]] = rows
    return planes.reshape(len(rows), 1, like.height, like.width)

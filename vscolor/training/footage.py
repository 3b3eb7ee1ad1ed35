"""Short pieces of moving colour: from films, and from photographs under a moving camera.

A piece is luma `[T,h,w]` in 0..1 and chroma U, V `[T,2,h/4,w/4]` in 8-bit levels about 0, BT.709.
Which piece a step sees is a function of the seed and the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from vscolor.files import atomic_write
from vscolor.models.blind.architecture import STRIDE
from vscolor.training.lab import Float
from vscolor.training.photographs import Bytes, Photographs

SHORT_SIDES: Final = (144, 192, 256)
"""Short sides at which shots of films are stored, in turn, in pixels."""

LUMA_ROW: Final = np.array([0.2126, 0.7152, 0.0722], np.float32)
CHROMA_LEVELS: Final = 224.0
MAX_STRIDE: Final = 2

FRAMES: Final = 16
"""Default length of a piece; shorter shots are dropped."""


@dataclass(frozen=True)
class Piece:
    """A few consecutive frames.

    Attributes:
        luma: `[T,h,w]`, 0..1.
        chroma: Input chroma, to be steadied, `[T,2,h/4,w/4]`, 8-bit levels.
        steady: Target chroma, likewise; None if flicker is still to be added to `chroma`.
    """

    luma: Float
    chroma: Float
    steady: Float | None = None


def split(rgb: Bytes) -> tuple[Float, Float]:
    """Luma and average-pooled chroma of RGB `[T,h,w,3]`."""
    unit = rgb.astype(np.float32) / 255
    luma = np.asarray(unit @ LUMA_ROW, np.float32)
    scales = (1.8556, 1.5748)
    planes = np.stack([(unit[..., c] - luma) / s for c, s in zip((2, 0), scales, strict=True)], 1)
    count, _, height, width = planes.shape
    squares = planes.reshape(count, 2, height // STRIDE, STRIDE, width // STRIDE, STRIDE)
    return luma, np.asarray(CHROMA_LEVELS * squares.mean(axis=(3, 5)), np.float32)


def camera_piece(photographs: Photographs, frames: int, side: int, rng: Generator) -> Piece:
    """A photograph under a moving camera; half the time part of another moves in front of it."""
    back, front = (photographs.picture(int(i)) for i in rng.integers(len(photographs), size=2))
    rgb = _travel(back, frames, side, rng, zoom=(0.6, 1.0))
    if rng.random() < 0.5:
        y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
        (cx, cy), (vx, vy) = rng.uniform(-0.7, 0.7, 2), rng.uniform(-0.08, 0.08, 2)
        rx, ry = rng.uniform(0.2, 0.6, 2)
        other = _travel(front, frames, side, rng, zoom=(0.5, 0.9))
        for t in range(frames):
            inside = ((x - cx - vx * t) / rx) ** 2 + ((y - cy - vy * t) / ry) ** 2 < 1
            rgb[t][inside] = other[t][inside]
    return Piece(*split(rgb))


def _travel(
    picture: Bytes, frames: int, side: int, rng: Generator, zoom: tuple[float, float]
) -> Bytes:
    """Views of a picture `[T,side,side,3]`: pan, zoom and rotation at constant speed, or still."""
    height, width = picture.shape[:2]
    scale = rng.uniform(*zoom) * min(height, width) / side
    place, speed = np.array([width / 2, height / 2]), rng.uniform(-1.5, 1.5, 2) * scale
    angle, turn, growth = (rng.uniform(-most, most) for most in (0.2, 0.008, 0.006))
    still = rng.random() < 0.2
    views = []
    for t in np.arange(frames) * (not still):
        s, a = scale * (1 + growth * t), angle + turn * t
        turned = s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        shift = place + speed * t - turned @ np.array([side / 2, side / 2])
        matrix = np.hstack([turned, shift[:, None]])
        views.append(
            cv2.warpAffine(
                picture,
                matrix,
                (side, side),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REFLECT_101,
            )
        )
    return np.asarray(np.stack(views), np.uint8)


@dataclass(frozen=True)
class Shot:
    """A piece of film without cuts.

    Attributes:
        rgb: True colours, `[N,h,w,3]`.
        coloured: Its luma as coloured by a still model, or None.
        steadied: `coloured` after stabilization along motion, or None.
    """

    rgb: Bytes
    coloured: Bytes | None = None
    steadied: Bytes | None = None


def shot_piece(shots: Sequence[Shot], frames: int, side: int, rng: Generator) -> Piece:
    """A crop of a film: true colours to add flicker to, or a model's colours, which flicker."""
    chances = np.array([len(s.rgb) for s in shots], float)
    shot = shots[int(rng.choice(len(shots), p=chances / chances.sum()))]
    stride = int(rng.integers(1, MAX_STRIDE + 1))
    stride = stride if len(shot.rgb) >= frames * stride else 1
    first = int(rng.integers(0, len(shot.rgb) - (frames - 1) * stride))
    window = slice(first, first + (frames - 1) * stride + 1, stride)
    top, left = (int(rng.integers(0, n - side + 1)) for n in shot.rgb.shape[1:3])
    mirrored, backwards = (int(rng.choice([-1, 1])) for _ in range(2))

    def cut(of: Bytes) -> Bytes:
        part = of[window, top : top + side, left : left + side]
        return np.ascontiguousarray(part[::backwards, :, ::mirrored])

    luma, chroma = split(cut(shot.rgb))
    if shot.coloured is None or shot.steadied is None or rng.random() < 0.5:
        return Piece(luma, chroma)
    return Piece(luma, split(cut(shot.coloured))[1], split(cut(shot.steadied))[1])


def save_shots(path: Path, shots: Sequence[Shot]) -> None:
    """Write shots to a file, atomically."""
    arrays = {
        f"{n}.{name}": value
        for n, shot in enumerate(shots)
        for name, value in vars(shot).items()
        if value is not None
    }
    with atomic_write(path) as part, part.open("wb") as file:
        np.savez(file, **arrays)


def load_shots(path: Path) -> list[Shot]:
    """Read what `save_shots` wrote."""
    with np.load(path) as stored:
        count = 1 + max((int(name.partition(".")[0]) for name in stored.files), default=-1)
        return [
            Shot(
                **{
                    name: stored[f"{n}.{name}"]
                    for name in ("rgb", "coloured", "steadied")
                    if f"{n}.{name}" in stored.files
                }
            )
            for n in range(count)
        ]

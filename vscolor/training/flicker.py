"""Synthetic colour flicker, which `blind` learns to remove.

Chroma here is U, V in 8-bit levels, `[T,2,h,w]` for T frames; luma is not changed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator

from vscolor.training.lab import Float

MAX_SHIFT: Final = 14.0
"""Largest shift of the whole frame, in levels."""


def whole_frame(chroma: Float, rng: Generator) -> Float:
    """A different shift of the whole frame for every frame."""
    shifts = rng.uniform(-1, 1, (len(chroma), 2, 1, 1)) * rng.uniform(2, MAX_SHIFT)
    return np.asarray(chroma + shifts, np.float32)


def two_modes(chroma: Float, rng: Generator) -> Float:
    """A region that has another colour in a minority of the frames."""
    other = rng.random(len(chroma)) < rng.uniform(0.1, 0.4)
    shift = rng.uniform(-1, 1, (2, 1, 1)) * 32
    return np.asarray(chroma + other[:, None, None, None] * shift * region(chroma, rng), np.float32)


def pale_spells(chroma: Float, rng: Generator) -> Float:
    """A region whose saturation jumps from frame to frame, as with still models."""
    factors = rng.uniform(-0.6, 0.3, (len(chroma), 1, 1, 1))
    return np.asarray(chroma * (1 + factors * region(chroma, rng)), np.float32)


def patches(chroma: Float, rng: Generator) -> Float:
    """Soft patches of colour, another set in every frame."""
    cells = int(rng.integers(2, 6))
    levels = rng.uniform(2, 12)
    grown = [
        cv2.resize(
            rng.normal(0, levels, (cells, cells, 2)).astype(np.float32),
            (chroma.shape[3], chroma.shape[2]),
            interpolation=cv2.INTER_CUBIC,
        )
        for _ in chroma
    ]
    return np.asarray(chroma + np.stack(grown).transpose(0, 3, 1, 2), np.float32)


def pulse(chroma: Float, rng: Generator) -> Float:
    """A slow sine shift of the whole frame, with zero mean over the clip."""
    period, phase = rng.uniform(24, 60), rng.uniform(0, 2 * np.pi, (2, 1, 1))
    time = np.arange(len(chroma), dtype=np.float32)[:, None, None, None]
    wave = np.sin(2 * np.pi * time / period + phase)
    wave -= wave.mean(axis=0)
    return np.asarray(chroma + rng.uniform(2, 8) * wave, np.float32)


def region(chroma: Float, rng: Generator) -> Float:
    """A mask: a half plane or an ellipse `[h,w]`, or pixels of similar colour `[T,1,h,w]`."""
    height, width = chroma.shape[2:]
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    kind = rng.integers(3)
    if kind == 0:
        angle = rng.uniform(0, 2 * np.pi)
        inside = (x - 0.5) * np.cos(angle) + (y - 0.5) * np.sin(angle) > rng.uniform(-0.3, 0.3)
        return np.asarray(inside, np.float32)
    if kind == 1:
        (cx, cy), (rx, ry) = rng.random(2), rng.uniform(0.15, 0.6, 2)
        return np.asarray(((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 < 1, np.float32)
    place = chroma[:, :, rng.integers(height), rng.integers(width)].mean(axis=0)
    distance = np.abs(chroma - place[:, None, None]).sum(axis=1, keepdims=True)
    return np.clip(2 - distance / 12, 0, 1).astype(np.float32)


KINDS: Final[tuple[Callable[[Float, Generator], Float], ...]] = (
    whole_frame,
    two_modes,
    pale_spells,
    patches,
    pulse,
)
CHANCES: Final = (0.45, 0.4, 0.25, 0.25, 0.15)


def flickering(chroma: Float, rng: Generator) -> Float:
    """Apply a random selection of the kinds in turn, sometimes none."""
    for kind, chance in zip(KINDS, CHANCES, strict=True):
        if rng.random() < chance:
            chroma = kind(chroma, rng)
    return chroma

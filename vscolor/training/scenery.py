"""Short synthetic film scenes from photographs: moving camera and foreground, degraded like film.

`film_scene` takes them from real films instead.

Each scene has a reference frame and a few consecutive frames some time later. Both layers, a
background photograph and a foreground cut out of another one, are defined in the reference frame's
coordinates, so each pixel's position in the reference, and whether it is visible there, is known
exactly. A scene is a pure function of (photographs, settings, number).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from vscolor.training.degrade import film_weights
from vscolor.training.lab import Float, ab_of, lightness, linear_of
from vscolor.training.photographs import Bytes, Photographs

SHAPES = ((128, 160), (128, 192), (160, 192), (160, 160))
FILM_GAPS = (0, 1, 3, 8, 16, 30, 60)
"""Distances in frames from a film's reference to the frame before the first to be coloured."""

BORDER = cv2.BORDER_REFLECT_101


class Scene(NamedTuple):
    """Frames of a scene; 0 is the reference, 1 precedes the first to be coloured.

    Attributes:
        luma: L* `[F,h,w]`, degraded like film.
        ab: True colours `[F,h,w,2]`.
        places: Position of each pixel in the reference `[F,h,w,2]`, pixels, x then y.
        visible: Whether the pixel is visible in the reference `[F,h,w]`, 0 or 1.
    """

    luma: Float
    ab: Float
    places: Float
    visible: Float


@dataclass(frozen=True)
class Course:
    """Motion of a layer relative to the reference frame, as a function of time in frames."""

    shift: Float
    zoom: float
    turn: float
    mirror: bool
    bend: Float
    wobble: Float
    pace: float

    @staticmethod
    def draw(
        rng: Generator, shape: tuple[int, int], far: int, liveliness: float, mirror: bool
    ) -> Course:
        """A random motion that stays within about a third of the frame for `far` frames."""
        reach = 0.35 * np.array([shape[1], shape[0]]) / max(far, 1)
        speed = np.minimum(rng.exponential(1.2 * liveliness, 2), np.minimum(reach, 8.0))
        grids = rng.normal(0.0, 1.0, (2, 4, 5, 2)).astype(np.float32)
        return Course(
            shift=(speed * rng.choice([-1, 1], 2)).astype(np.float32),
            zoom=float(rng.normal(0.0, 0.3 / max(far, 20)) * liveliness),
            turn=float(rng.normal(0.0, 0.2 / max(far, 20)) * liveliness),
            mirror=mirror,
            bend=grids[0] * np.float32(rng.uniform(0.0, 4.0) * liveliness),
            wobble=grids[1] * np.float32(rng.uniform(0.0, 1.5) * liveliness),
            pace=float(rng.uniform(0.2, 0.9)),
        )

    def places(self, time: float, shape: tuple[int, int]) -> Float:
        """Position in the reference of each pixel of the frame at `time`, `[h,w,2]`."""
        height, width = shape
        centre = np.array([width, height], np.float32) / 2
        grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1) - centre
        zoom, turn = np.exp(self.zoom * time), self.turn * time
        matrix = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        if self.mirror and time > 0:
            matrix = matrix @ np.diag([-1.0, 1.0])
        amount = time / (time + 8.0)
        bent = self.bend * amount + self.wobble * np.sin(self.pace * time)
        smooth = cv2.resize(bent, (width, height), interpolation=cv2.INTER_CUBIC)
        return np.asarray(grid @ matrix.T + centre + self.shift * time + smooth, np.float32)


def cut_out(rng: Generator, shape: tuple[int, int]) -> Float:
    """The mask of an object: one smooth blob, 0 to 1, `[h,w]`, about a fifth of the frame."""
    height, width = shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    centre = rng.uniform(0.25, 0.75, 2) * (height, width)
    size = rng.uniform(0.12, 0.32, 2) * (height, width)
    noise = cv2.resize(rng.normal(0, 0.35, (6, 6)).astype(np.float32), (width, height))
    distance = ((y - centre[0]) / size[0]) ** 2 + ((x - centre[1]) / size[1]) ** 2
    return np.asarray(np.clip((1.0 - distance + noise) * 12.0, 0.0, 1.0), np.float32)


class Layer(NamedTuple):
    """A photograph that covers the reference frame.

    Attributes:
        picture: Linear light `[H,W,3]`.
        top: Rows above the frame.
        left: Columns left of the frame.
    """

    picture: Float
    top: int
    left: int

    @staticmethod
    def draw(pictures: Photographs, index: int, shape: tuple[int, int], rng: Generator) -> Layer:
        """A photograph somewhat larger than the frame, with the frame at a random offset."""
        picture = pictures.picture(index)
        if rng.random() < 0.5:
            picture = picture[:, ::-1]
        fit = max(side / own for side, own in zip(shape, picture.shape[:2], strict=True))
        scale = fit * rng.uniform(1.0, 1.7)
        height, width = (
            max(side, round(own * scale))
            for side, own in zip(shape, picture.shape[:2], strict=True)
        )
        big = cv2.resize(np.ascontiguousarray(picture), (width, height))
        top, left = rng.integers(0, height - shape[0] + 1), rng.integers(0, width - shape[1] + 1)
        return Layer(linear_of(np.asarray(big, np.uint8)), int(top), int(left))

    def sample(self, places: Float) -> Float:
        """Its pixels at positions in the reference frame."""
        x, y = places[..., 0] + self.left, places[..., 1] + self.top
        return np.asarray(cv2.remap(self.picture, x, y, cv2.INTER_LINEAR, borderMode=BORDER))


class View(NamedTuple):
    """One frame: linear light `[h,w,3]`, positions in the reference and visibility there."""

    linear: Float
    places: Float
    visible: Float


@dataclass(frozen=True)
class Stage:
    """Two layers, their motion, and the mask of the foreground.

    Attributes:
        layers: Background and foreground.
        courses: Their motion.
        outline: Mask of the foreground in the reference frame, `[h,w]`, 0 to 1.
    """

    layers: tuple[Layer, Layer]
    courses: tuple[Course, Course]
    outline: Float

    def view(self, time: float) -> View:
        """The frame at `time`; the reference is at 0."""
        height, width = self.outline.shape
        far, near = (path.places(time, (height, width)) for path in self.courses)
        mask = _outline_at(self.outline, near)
        behind, before = (
            layer.sample(at) for layer, at in zip(self.layers, (far, near), strict=True)
        )
        linear = behind + (before - behind) * mask[..., None]
        is_near = mask > 0.5
        places = np.where(is_near[..., None], near, far)
        inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=-1)
        uncovered = _outline_at(self.outline, far) < 0.2
        decided = (mask < 0.05) | (mask > 0.95)
        visible = inside & decided & (is_near | uncovered)
        return View(linear, places.astype(np.float32), visible.astype(np.float32))


def _outline_at(outline: Float, places: Float) -> Float:
    return np.asarray(cv2.remap(outline, places[..., 0], places[..., 1], cv2.INTER_LINEAR))


def make_scene(
    pictures: Photographs,
    chances: NDArray[np.float64],
    shape: tuple[int, int],
    frames: int,
    rng: Generator,
) -> Scene:
    """Make a random scene: the reference, the frame before the first, and `frames` frames.

    In one of five, frame 1 is the reference, as when a film is coloured from its first frame.
    """
    gap = int(rng.choice([0, 1, 3, 10, 25, 60], p=[0.2, 0.2, 0.2, 0.2, 0.12, 0.08]))
    chosen = rng.choice(len(pictures), 2, p=chances)
    far, near = (Layer.draw(pictures, int(i), shape, rng) for i in chosen)
    mirror = gap >= 10 and rng.random() < 0.25
    at_rest = rng.random() < 0.25
    stage = Stage(
        layers=(far, near),
        courses=(
            Course.draw(rng, shape, gap + frames, 0.0 if at_rest else 1.0, mirror),
            Course.draw(rng, shape, gap + frames, 1.6, mirror),
        ),
        outline=cut_out(rng, shape) * np.float32(rng.random() < 0.75),
    )
    views = [stage.view(0.0), *(stage.view(float(gap + i)) for i in range(frames + 1))]
    linear = np.stack([v.linear for v in views])
    return Scene(
        _filmed(linear, rng),
        ab_of(linear),
        np.stack([v.places for v in views]),
        np.stack([v.visible for v in views]),
    )


def film_scene(
    shots: Sequence[Bytes], shape: tuple[int, int], frames: int, rng: Generator
) -> Scene:
    """Take a random scene from films: as from `make_scene`, but with unknown positions.

    Real objects turn, deform and occlude each other, and flow between them has real errors.

    Args:
        shots: Shots of films, R'G'B' `[N,h,w,3]`, at least one.
        shape: Height and width of the scene, no larger than the shots'.
        frames: Number of frames to be coloured.
        rng: Random generator.

    Returns:
        A scene with `visible` 0 throughout.
    """
    sizes = np.array([len(shot) for shot in shots], float)
    shot = shots[int(rng.choice(len(shots), p=sizes / sizes.sum()))]
    gap = min(int(rng.choice(FILM_GAPS)), len(shot) - frames - 1)
    first = int(rng.integers(0, len(shot) - gap - frames))
    numbers = np.array([first, *range(first + gap, first + gap + frames + 1)])
    if rng.random() < 0.5:
        numbers = len(shot) - 1 - numbers
    fit = min(own / side for own, side in zip(shot.shape[1:3], shape, strict=True))
    scale = max(1.0, fit * rng.uniform(0.6, 1.0))
    tall, wide = (int(side * scale) for side in shape)
    top = int(rng.integers(0, shot.shape[1] - tall + 1))
    left = int(rng.integers(0, shot.shape[2] - wide + 1))
    part = shot[numbers, top : top + tall, left : left + wide]
    size = shape[::-1]
    rgb = np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in part])
    if rng.random() < 0.5:
        rgb = rgb[:, :, ::-1]
    linear = linear_of(np.ascontiguousarray(rgb))
    unknown = np.zeros((len(numbers), *shape), np.float32)
    return Scene(
        _filmed(linear, rng), ab_of(linear), np.stack([unknown, unknown], axis=-1), unknown
    )


def _filmed(linear: Float, rng: Generator) -> Float:
    """Film-like L* of linear RGB `[F,h,w,3]`: one stock and tone, flicker, blur and grain."""
    weights = film_weights(1, rng, 0.2)[0]
    luma = lightness(linear @ weights) / 100
    luma = np.clip(luma, 0, 1) ** np.float32(np.exp(rng.normal(0, 0.15)))
    low, high = (rng.uniform(0, 0.2), rng.uniform(0.8, 1.0)) if rng.random() < 0.25 else (0, 1)
    luma = low + (high - low) * luma
    if rng.random() < 0.35:
        flicker = rng.normal(0, rng.uniform(0.01, 0.08), (len(luma), 1, 1))
        luma = luma * (1 + flicker)
    if rng.random() < 0.2:
        sigma = float(rng.uniform(0.5, 1.2))
        luma = np.stack([cv2.GaussianBlur(f.astype(np.float32), (0, 0), sigma) for f in luma])
    if rng.random() < 0.5:
        level = rng.exponential(0.015)
        luma = luma + rng.normal(0, min(level, 0.06), luma.shape)
    return np.asarray(np.clip(luma * 100, 0, 100), np.float32)

"""Batches for the still model: crop, flip, split into grey input and colour target.

Batch number n is a pure function of (photographs, settings, n), so the worker process that makes
them needs no state and training resumes where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from vscolor.models.mini.architecture import AB_STRIDE
from vscolor.training.degrade import degrade, film_weights
from vscolor.training.interruption import leave_interruptions_to_the_parent
from vscolor.training.lab import ab_of, lightness, linear_of
from vscolor.training.photographs import Bytes, Photographs

SHAPES = ((128, 128), (128, 128), (128, 128), (128, 192), (160, 160))
"""Crop sizes (height, width), one drawn per batch; the wide one can show whole pictures."""

MIN_CROP = 0.6
"""Smallest crop, as a fraction of the largest that fits, per side."""


class Batch(NamedTuple):
    """What one step trains on.

    Attributes:
        luma: Network input, L* `[B,1,h,w]`, 0..100.
        ab: Target colours, `[B,2,h/4,w/4]`.
    """

    luma: Tensor
    ab: Tensor


@dataclass(frozen=True)
class BatchSettings:
    """How batches are drawn.

    Attributes:
        size: Pictures in a batch.
        seed: Random seed.
        shapes: Heights and widths to draw from, in pixels, multiples of 32.
        film: Strength of the film-like degradation, 0 for none.
    """

    size: int = 32
    seed: int = 0
    shapes: tuple[tuple[int, int], ...] = SHAPES
    film: float = 1.0


def crop(picture: Bytes, shape: tuple[int, int], rng: Generator) -> Bytes:
    """A random crop of a picture, scaled to `shape`, mirrored half the time."""
    height, width = picture.shape[:2]
    fit = min(height / shape[0], width / shape[1]) * rng.uniform(MIN_CROP, 1.0)
    tall, wide = max(1, int(shape[0] * fit)), max(1, int(shape[1] * fit))
    top, left = rng.integers(0, height - tall + 1), rng.integers(0, width - wide + 1)
    part = picture[top : top + tall, left : left + wide]
    how = cv2.INTER_AREA if fit > 1.0 else cv2.INTER_LINEAR
    part = np.asarray(cv2.resize(part, shape[::-1], interpolation=how), dtype=np.uint8)
    return part[:, ::-1] if rng.random() < 0.5 else part


def shrunk(rgb: Bytes, stride: int) -> Bytes:
    """Average-pool pictures `[B,h,w,3]` to `[B,h/stride,w/stride,3]`.

    On code values: averaging in linear light differs by less than a bin, at ten times the cost.
    """
    size = (rgb.shape[2] // stride, rgb.shape[1] // stride)
    small = [cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in rgb]
    return np.asarray(np.stack(small), dtype=np.uint8)


def make_batch(
    photographs: Photographs,
    chances: NDArray[np.float64],
    settings: BatchSettings,
    step: int,
) -> Batch:
    """Make batch number `step`; `chances` are the pictures' sampling probabilities `[N]`."""
    rng = np.random.default_rng((settings.seed, step))
    shape = settings.shapes[rng.integers(len(settings.shapes))]
    chosen = rng.choice(len(photographs), settings.size, p=chances)
    rgb = np.stack([crop(photographs.picture(int(i)), shape, rng) for i in chosen])
    ab = ab_of(linear_of(shrunk(rgb, AB_STRIDE)))
    weights = film_weights(settings.size, rng, 0.25 * settings.film)
    grey = np.einsum("bhwc,bc->bhw", linear_of(rgb), weights)
    luma = degrade(lightness(grey), rng, settings.film)
    return Batch(
        torch.from_numpy(luma[:, None].astype(np.float32)),
        torch.from_numpy(np.ascontiguousarray(ab.transpose(0, 3, 1, 2))),
    )


class Batches(Dataset[Batch]):
    """Batches by number."""

    def __init__(
        self,
        photographs: Photographs,
        chances: NDArray[np.float64],
        settings: BatchSettings,
    ) -> None:
        self.photographs, self.chances, self.settings = photographs, chances, settings

    def __getitem__(self, step: int) -> Batch:
        """Batch number `step`."""
        return make_batch(self.photographs, self.chances, self.settings, step)


def batches_from[T](batches: Dataset[T], first: int, last: int, workers: int) -> DataLoader[T]:
    """Batches `first` to `last` (exclusive), in order, prefetched by `workers` processes.

    With workers, OpenCV is limited to one thread from here on: a forked process inherits its thread
    pool without the threads, and would wait for them forever.
    """
    if workers:
        cv2.setNumThreads(1)
    return DataLoader(
        batches,
        batch_size=None,
        sampler=range(first, last),
        num_workers=workers,
        prefetch_factor=4 if workers else None,
        worker_init_fn=leave_interruptions_to_the_parent,
    )

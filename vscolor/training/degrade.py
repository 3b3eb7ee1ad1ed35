"""Film-like degradation of the luma that the network sees, as augmentation.

Targets stay the true colours, so the network learns to see through grain, fading and old stock.
Every function takes and returns L* `[B,h,w]` in 0..100, float32.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator

from vscolor.training.lab import LUMINANCE, Float

ORTHOCHROMATIC = np.array([0.02, 0.55, 0.43], dtype=np.float32)
"""Plates and film up to the 1920s: hardly sensitive to red, very sensitive to blue."""

RED_FILTERED = np.array([0.65, 0.33, 0.02], dtype=np.float32)
"""Panchromatic film behind a red filter, as used for dramatic skies."""


def film_weights(count: int, rng: Generator, chance: float) -> Float:
    """Weights of linear R, G and B for each picture's luminance, `[B,3]`, rows summing to 1."""
    amount = rng.uniform(0.2, 1.0, (count, 1)) * (rng.random((count, 1)) < chance)
    stock = np.where(rng.random((count, 1)) < 0.7, ORTHOCHROMATIC, RED_FILTERED)
    return np.asarray(LUMINANCE * (1.0 - amount) + stock * amount, dtype=np.float32)


def tone(luma: Float, rng: Generator, chance: float) -> Float:
    """Gamma on all pictures; raised blacks and lowered whites on some."""
    count = len(luma)
    faded = rng.random(count) < chance
    gamma = np.exp(rng.normal(0.0, np.where(faded, 0.25, 0.1)))[:, None, None]
    low = np.where(faded, rng.uniform(0.0, 25.0, count), 0.0)[:, None, None]
    high = np.where(faded, rng.uniform(75.0, 100.0, count), 100.0)[:, None, None]
    curve = np.clip(luma / 100.0, 0.0, 1.0) ** gamma.astype(np.float32)
    return np.asarray(low + (high - low) * curve, dtype=np.float32)


def blur(luma: Float, rng: Generator, chance: float) -> Float:
    """An old lens or a soft copy: Gaussian of 0.5 to 1.5 pixels."""
    for picture in luma[rng.random(len(luma)) < chance]:
        picture[...] = cv2.GaussianBlur(picture, (0, 0), float(rng.uniform(0.5, 1.5)))
    return luma


def grain(luma: Float, rng: Generator, chance: float) -> Float:
    """Grain of 1 to 8 L*, strongest in the mid-tones, fine or coarse."""
    for index in np.flatnonzero(rng.random(len(luma)) < chance):
        noise = rng.standard_normal(luma.shape[1:], dtype=np.float32)
        if rng.random() < 0.5:
            noise = cv2.GaussianBlur(noise, (0, 0), 0.8) * 2.5
        level = np.float32(rng.uniform(1.0, 8.0))
        luma[index] += noise * level * (0.4 + 0.6 * np.sin(luma[index] * np.float32(np.pi / 100)))
    return luma


def vignette(luma: Float, rng: Generator, chance: float) -> Float:
    """Corners darker by up to 40 %."""
    height, width = luma.shape[1:]
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None, :]
    radius = ((x * x + y * y) / 2.0).astype(np.float32)
    amount = rng.uniform(0.1, 0.4, len(luma)) * (rng.random(len(luma)) < chance)
    return luma * (1.0 - amount[:, None, None].astype(np.float32) * radius)


def scratches(luma: Float, rng: Generator, chance: float) -> Float:
    """One to three thin upright lines, light or dark."""
    for index in np.flatnonzero(rng.random(len(luma)) < chance):
        for _ in range(rng.integers(1, 4)):
            column = int(rng.integers(0, luma.shape[2]))
            luma[index, :, column] += np.float32(rng.choice([-1, 1]) * rng.uniform(10, 50))
    return luma


def compress(luma: Float, rng: Generator, chance: float) -> Float:
    """JPEG of quality 20 to 79."""
    for picture in luma[rng.random(len(luma)) < chance]:
        codes = np.clip(picture * 2.55, 0.0, 255.0).astype(np.uint8)
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 80))]
        _, coded = cv2.imencode(".jpg", codes, quality)
        picture[...] = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.float32) / 2.55
    return luma


def degrade(luma: Float, rng: Generator, strength: float = 1.0) -> Float:
    """Apply all of the above, in the order in which they happen to film.

    Args:
        luma: L* `[B,h,w]`; not written to.
        rng: Random generator.
        strength: Scales how many pictures each degradation is applied to; with 0 only the slight
            gamma change is left.
    """
    luma = blur(luma.copy(), rng, 0.2 * strength)
    luma = vignette(tone(luma, rng, 0.3 * strength), rng, 0.15 * strength)
    luma = scratches(grain(luma, rng, 0.3 * strength), rng, 0.05 * strength)
    return np.clip(compress(luma, rng, 0.15 * strength), 0.0, 100.0)

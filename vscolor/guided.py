"""Colour as a local linear function of luma: the fast guided filter.

A model's ab is small with soft edges; plain upscaling would spill it over the film's edges. He and
Sun 2015 ("Fast Guided Filter", arXiv:1505.00996) fit ab as a linear function of luma in each small
window. The two coefficients are smooth, so they scale up well, and are then evaluated at the
full-size luma, whose edges are sharp. Here the fit is made at the model's size in NumPy and
evaluated in the core by the merge.

Linear coefficients ("lines") are `[B,2,2*h,w]`: for each of a* and b*, h rows of slopes above h
rows of offsets, such that ab = slope * f + offset with f = (L* + 16) / 116, the Lab function of
luminance, which the merge has at hand.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from vscolor.models.base import Array
from vscolor.scratch import scratch

# Chosen by eye on real frames and by PSNR on photographs: radius 1 leaves spills, 3 dulls small
# things. Windows whose luma varies by less than REGULARIZATION's square root (grain, noise) get
# almost no slope.
RADIUS = 2
THROUGH_RADIUS = 1
REGULARIZATION = 100.0


def fit_coefficients(luma: Array, ab: Array, radius: int = RADIUS) -> Array:
    """Fit ab to luma around each sample of ab.

    Args:
        luma: L* `[B,1,s*h,s*w]`, 0..100, s a whole number.
        ab: a* and b* `[B,2,h,w]`.
        radius: Of the windows, in samples of ab.

    Returns:
        Linear coefficients whose values are smoothed ab.
    """
    lines, slopes, offsets = _blank(ab)
    for one, many, slope, offset in zip(luma, ab, slopes, offsets, strict=True):
        fit = _fit(_shrink(one[0], many.shape[1:]), many, radius)
        for c in range(len(many)):
            _window_mean(fit.slopes[c], radius, slope[c])
            _offset(fit.colours[c], fit.slopes[c], fit.luma, fit.spare)
            _window_mean(fit.spare, radius, offset[c])
            _in_f(slope[c], offset[c], fit.spare)
    return lines


def exact_coefficients(luma: Array, ab: Array) -> Array:
    """Return coefficients that reproduce ab exactly and follow luma's edges between its samples.

    For reliable ab. `fit_coefficients` smooths ab: good against a still model's noise, but 8 dB
    worse on exact colour.

    Args:
        luma: L* `[B,1,s*h,s*w]`, 0..100, s a whole number.
        ab: a* and b* `[B,2,h,w]`.

    Returns:
        Linear coefficients that give ab at its own luma.
    """
    lines, slopes, offsets = _blank(ab)
    for one, many, slope, offset in zip(luma, ab, slopes, offsets, strict=True):
        small = _shrink(one[0], many.shape[1:])
        fit = _fit(small, many, THROUGH_RADIUS)
        for c in range(len(many)):
            _window_mean(fit.slopes[c], THROUGH_RADIUS, slope[c])
            _offset(many[c], slope[c], small, offset[c])
            _in_f(slope[c], offset[c], fit.spare)
    return lines


def constant_coefficients(ab: Array) -> Array:
    """Return ab `[B,2,h,w]` as coefficients with slope 0: plain interpolation."""
    lines, slopes, offsets = _blank(ab)
    slopes[:], offsets[:] = 0, ab
    return lines


def _blank(ab: Array) -> tuple[Array, Array, Array]:
    """Empty coefficients, and views of their slopes and offsets, each `[B,2,h,w]`."""
    batch, channels, height, width = ab.shape
    lines = np.empty((batch, channels, 2 * height, width), np.float32)
    return lines, lines[:, :, :height], lines[:, :, height:]


def _shrink(luma: Array, shape: tuple[int, ...]) -> Array:
    import cv2

    if luma.shape == shape:
        return luma
    height, width = shape
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.float32)


class _Fit(NamedTuple):
    """He and Sun's equations 5 and 6 for one frame, in arrays that the next fit overwrites.

    Attributes:
        slopes: Of each channel in L*, `[2,h,w]`, not yet averaged.
        colours: Window means of each channel, `[2,h,w]`.
        luma: Window means of L*, `[h,w]`.
        spare: A scratch array `[h,w]`.
    """

    slopes: Array
    colours: Array
    luma: Array
    spare: Array


def _fit(luma: Array, ab: Array, radius: int) -> _Fit:
    """Fit the two channels of one frame."""
    guide, spare, spread, mean = (
        scratch(f"guided.{name}", luma.shape) for name in ("guide", "spare", "spread", "mean")
    )
    slopes, colours = (scratch(f"guided.{name}", ab.shape) for name in ("slopes", "colours"))
    np.subtract(luma, 50, out=guide)  # the products of smaller numbers are more exact
    _window_mean(guide, radius, mean)
    _covariance((guide, mean), (guide, mean), radius, spread, spare)
    spread += REGULARIZATION
    for channel, slope, colour in zip(ab, slopes, colours, strict=True):
        _window_mean(channel, radius, colour)
        _covariance((guide, mean), (channel, colour), radius, slope, spare)
        np.divide(slope, spread, out=slope)
    mean += 50
    return _Fit(slopes, colours, mean, spare)


def _covariance(
    one: tuple[Array, Array], other: tuple[Array, Array], radius: int, into: Array, spare: Array
) -> None:
    """Write the covariance of two planes in each window; each plane comes with its means."""
    np.multiply(one[0], other[0], out=spare)
    _window_mean(spare, radius, into)
    np.multiply(one[1], other[1], out=spare)
    into -= spare


def _offset(colour: Array, slope: Array, luma: Array, into: Array) -> None:
    """Write the offset of the line with this slope through (luma, colour)."""
    np.multiply(slope, luma, out=into)
    np.subtract(colour, into, out=into)


def _in_f(slope: Array, offset: Array, spare: Array) -> None:
    """Turn a line in L* into the same one in f = (L* + 16) / 116."""
    np.multiply(slope, 16, out=spare)
    offset -= spare
    slope *= 116


def _window_mean(values: Array, radius: int, into: Array) -> None:
    import cv2

    side = (2 * radius + 1, 2 * radius + 1)
    cv2.blur(values, side, dst=into, borderType=cv2.BORDER_REFLECT)

"""Metrics as meters: each takes a clip's samples one by one and keeps only what it needs.

A meter returns one row of numbers per frame; `vscolor.metrics.table` aggregates them to figures of
scenes and clips. A number that a frame does not have, such as the warp error of a first frame, is
NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from vscolor.errors import MeasureError, SettingError
from vscolor.metrics import still
from vscolor.metrics.distribution import INTERVALS, ColourDrift
from vscolor.metrics.temporal import BackwardFlow, flow_error
from vscolor.metrics.views import Float, Sample, View

type Row = Sequence[float]
type Distance = Callable[[np.ndarray, np.ndarray], float]


class Meter(Protocol):
    """Measures a clip sample by sample."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers of a row."""
        ...

    def add(self, sample: Sample) -> Row:
        """The numbers of the next sample."""
        ...


class PairMeter:
    """One number that compares a frame's 8-bit codes with the true ones."""

    def __init__(self, name: str, compare: Distance) -> None:
        self.columns: tuple[str, ...] = (name,)
        self._compare = compare

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        return (self._compare(sample.result.rgb8, true_view(sample).rgb8),)


class DifferenceMeter:
    """Mean CIEDE2000."""

    columns = ("ciede2000",)

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        return (still.ciede2000(sample.result.lab, true_view(sample).lab),)


class ColourfulnessMeter:
    """Colourfulness of the result and, if there is one, of the true frame."""

    columns = ("colourfulness", "colourfulness_true")

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        true = math.nan if sample.truth is None else still.colourfulness(sample.truth.rgb8)
        return (still.colourfulness(sample.result.rgb8), true)


class DriftMeter:
    """Divergence of colours over each interval, of the result and, if there is one, the truth."""

    columns = tuple(f"cdc_{n}{whose}" for whose in ("", "_true") for n in INTERVALS)

    def __init__(self) -> None:
        self._result, self._truth = ColourDrift(), ColourDrift()

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        found = self._result.add(sample.result.rgb8, sample.cut)
        if sample.truth is None:
            return [*found, *[math.nan] * len(INTERVALS)]
        return [*found, *self._truth.add(sample.truth.rgb8, sample.cut)]


class WarpMeter:
    """Squared warp errors along the source's motion, from the frame before and the scene's first.

    Of RGB in 0..1 and of ab, with the mean square of ab, by which the table divides. If there is a
    true clip, also of its ab, from the frame before.
    """

    columns = (
        *("warp_rgb", "warp_ab_raw", "far_rgb", "far_ab_raw", "chroma_square"),
        *("warp_ab_raw_true", "chroma_square_true"),
    )

    def __init__(self) -> None:
        self._last: View | None = None
        self._first: View | None = None
        self._last_true: View | None = None

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        now, motion = sample.result, sample.motion
        if motion is None:
            raise MeasureError("warp error has no motion, expected the source's")
        if sample.cut or self._last is None or self._first is None:
            self._last = self._first = now
        row = [
            *_along(self._last, now, motion.to_previous),
            *_along(self._first, now, motion.to_first),
            _square(now.ab),
            *self._true(sample),
        ]
        self._last = now
        return row

    def _true(self, sample: Sample) -> Row:
        now, motion = sample.truth, sample.motion
        if now is None or motion is None:
            return (math.nan, math.nan)
        last = now if sample.cut or self._last_true is None else self._last_true
        self._last_true = now
        return (flow_error(last.ab, now.ab, motion.to_previous), _square(now.ab))


class PulseMeter:
    """Mean error of a and b; the table computes the amplitude."""

    columns = ("error_a", "error_b")

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        error = (sample.result.ab - true_view(sample).ab).mean(axis=(0, 1))
        return (float(error[0]), float(error[1]))


class ChromaMeter:
    """Mean a and b, and the mean change of colour at a pixel from the frame before in the scene."""

    columns = ("mean_a", "mean_b", "chroma_step")

    def __init__(self) -> None:
        self._last: Float | None = None

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        now = sample.result.ab
        last, self._last = None if sample.cut else self._last, now
        step = math.nan if last is None else float(np.hypot(*np.moveaxis(now - last, -1, 0)).mean())
        a, b = now.mean(axis=(0, 1))
        return (float(a), float(b), step)


class LumaMeter:
    """Fraction of luma samples that differ from the truth, and the largest difference, in codes."""

    columns = ("luma_changed", "luma_largest")

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        planes = (sample.result.luma, true_view(sample).luma)
        if planes[0] is None or planes[1] is None:
            raise MeasureError("luma exactness has no luma planes, expected two YUV or GRAY clips")
        return still.changed_luma(planes[0], planes[1])


def true_view(sample: Sample) -> View:
    """The true frame.

    Raises:
        MeasureError: There is none.
    """
    if sample.truth is None:
        raise MeasureError("there is no true clip to compare with")
    return sample.truth


def _along(earlier: View, later: View, path: BackwardFlow | None) -> Row:
    if path is None:
        return (math.nan, math.nan)
    rgb = flow_error(earlier.rgb8, later.rgb8, path) / 255**2
    return (rgb, flow_error(earlier.ab, later.ab, path))


def _square(ab: Float) -> float:
    return float(np.mean(np.square(ab), dtype=np.float64))


@dataclass(frozen=True)
class Metric:
    """A metric that a user can request.

    Attributes:
        make: Makes its meter.
        truth: Whether it compares with a true clip.
        lab: Whether it needs Lab.
        motion: Whether it needs the source's optical flow.
        luma: Whether it needs the clips' own luma.
        reach: Number of earlier frames that a frame's numbers depend on, except `far_` ones.
    """

    make: Callable[[], Meter]
    truth: bool = False
    lab: bool = False
    motion: bool = False
    luma: bool = False
    reach: int = 0


METRICS: Final[dict[str, Metric]] = {
    "psnr": Metric(lambda: PairMeter("psnr", still.psnr), truth=True),
    "ssim": Metric(lambda: PairMeter("ssim", still.ssim), truth=True),
    "ciede2000": Metric(DifferenceMeter, truth=True, lab=True),
    "colourfulness": Metric(ColourfulnessMeter),
    "cdc": Metric(DriftMeter, reach=max(INTERVALS)),
    "warp": Metric(WarpMeter, lab=True, motion=True, reach=1),
    "pulsing": Metric(PulseMeter, truth=True, lab=True),
    "chroma": Metric(ChromaMeter, lab=True, reach=1),
    "luma": Metric(LumaMeter, truth=True, luma=True),
}
"""Metrics without packages or weights beyond vscolor's own, except ciede2000 (scikit-image)."""


def chosen(names: Sequence[str], has_truth: bool, beside: Sequence[str] = ()) -> dict[str, Metric]:
    """Metrics by name.

    Args:
        names: Their names.
        has_truth: Whether there is a true clip.
        beside: Further names that the caller accepts, for the message.

    Raises:
        SettingError: One is unknown, none was named, or one needs a truth that is not there.
    """
    known = ", ".join([*METRICS, *beside])
    if not names:
        raise SettingError(f"no metric was named, expected some of {known}")
    for name in names:
        if name not in METRICS:
            raise SettingError(f"metric {name!r} is unknown, expected some of {known}")
        if METRICS[name].truth and not has_truth:
            raise SettingError(f"metric {name} compares with a true clip, expected one")
    return {name: METRICS[name] for name in names}

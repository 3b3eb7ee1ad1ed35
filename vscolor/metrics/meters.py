"""Metrics as meters: each takes a clip's moments one by one and keeps no more than it needs.

A meter's numbers are one row of columns a frame; `vscolor.metrics.table` makes figures of scenes
and clips of them. A number that a frame does not have, such as the warp error of a first frame, is
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
from vscolor.metrics.temporal import BackwardFlow, path_error
from vscolor.metrics.views import Float, Sample, View

type Row = Sequence[float]
type Distance = Callable[[np.ndarray, np.ndarray], float]


class Meter(Protocol):
    """Measures moment after moment."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers of a row."""
        ...

    def add(self, sample: Sample) -> Row:
        """The numbers of the next moment."""
        ...


class PairMeter:
    """One number that compares a frame's codes with the true ones'."""

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
    """Colourfulness, the true frame's beside it where there is one."""

    columns = ("colourfulness", "colourfulness_true")

    def add(self, sample: Sample) -> Row:
        """See `Meter`."""
        true = math.nan if sample.truth is None else still.colourfulness(sample.truth.rgb8)
        return (still.colourfulness(sample.result.rgb8), true)


class DriftMeter:
    """Divergence of colours over each interval, the true clip's beside it where there is one."""

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
    """Squared differences along motion, from the frame before and from the scene's first.

    Of RGB in 0..1, and of ab with its mean square, by which the table divides; the true clip's ab
    beside it where there is a truth.
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
        return (path_error(last.ab, now.ab, motion.to_previous), _square(now.ab))


class PulseMeter:
    """Mean error of a and b, of which the table takes the amplitude."""

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
    """Share of luma samples that are not the true ones, and the largest difference, in codes."""

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
    rgb = path_error(earlier.rgb8, later.rgb8, path) / 255**2
    return (rgb, path_error(earlier.ab, later.ab, path))


def _square(ab: Float) -> float:
    return float(np.mean(np.square(ab), dtype=np.float64))


@dataclass(frozen=True)
class Metric:
    """A metric a person can ask for.

    Attributes:
        make: Makes its meter.
        truth: Whether it compares with a true clip.
        lab: Whether it looks at Lab.
        motion: Whether it wants the source's motion.
        luma: Whether it wants the clips' own luma.
        reach: How many frames before its own a frame's numbers come from, `far_` ones apart.
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
"""Those that need no package or weights beyond vscolor's own, but ciede2000 (scikit-image)."""


def chosen(names: Sequence[str], has_truth: bool, beside: Sequence[str] = ()) -> dict[str, Metric]:
    """Metrics by name.

    Args:
        names: Their names.
        has_truth: Whether there is a true clip.
        beside: Names that the caller knows beside them, for the message.

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

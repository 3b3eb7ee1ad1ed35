"""Numbers of a clip frame by frame, and their aggregation over scenes and the whole clip."""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vscolor.errors import MeasureError
from vscolor.metrics.distribution import INTERVALS, mean_of_intervals
from vscolor.metrics.still import psnr_of
from vscolor.metrics.temporal import amplitude

type Column = NDArray[np.float64]


@dataclass(frozen=True)
class Figure:
    """How a figure of a scene or a clip is shown.

    Attributes:
        title: Heading.
        digits: Digits after the decimal point.
        best: 1 if more is better, -1 if less is, 0 if neither.
        explained: Description in one line.
    """

    title: str
    digits: int
    best: int
    explained: str


FIGURES: Final[dict[str, Figure]] = {
    "psnr": Figure("PSNR", 2, 1, "dB, mean of the frames"),
    "psnr_pooled": Figure("PSNR pooled", 2, 1, "dB, of the error of all frames together"),
    "ssim": Figure("SSIM", 4, 1, "mean of the frames"),
    "ciede2000": Figure("CIEDE2000", 2, -1, "mean colour difference"),
    "lpips": Figure("LPIPS", 4, -1, "perceptual distance, mean of the frames"),
    "fid": Figure("FID", 2, -1, "Frechet inception distance, of the whole clip"),
    "colourfulness": Figure("colourful", 1, 0, "Hasler and Suesstrunk; grey is 0"),
    "colour_ratio": Figure("of the true", 2, 0, "colourfulness over the true clip's"),
    "cdc": Figure("CDC", 5, -1, "change of the distribution of colours; see the true clip's"),
    "cdc_true": Figure("CDC true", 5, 0, "that of the true clip"),
    "warp_rgb": Figure("warp RGB", 6, -1, "squared change along motion, RGB in 0..1"),
    "warp_ab": Figure("warp ab", 5, -1, "the same of ab, over its mean square"),
    "warp_ab_true": Figure("warp ab true", 5, 0, "that of the true clip"),
    "far_rgb": Figure("far RGB", 6, -1, "as warp RGB, from the scene's first frame"),
    "far_ab": Figure("far ab", 5, -1, "as warp ab, from the scene's first frame"),
    "pulsing": Figure("pulsing", 3, -1, "amplitude of the drift of the mean ab error"),
    "luma_changed": Figure("luma changed", 4, -1, "share of luma samples not the true ones"),
    "luma_largest": Figure("luma off by", 0, -1, "largest difference of luma, in codes"),
    "mean_a": Figure("mean a", 1, 0, "green to red"),
    "mean_b": Figure("mean b", 1, 0, "blue to yellow"),
    "chroma_step": Figure("chroma step", 2, 0, "mean change of colour at a pixel a frame"),
}
"""Figures by name, in display order."""

GREY: Final = 1e-3
"""Mean square of ab up to which a clip has no colour: rounding errors of neutral grey."""
PLAIN: Final = (
    *("ssim", "ciede2000", "lpips", "colourfulness", "warp_rgb", "far_rgb"),
    *("luma_changed", "mean_a", "mean_b", "chroma_step"),
)
"""Figures that are the mean of a column of the same name."""


class Table:
    """Columns of numbers, eight bytes each, so that a feature film fits into memory.

    Args:
        columns: Names of the columns.
        first: Number of the first frame, if only a part of a film is measured. Frame numbers count
            from it, ranges of frames from 0.
    """

    def __init__(self, columns: Sequence[str], first: int = 0) -> None:
        self.first = first
        self._columns = {name: array("d") for name in columns}
        self._starts: list[int] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(self._columns)

    @property
    def cuts(self) -> list[int]:
        """First frames of the scenes after the first."""
        return self._starts[1:]

    @property
    def numbers(self) -> Column:
        """The number of each frame in its film."""
        return self.first + np.arange(self._length, dtype=np.float64)

    @property
    def cut_numbers(self) -> list[int]:
        """`cuts` as frames of the film."""
        return [self.first + cut for cut in self.cuts]

    def add(self, row: Sequence[float], cut: bool = False) -> None:
        """Append a frame's numbers, one for each column in order."""
        if cut or not self._length:
            self._starts.append(self._length)
        for column, value in zip(self._columns.values(), row, strict=True):
            column.append(value)
        self._length += 1

    def scenes(self) -> list[range]:
        """Frames of each scene."""
        return [range(a, b) for a, b in pairwise([*self._starts, self._length])]

    def column(self, name: str, frames: range | None = None) -> Column:
        """A column's numbers of some or all frames, NaN where a frame has none."""
        values = np.array(self._columns[name])
        return values if frames is None else values[frames.start : frames.stop]

    def rows(self) -> Iterator[dict[str, float]]:
        """The numbers of each frame, with its number in the film (`frame`) and `scene` from 0."""
        for scene, frames in enumerate(self.scenes()):
            for n in frames:
                numbers = {name: column[n] for name, column in self._columns.items()}
                yield {"frame": self.first + n, "scene": scene, **numbers}

    def figures(self, frames: range | None = None) -> dict[str, float]:
        """Aggregate the numbers of some or all frames, in the order of `FIGURES`.

        All frames are taken together, except for pulsing, which is computed per scene and averaged
        over scenes, weighted by their length.

        Raises:
            MeasureError: There is no frame.
        """
        span = range(len(self)) if frames is None else frames
        if not len(span):
            raise MeasureError("clip is empty, expected at least one frame")
        found: dict[str, float] = {
            name: _mean(self.column(name, span)) for name in PLAIN if name in self._columns
        }
        found |= self._fidelity(span) | self._steadiness(span)
        return {name: found[name] for name in FIGURES if name in found and _known(found[name])}

    def _fidelity(self, span: range) -> dict[str, float]:
        found = {}
        if "psnr" in self._columns:
            each = self.column("psnr", span)
            found["psnr"] = _mean(each)
            found["psnr_pooled"] = psnr_of(float(np.mean(10 ** (-each / 10))))
        if "colourfulness" in self._columns:
            true = _mean(self.column("colourfulness_true", span))
            if true > 0:
                found["colour_ratio"] = _mean(self.column("colourfulness", span)) / true
        if "luma_largest" in self._columns:
            found["luma_largest"] = float(self.column("luma_largest", span).max())
        return found

    def _steadiness(self, span: range) -> dict[str, float]:
        found = {}
        if "cdc_1" in self._columns:
            for whose in ("", "_true"):
                columns = [self.column(f"cdc_{n}{whose}", span) for n in INTERVALS]
                found[f"cdc{whose}"] = mean_of_intervals(np.stack(columns, axis=-1))
        if "chroma_square" in self._columns:
            for name, raw, square in (
                ("warp_ab", "warp_ab_raw", "chroma_square"),
                ("far_ab", "far_ab_raw", "chroma_square"),
                ("warp_ab_true", "warp_ab_raw_true", "chroma_square_true"),
            ):
                chroma = _mean(self.column(square, span))
                # Without colour there is nothing to flicker, and the ratio is undefined.
                found[name] = _mean(self.column(raw, span)) / chroma if chroma > GREY else math.nan
        if "error_a" in self._columns:
            found["pulsing"] = self._pulsing(span)
        return found

    def _pulsing(self, span: range) -> float:
        parts = [range(max(s.start, span.start), min(s.stop, span.stop)) for s in self.scenes()]
        parts = [part for part in parts if len(part)]
        errors = [
            np.stack([self.column(c, part) for c in ("error_a", "error_b")], axis=-1)
            for part in parts
        ]
        amplitudes = [amplitude(e) for e in errors]
        return float(np.average(amplitudes, weights=[len(e) for e in errors]))


@dataclass(frozen=True)
class Measurement:
    """The measurement of one result.

    Attributes:
        table: Numbers frame by frame.
        whole: Figures that exist only for a whole clip.
    """

    table: Table
    whole: Mapping[str, float]

    def figures(self) -> dict[str, float]:
        """Figures of the whole clip, in the order of `FIGURES`."""
        found = self.table.figures() | dict(self.whole)
        return {name: found[name] for name in FIGURES if name in found}


def _mean(values: Column) -> float:
    """Mean of the numbers that are not NaN; NaN if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else math.nan


def _known(value: float) -> bool:
    return not math.isnan(value)

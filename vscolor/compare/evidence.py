"""What the page shows: figures, pictures of chosen frames, short films, histograms of colour."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor import report
from vscolor.color import lab_to_srgb
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.compare.contestants import GREY, TRUE, Contestant, grey_of
from vscolor.errors import SettingError
from vscolor.media import encode, plan, timing
from vscolor.media.plan import Settings
from vscolor.media.source import Source
from vscolor.media.streams import Copy
from vscolor.metrics.table import Measurement
from vscolor.metrics.views import Sample

CELLS: Final = 64
REACH: Final = 80.0
"""Histograms hold ab from -80 to 80, in cells of 2.5; values beyond count in the edge cells."""
HISTOGRAM_LIGHTNESS: Final = 65.0
STILL_WIDTH: Final = 960
FILM_WIDTH: Final = 480
QUALITY: Final = 88

type Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Choice:
    """Which frames of the film are shown.

    Attributes:
        count: Frames shown as stills, spread evenly, where none are named.
        frames: Numbers of the frames shown as stills; empty for `count` of them.
        seconds: Length of the short films; 0 for none.
        start: First frame of the short films; None for the part where colour is least steady.
    """

    count: int = 5
    frames: tuple[int, ...] = ()
    seconds: float = 4.0
    start: int | None = None

    def numbers(self, span: range) -> list[int]:
        """Frame numbers of the stills.

        Raises:
            SettingError: A number is not within `span`.
        """
        wrong = next((n for n in self.frames if n not in span), None)
        if wrong is not None:
            raise SettingError(f"--frames has {wrong}, expected {span.start} to {span.stop - 1}")
        return sorted(set(self.frames)) or [span[n] for n in report.spread(len(span), self.count)]

    def check_start(self, span: range) -> None:
        """Check that the short films start within the compared frames.

        Raises:
            SettingError: They do not.
        """
        if self.start is not None and self.start not in span:
            raise SettingError(
                f"--film-start is {self.start}, expected {span.start} to {span.stop - 1}"
            )


@dataclass(frozen=True)
class Evidence:
    """Everything that the page shows.

    Attributes:
        views: Names of the views, in order: grey, the results, true.
        origins: Where each comes from, in words.
        found: Measurements of the results, by name.
        span: The frames compared.
        frames: Numbers of the stills.
        stills: JPEGs of each view, one per frame.
        films: Short film of each view as MP4; empty for none.
        film: Frames of the short films.
        histograms: PNG of each coloured view's ab.
    """

    views: list[str]
    origins: dict[str, str]
    found: dict[str, Measurement]
    span: range
    frames: list[int]
    stills: dict[str, list[bytes]]
    films: dict[str, bytes]
    film: range
    histograms: dict[str, bytes]

    @property
    def has_truth(self) -> bool:
        """Whether the true colours are known."""
        return TRUE in self.views


class _Census:
    """Histograms of ab for the results and the truth, filled while they are measured."""

    def __init__(self, names: Sequence[str]) -> None:
        self.counts = {name: np.zeros((CELLS, CELLS), np.float64) for name in names}

    def add(self, row: Sequence[Sample]) -> None:
        """Count a frame of each result, then of the truth."""
        views = [sample.result for sample in row]
        if row[0].truth is not None:
            views.append(row[0].truth)
        for counts, view in zip(self.counts.values(), views, strict=True):
            inside = np.clip(view.ab[::2, ::2], -REACH, REACH - 1e-3)
            a, b = (np.ascontiguousarray(inside[..., c]) for c in (0, 1))
            ranges = [-REACH, REACH, -REACH, REACH]
            found = cv2.calcHist([a, b], [0, 1], None, [CELLS, CELLS], ranges)
            np.add(counts, found, out=counts)


def collect(
    source: vs.VideoNode,
    results: Sequence[Contestant],
    truth: Contestant | None,
    wanted: MetricsRequest,
    choice: Choice,
    *,
    span: range,
    advance: Callable[[int], object],
) -> Evidence:
    """Measure the results, and collect what the page shows.

    Args:
        source: The film.
        results: The results, at least one.
        truth: The true colours, where they are known.
        wanted: What to measure.
        choice: What to show.
        span: Which frames to compare.
        advance: Called with the number of frames measured.

    Raises:
        VscolorError: A setting is wrong, or the clips cannot be measured.
        vapoursynth.Error: A frame cannot be made.
    """
    numbers = choice.numbers(span)
    choice.check_start(span)
    known = [*results, *([truth] if truth else [])]
    census = _Census([c.name for c in known])
    found = measure(
        [c.clip[span.start : span.stop] for c in results],
        truth.clip[span.start : span.stop] if truth else None,
        wanted,
        source=source[span.start : span.stop],
        first=span.start,
        total=source.num_frames,
        advance=advance,
        watch=census.add,
    )
    measured = {c.name: one for c, one in zip(results, found, strict=True)}
    shown = [Contestant(GREY, grey_of(source), "the source's luma"), *known]
    film = _film_span(choice, span, source.fps or Fraction(25), found)
    return Evidence(
        views=[c.name for c in shown],
        origins={c.name: c.origin for c in shown},
        found=measured,
        span=span,
        frames=numbers,
        stills={c.name: [_still(c.clip, n) for n in numbers] for c in shown},
        films={c.name: _film(c.clip, film) for c in shown} if len(film) else {},
        film=film,
        histograms={name: histogram(counts) for name, counts in census.counts.items()},
    )


def _film_span(choice: Choice, span: range, rate: Fraction, found: Sequence[Measurement]) -> range:
    """Frames of the short films: from the given start, or where warp error is largest."""
    length = min(len(span), round(choice.seconds * rate))
    if length < 1:
        return range(0)
    if choice.start is not None:
        start = min(choice.start, span.stop - length)
    else:
        moves = np.nansum([m.table.column("warp_ab_raw") for m in found], axis=0)
        sums = np.cumsum(np.insert(moves, 0, 0.0))
        start = span[int(np.argmax(sums[length:] - sums[:-length]))]
    return range(start, start + length)


def _still(clip: vs.VideoNode, number: int) -> bytes:
    """A frame as JPEG."""
    width = min(STILL_WIDTH, clip.width)
    height = round(clip.height * width / clip.width)
    small = report.as_rgb(clip).resize.Bicubic(width, height)
    quality = [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    return report.encoded(".jpg", report.bgr_pixels(small, number), quality)


def _film(clip: vs.VideoNode, frames: range) -> bytes:
    """Some frames as a small MP4 that every browser plays."""
    width = min(FILM_WIDTH, clip.width) // 2 * 2
    height = round(clip.height * width / clip.width / 2) * 2
    rgb = report.as_rgb(clip)[frames.start : frames.stop]
    small = rgb.resize.Bicubic(width, height, vs.YUV420P8, matrix=1)
    rate = clip.fps or Fraction(25)
    small = small.std.AssumeFPS(fpsnum=rate.numerator, fpsden=rate.denominator)
    with tempfile.TemporaryDirectory(prefix="vscolor-") as folder:
        target = Path(folder) / "film.mp4"
        source = Source(target, small, timing.of_rate(rate, len(frames)))
        settings = Settings("libx264", 23, "medium", "yuv420p", copy=Copy.NONE)
        encode.run(
            plan.plan(small, source, target, settings, range(len(frames))), lambda _done: None
        )
        return target.read_bytes()


def histogram(counts: NDArray[np.float64]) -> bytes:
    """PNG `[64,64]` of ab in its own colours, log counts as opacity; a to the right, b upwards."""
    middle = (np.arange(CELLS) + 0.5) / CELLS * 2 * REACH - REACH
    a, b = np.meshgrid(middle, middle, indexing="ij")
    rgb = np.clip(lab_to_srgb(np.dstack([np.full_like(a, HISTOGRAM_LIGHTNESS), a, b])), 0, 1)
    share = np.log1p(counts) / max(np.log1p(counts).max(), 1e-9)
    rgba = np.dstack([rgb, share])
    upright = np.rint(rgba.transpose(1, 0, 2)[::-1] * 255).astype(np.uint8)
    return report.encoded(".png", np.ascontiguousarray(upright[..., [2, 1, 0, 3]]))

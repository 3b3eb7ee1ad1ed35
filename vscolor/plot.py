"""Charts of curves over time with marked cuts, as a picture or as SVG for a page."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Float = NDArray[np.floating]
type Colour = tuple[int, int, int]

WIDTH, HEIGHT = 960, 300
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 44, 34
MAX_POINTS: Final = 1200
TICKS: Final = 5
PALETTE: Final[tuple[Colour, ...]] = (
    *((31, 95, 180), (200, 80, 20), (20, 130, 90), (150, 60, 160), (170, 130, 0), (60, 140, 170)),
)
"""R, G, B of the lines in turn; each has a contrast of at least 3:1 on white."""
INK, FAINT, CUT = (40, 40, 40), (225, 225, 225), (150, 150, 150)


@dataclass(frozen=True)
class Line:
    """One curve.

    Attributes:
        name: For the legend.
        values: One for each x; NaN leaves a gap.
        colour: Index into `PALETTE`; None for ink, which the true clip has.
        dashed: Whether it is drawn dashed.
    """

    name: str
    values: Float
    colour: int | None = 0
    dashed: bool = False


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: What is shown, with its unit.
        lines: Curves of the same length.
        x: Their x values, ascending; None for 0, 1, 2, ...
        unit: What x counts.
        cuts: Values of x to mark.
        zero: Whether the scale includes 0.
        least: Least span of the scale, so that rounding errors are not magnified.
        peaks: Whether curves of too many points are thinned to largest values instead of means.
    """

    title: str
    lines: Sequence[Line]
    x: Float | None = None
    unit: str = "frame"
    cuts: Sequence[float] = ()
    zero: bool = False
    peaks: bool = False
    least: float = 0.0

    @property
    def places(self) -> Float:
        """X of each value."""
        return np.arange(float(len(self.lines[0].values))) if self.x is None else self.x


@dataclass(frozen=True)
class Scale:
    """Maps numbers to pixels."""

    low: float
    high: float
    start: float
    stop: float

    @classmethod
    def of(cls, panel: Panel) -> Scale:
        """A scale that holds all of a panel's curves."""
        known = np.concatenate([line.values[~np.isnan(line.values)] for line in panel.lines])
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        low = min(low, 0.0) if panel.zero else low
        missing = max(0.0, panel.least - (high - low))
        low, high = (low, high + missing) if panel.zero else (low - missing / 2, high + missing / 2)
        room = (high - low) * 0.05 or max(abs(high) * 0.05, 1e-12)
        x = panel.places
        low = low if panel.zero and low == 0 else low - room
        return cls(low, high + room, float(x[0]), float(max(x[-1], x[0] + 1)))

    def x(self, value: float | Float) -> Float:
        """Pixels from the left."""
        part = (np.asarray(value) - self.start) / (self.stop - self.start)
        return np.asarray(LEFT + part * (WIDTH - LEFT - RIGHT))

    def y(self, value: float | Float) -> Float:
        """Pixels from the top."""
        part = (np.asarray(value) - self.low) / (self.high - self.low)
        return np.asarray(HEIGHT - BOTTOM - part * (HEIGHT - TOP - BOTTOM))


def ticks(low: float, high: float, count: int = TICKS) -> list[float]:
    """Round numbers within a range, about `count` of them."""
    rough = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def thinned(x: Float, values: Float, peaks: bool, most: int = MAX_POINTS) -> tuple[Float, Float]:
    """At most `most` points: means, or largest values, of equal runs. Runs of NaN stay NaN."""
    run = -(-len(values) // most)
    if run == 1:
        return x, values
    whole = -(-len(values) // run) * run
    padded = np.concatenate([values, np.full(whole - len(values), np.nan)]).reshape(-1, run)
    known = ~np.isnan(padded)
    if peaks:
        made = np.where(known, padded, -np.inf).max(axis=1)
    else:
        made = np.where(known, padded, 0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return x[::run], np.where(known.any(axis=1), made, np.nan)


def strokes(panel: Panel, line: Line, scale: Scale) -> Iterator[Float]:
    """Pixels `[n,2]` of each unbroken part of a curve; a lone point is two equal ones."""
    x, values = thinned(panel.places, line.values, panel.peaks)
    points = np.stack([scale.x(x), scale.y(values)], axis=-1)
    known = ~np.isnan(values)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(int)))
    for first, stop in edges.reshape(-1, 2):
        part = points[first:stop]
        yield part if len(part) > 1 else np.repeat(part, 2, axis=0)


def label(value: float) -> str:
    """A number as the label of a tick."""
    return f"{value:.6g}"


def colour_of(line: Line) -> Colour:
    """R, G and B of a curve."""
    return INK if line.colour is None else PALETTE[line.colour % len(PALETTE)]


def picture(panels: Sequence[Panel]) -> NDArray[np.uint8]:
    """Panels below each other, BGR `[h,960,3]` on white."""
    return np.vstack([_picture(panel) for panel in panels])


def _picture(panel: Panel) -> NDArray[np.uint8]:
    import cv2

    canvas = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    scale = Scale.of(panel)
    for value in ticks(scale.low, scale.high):
        y = int(scale.y(value))
        cv2.line(canvas, (LEFT, y), (WIDTH - RIGHT, y), FAINT, 1)
        _text(canvas, label(value), (4, y + 4))
    for value in ticks(scale.start, scale.stop, 8):
        _text(canvas, label(value), (int(scale.x(value)) - 8, HEIGHT - 14))
    for cut in panel.cuts:
        x = int(scale.x(cut))
        cv2.line(canvas, (x, TOP), (x, HEIGHT - BOTTOM), CUT, 1)
    for line in panel.lines:
        for part in strokes(panel, line, scale):
            _stroke(canvas, part, colour_of(line)[::-1], line.dashed)
    _legend(canvas, panel)
    return canvas


def _stroke(canvas: NDArray[np.uint8], part: Float, bgr: Colour, dashed: bool) -> None:
    import cv2

    pieces = [part[i : i + 4] for i in range(0, len(part) - 1, 6)] if dashed else [part]
    # In sixteenths of a pixel: whole pixels would turn a slow curve into steps.
    fixed = [np.rint(piece * 16).astype(np.int32) for piece in pieces]
    cv2.polylines(canvas, fixed, False, bgr, 2, cv2.LINE_AA, 4)


def _legend(canvas: NDArray[np.uint8], panel: Panel) -> None:
    import cv2

    _text(canvas, panel.title, (LEFT, 18))
    _text(canvas, panel.unit, (WIDTH - RIGHT - 8 * len(panel.unit), HEIGHT - 2))
    if len(panel.lines) < 2:
        return
    x = LEFT
    for line in panel.lines:
        mark = np.array([[x, 32], [x + 12, 32], [x + 24, 32]], np.float64)
        _stroke(canvas, mark, colour_of(line)[::-1], False)
        if line.dashed:
            cv2.line(canvas, (x + 10, 32), (x + 14, 32), (255, 255, 255), 3)
        _text(canvas, line.name, (x + 30, 36))
        x += 44 + 8 * len(line.name)


def _text(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    import cv2

    plain = text.encode("ascii", "replace").decode()  # all that the built-in font has
    cv2.putText(canvas, plain, place, cv2.FONT_HERSHEY_SIMPLEX, 0.42, INK, 1, cv2.LINE_AA)


def svg(panel: Panel) -> str:
    """A panel as an SVG element, its colours left to the page's style.

    Curves have the classes `line`, `c0` to `c5` or `ink`, and maybe `dashed`; grid lines have
    `grid`, cuts `cut`.
    """
    scale = Scale.of(panel)
    parts = [
        f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(panel.title)}">'
    ]
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(scale.low, scale.high):
        y = float(scale.y(value))
        parts.append(f'<path class="grid" d="M{LEFT} {y:.1f}H{right}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" class="end">{label(value)}</text>')
    for value in ticks(scale.start, scale.stop, 8):
        x = float(scale.x(value))
        parts.append(f'<text x="{x:.1f}" y="{bottom + 18}" class="mid">{label(value)}</text>')
    parts += [
        f'<path class="cut" d="M{float(scale.x(cut)):.1f} {TOP}V{bottom}"><title>cut at '
        f"{label(cut)}</title></path>"
        for cut in panel.cuts
    ]
    parts += [_svg_line(panel, line, scale) for line in panel.lines]
    parts.append(f'<text x="{LEFT}" y="18" class="title">{escape(panel.title)}</text>')
    parts.append(f'<text x="{right}" y="{HEIGHT - 2}" class="end">{escape(panel.unit)}</text>')
    return "".join(parts) + "</svg>"


def style_of(line: Line) -> str:
    """The CSS classes of a curve and of its mark in a legend."""
    hue = "ink" if line.colour is None else f"c{line.colour % len(PALETTE)}"
    return f"line {hue}" + (" dashed" if line.dashed else "")


def _svg_line(panel: Panel, line: Line, scale: Scale) -> str:
    path = "".join(
        "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in part) for part in strokes(panel, line, scale)
    )
    title = f"<title>{escape(line.name)}</title>"
    return f'<path class="{style_of(line)}" d="{path}">{title}</path>' if path else ""

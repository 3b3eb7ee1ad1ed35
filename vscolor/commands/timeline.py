"""Plots a film's colour over time in one picture, so that flicker is seen at a glance."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import console, process, report
from vscolor.commands import inputs
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.files import check_png
from vscolor.metrics import clips
from vscolor.metrics.table import Table
from vscolor.plot import LEFT, RIGHT, WIDTH, Line, Panel, picture

SHORT_SIDE: Final = 144
STRIP_HEIGHT: Final = 54
SHOWN: Final = ("chroma",)


def run(
    path: Path,
    target: Path,
    *,
    start: str | None,
    end: str | None,
    scenes: Path | None,
    overwrite: bool,
    quiet: bool,
) -> None:
    """Draw mean a and b, the chroma step and the cuts of a film.

    Args:
        path: The input, as `convert` reads it.
        target: A PNG; it appears only when complete.
        start: First frame or time; default: the first frame.
        end: End frame or time, exclusive; default: the end of the film.
        scenes: List of cuts; None to find them.
        overwrite: Whether an existing picture may be replaced.
        quiet: Whether to print only errors.

    Raises:
        SettingError: The picture is in the way, is no PNG, or a setting is wrong.
        VscolorError: The input cannot be read.
    """
    check_png(target, overwrite, path, scenes)
    process.limit_core_cache()
    source = inputs.opened(path, None, quiet)
    span = inputs.span_of(source, start, end)
    clip = source.clip[span.start : span.stop]
    clips.check_pair(clip, None, clips.Requirements.of([]))
    wanted = MetricsRequest(SHOWN, size=SHORT_SIDE, scenes=scenes)
    with console.frames_bar("looking at colour", clip.num_frames, quiet) as advance:
        (found,) = measure(
            [clip],
            None,
            wanted,
            first=span.start,
            total=source.clip.num_frames,
            advance=advance,
        )
    drawn = np.vstack([strip(clip), picture(panels(found.table))])
    report.write_png(target, drawn)
    if not quiet:
        frames = console.counted(clip.num_frames, "frame")
        console.note(f"{target}: {frames}, {console.counted(len(found.table.cuts), 'cut')}")


def panels(table: Table) -> list[Panel]:
    """Plots over time: mean colour, and the mean change of colour from frame to frame."""
    x, cuts = table.numbers, table.cut_numbers
    mean = [Line("a (green to red)", table.column("mean_a"), 1)]
    mean.append(Line("b (blue to yellow)", table.column("mean_b"), 0))
    step = [Line("chroma step", table.column("chroma_step"), 3)]
    return [
        Panel("mean colour of the frame (ab); vertical: cuts", mean, x, cuts=cuts, least=1.0),
        Panel(
            "chroma step: mean change of ab at a pixel",
            step,
            x,
            cuts=cuts,
            zero=True,
            peaks=True,
            least=0.1,
        ),
    ]


def strip(clip: vs.VideoNode) -> np.ndarray:
    """A row of frames at their positions on the plots' time axis, BGR `[54,960,3]`."""
    width = max(1, round(STRIP_HEIGHT * clip.width / clip.height))
    room = WIDTH - LEFT - RIGHT
    count = max(1, room // (width + 2))
    small = report.as_rgb(clip).resize.Bicubic(width, STRIP_HEIGHT)
    canvas = np.full((STRIP_HEIGHT, WIDTH, 3), 255, np.uint8)
    for place in range(count):
        left = LEFT + place * room // count
        middle = (left + width / 2 - LEFT) / room
        number = min(clip.num_frames - 1, round(middle * (clip.num_frames - 1)))
        bgr = report.bgr_pixels(small, number)
        shown = bgr[:, : WIDTH - RIGHT - left]
        canvas[:, left : left + shown.shape[1]] = shown
    return canvas

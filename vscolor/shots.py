"""The scenes of a film, listed and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import vapoursynth as vs

from vscolor import console, convert, report
from vscolor.errors import SettingError
from vscolor.scenes import mark_detected, marked_cuts
from vscolor.source import Source

THUMBNAIL_WIDTH: Final = 240
COLUMNS: Final = 6


def run(path: Path, sheet: Path | None, *, overwrite: bool, quiet: bool) -> None:
    """Print the first frame of each scene after the first; the time beside it on stderr.

    Args:
        path: What `convert` reads.
        sheet: A PNG to write the scenes' first frames to.
        overwrite: Whether an existing sheet may be replaced.
        quiet: Whether to print the numbers alone.

    Raises:
        SettingError: The sheet is in the way.
        VscolorError: The input cannot be read.
    """
    if sheet is not None and sheet.exists() and not overwrite:
        raise SettingError(f"{sheet} exists; give --overwrite to replace it")
    source = convert.opened(path, None, quiet)
    total, cuts = source.clip.num_frames, []
    with console.frames_bar("looking for cuts", total, quiet) as advance:
        for number, cut in marked_cuts(mark_detected(source.clip)):
            advance(number + 1)
            if cut:
                cuts.append(number)
    for number in cuts:
        print(number)
    if not quiet:
        _describe(source, cuts)
    if sheet is not None:
        report.write_thumbnails(sheet, _thumbnails(source.clip), [0, *cuts], COLUMNS)
        if not quiet:
            console.note(f"{sheet}: the first frame of each scene")


def _describe(source: Source, cuts: list[int]) -> None:
    begins = [0, *cuts]
    for number, (first, stop) in enumerate(
        zip(begins, [*cuts, source.clip.num_frames], strict=True), 1
    ):
        time = source.timeline.seconds(first)
        at = "" if time is None else f" at {float(time):.3f} s"
        console.note(f"scene {number}: frame {first}{at}, {stop - first} frames")


def _thumbnails(clip: vs.VideoNode) -> vs.VideoNode:
    height = max(2, round(clip.height * THUMBNAIL_WIDTH / clip.width / 2) * 2)
    numbered = report.as_rgb(clip).resize.Bicubic(THUMBNAIL_WIDTH, height)
    return numbered.text.FrameNum(report.TOP_LEFT)

"""Treats one input and writes the result to a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Final, NamedTuple

import vapoursynth as vs

from vscolor import console, process, report
from vscolor.commands.inputs import opened, span_of, tell_grey, with_streams_of
from vscolor.commands.treatment import ApplyContext, Treatment
from vscolor.media import encode, plan
from vscolor.media.plan import Settings

SHEET_FRAMES: Final = 6


class Converted(NamedTuple):
    """A film before and after its treatment, and the frames that were written."""

    before: vs.VideoNode
    after: vs.VideoNode
    span: range


def convert(
    path: Path,
    target: Path,
    treatment: Treatment,
    settings: Settings,
    *,
    start: str | None = None,
    end: str | None = None,
    rate: Fraction | None = None,
    guide: Path | None = None,
    streams_from: Path | None = None,
    quiet: bool = False,
) -> Converted:
    """Treat a film, a still, a series of stills or a script's clip, and write it to a file.

    Args:
        path: What to read.
        target: What to write.
        treatment: What to do to it.
        settings: How to encode.
        start: First frame or time to write; default: the first frame.
        end: End frame or time, exclusive; default: the end of the film.
        rate: Frames per second of a series of stills.
        guide: A film of the same length that the model sees instead.
        streams_from: A film whose other streams are copied, such as the one that a script opens.
        quiet: Whether to print only errors.

    Returns:
        The clips before and after the treatment, and the frames written.

    Raises:
        VscolorError: Input, output or settings are at fault.
        vapoursynth.Error: A frame cannot be made.
    """
    process.limit_core_cache()
    source = opened(path, rate, quiet)
    if streams_from is not None:
        source = with_streams_of(source, opened(streams_from, None, quiet))
    span = span_of(source, start, end)
    if treatment.wants_colour and not quiet:
        tell_grey(source, span, "steady")
    seen = opened(guide, None, quiet) if guide else None
    beside = [*(seen.files if seen else []), *([streams_from] if streams_from else [])]

    def planned(clip: vs.VideoNode) -> encode.Job:
        read = [*treatment.reads, *beside]
        return plan.plan(clip, source, target, settings, span, read=read)

    with console.core_log(quiet):
        shown = seen.clip if seen else None
        treated = treatment.apply(source.clip, ApplyContext(shown, span, quiet, preflight=planned))
    job = planned(treated)
    if not quiet:
        for notice in job.notices:
            console.note(notice)
        for part in encode.left_over(target):
            console.note(f"{part} is of a run that was cut off, or that goes on at this moment")
    watch, total = console.Stopwatch(), job.clip.num_frames
    with console.frames_bar(treatment.label, total, quiet) as advance:
        remarks = encode.run(job, advance, treatment.prefetch())
    if not quiet:
        for remark in remarks:
            console.note(remark)
        speed = total / max(watch.seconds, 1e-3)
        frames = console.counted(total, "frame")
        console.note(f"{target}: {frames} in {watch}, {speed:.1f} frames/s")
    return Converted(source.clip, treated, span)


def write_before_after(sheet: Path, made: Converted) -> None:
    """Write consecutive frames from the middle of a film, before and after, to one picture.

    Args:
        sheet: A PNG to write, with one row per frame: before, after.
        made: What `convert` returned.
    """
    span = made.span
    first = max(span.start, (span.start + span.stop - SHEET_FRAMES) // 2)
    frames = range(first, min(first + SHEET_FRAMES, span.stop))
    report.write_sheet(sheet, (made.before, made.after), ("before", "after"), frames)

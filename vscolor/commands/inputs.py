"""Opens the inputs of commands, selects the frames, and warns about unsuitable ones."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import console
from vscolor.errors import SettingError
from vscolor.media import timing
from vscolor.media.source import Source, is_still, open_source
from vscolor.report import spread

GLANCES: Final = 8
"""Number of frames checked to decide whether a film is in colour."""

RATES_ALIKE: Final = 5e-4
"""Largest relative difference of equal rates; 24 and 23.976 differ by twice as much."""


def span_of(source: Source, start: str | None, end: str | None) -> range:
    """The frames selected by `--start` and `--end`.

    Raises:
        SettingError: They cannot be parsed, or select no frame.
    """
    length = source.clip.num_frames
    first = timing.frame_at(start, source.timeline, "--start") if start else 0
    stop = timing.frame_at(end, source.timeline, "--end") if end else length
    if not first < min(stop, length):
        raise SettingError(
            f"--start is frame {first} and --end frame {stop}, expected --start below --end and "
            f"below {length}, the number of frames"
        )
    return range(first, min(stop, length))


def with_streams_of(source: Source, film: Source) -> Source:
    """A source with a film's streams, and with its times if frame counts and rates match.

    Otherwise the source keeps its own times, shifted to start with the film's, so that the sound is
    in sync.

    Raises:
        SettingError: `film` is no film with streams.
    """
    if film.container is None or is_still(film.path):
        raise SettingError(f"--streams-from is {film.path}, expected a film with streams")
    ours, theirs = source.clip, film.clip
    if ours.num_frames == theirs.num_frames and _alike(ours.fps, theirs.fps):
        return replace(source, container=film.container, timeline=film.timeline)
    note = (
        f"times are not taken from {film.path.name}: it has {_told(theirs)}, "
        f"{source.path.name} {_told(ours)}"
    )
    own = timing.moved(source.timeline, film.timeline.seconds(0) or Fraction(0))
    return replace(
        source, container=film.container, timeline=replace(own, note=note, rate_unverified=False)
    )


def tell_interlaced(source: Source) -> None:
    """Warn about interlaced input: deinterlacing it may change the frame numbers."""
    with source.clip.get_frame(0) as frame:
        fields = frame.props.get("_FieldBased", 0)
    if fields in (vs.FIELD_BOTTOM, vs.FIELD_TOP):
        console.note(
            f"{source.path} is interlaced: colorize wants it deinterlaced, which may double the "
            "frames; look for cuts and keyframes in the script that does so"
        )


def tell_grey(source: Source, span: range, what: str) -> None:
    """Warn if frames that should be in colour are grey, as when two names are mixed up."""
    family = source.clip.format.color_family
    seen = family == vs.YUV and _has_chroma(source.clip, span)
    if family in (vs.YUV, vs.GRAY) and not seen:
        console.note(f"{source.path} has no colour: there is nothing to {what}")


def _has_chroma(clip: vs.VideoNode, span: range) -> bool:
    """Whether any of a few sampled YUV frames has chroma that differs from neutral."""
    for place in spread(len(span), GLANCES):
        with clip.get_frame(span[place]) as frame:
            chroma = [np.asarray(frame[plane]) for plane in (1, 2)]
        neutral = 1 << (clip.format.bits_per_sample - 1)
        middle = 0 if clip.format.sample_type == vs.FLOAT else neutral
        unit = 1 / 256 if clip.format.sample_type == vs.FLOAT else neutral / 128
        if any(np.abs(plane.astype(np.float32) - middle).max() > unit for plane in chroma):
            return True
    return False


def _alike(ours: Fraction, theirs: Fraction) -> bool:
    """Whether rates are equal up to rounding, or ours (a script's) is unknown."""
    return ours == 0 or abs(ours - theirs) < RATES_ALIKE * theirs


def _told(clip: vs.VideoNode) -> str:
    rate = f"{float(clip.fps):.3f} frames/s" if clip.fps else "a variable rate"
    return f"{clip.num_frames} frames at {rate}"


def opened(path: Path, rate: Fraction | None, quiet: bool) -> Source:
    """Open an input, with a progress bar while it is indexed."""
    with console.percent_bar(f"Indexing {path.name}", quiet) as percent:
        return console.interruptible(lambda: open_source(path, rate, percent))

"""What a command reads: the input opened, and the part of it that is meant."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from vscolor import console, timing
from vscolor.errors import SettingError
from vscolor.source import Source, open_source


def span_of(source: Source, start: str | None, end: str | None) -> range:
    """The frames two options name.

    Raises:
        SettingError: They cannot be read, or name no frame.
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
    """A source with another one's streams, and its times where the two go frame by frame.

    Raises:
        SettingError: The other is no file of streams.
    """
    if film.container is None:
        raise SettingError(f"--streams-from is {film.path}, expected a film with streams")
    ours, theirs = source.clip, film.clip
    timeline = film.timeline
    if (ours.num_frames, ours.fps) != (theirs.num_frames, theirs.fps):
        timeline = replace(
            source.timeline,
            note=f"{source.path.name} keeps its own times: it has {ours.num_frames} frames at "
            f"{float(ours.fps):.3f} a second, {film.path.name} {theirs.num_frames} at "
            f"{float(theirs.fps):.3f}",
        )
    return replace(source, container=film.container, timeline=timeline)


def opened(path: Path, rate: Fraction | None, quiet: bool) -> Source:
    """Open an input with a bar while it is being indexed."""
    with console.percent_bar(f"Indexing {path.name}", quiet) as percent:
        return console.interruptible(lambda: open_source(path, rate, percent))

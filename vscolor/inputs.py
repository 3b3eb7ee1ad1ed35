"""What a command reads: the input opened, and the part of it that is meant."""

from __future__ import annotations

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


def opened(path: Path, rate: Fraction | None, quiet: bool) -> Source:
    """Open an input with a bar while it is being indexed."""
    with console.percent_bar(f"Indexing {path.name}", quiet) as percent:
        return console.interruptible(lambda: open_source(path, rate, percent))

"""A file in, a coloured file out."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import vapoursynth as vs

from vscolor import console, encode, plan, process, timing
from vscolor import device as devices
from vscolor.errors import SettingError
from vscolor.filters import colorize
from vscolor.plan import Settings, Span
from vscolor.source import Source, open_source


@dataclass(frozen=True)
class Look:
    """The arguments of `colorize` that a command line can give, as it names them."""

    model: str = "mini"
    size: int = 256
    batch: int | None = None
    strength: float = 1.0
    saturation: float = 1.0
    temperature: float | None = None
    device: str | None = None
    runtime: str | None = None
    format: str | None = None
    weights: Path | None = None

    def apply(self, clip: vs.VideoNode, guide: vs.VideoNode | None = None) -> vs.VideoNode:
        """Colour a clip."""
        return colorize(
            clip,
            self.model,
            size=self.size,
            batch=self.batch,
            strength=self.strength,
            saturation=self.saturation,
            temperature=self.temperature,
            device=self.device,
            runtime=self.runtime,
            format=_preset(self.format),
            guide=guide,
            weights=self.weights,
        )

    def place(self) -> devices.Device:
        """Where the model runs."""
        return devices.resolve(self.device, self.runtime)

    @property
    def group(self) -> int:
        """Frames that go through the model together."""
        return self.batch or self.place().default_batch

    def prefetch(self) -> int:
        """Frames to ask for ahead: this batch while the next one is under way."""
        return int(vs.core.num_threads) + (2 * self.group if self.group > 1 else 1)


def convert(
    path: Path,
    target: Path,
    look: Look,
    settings: Settings,
    *,
    start: str | None = None,
    end: str | None = None,
    rate: Fraction | None = None,
    guide: Path | None = None,
    quiet: bool = False,
) -> None:
    """Colour a film, a still, a series of stills or a script's clip into a file.

    Args:
        path: What to read.
        target: What to write.
        look: How to colour.
        settings: How to encode.
        start: First frame or time to write; default: the first.
        end: First frame or time not to write; default: all are written.
        rate: Frames a second of a series of stills.
        guide: A film of the same length that the model looks at instead.
        quiet: Whether to say nothing but errors.

    Raises:
        VscolorError: Input, output or settings are at fault.
        vapoursynth.Error: A frame cannot be made.
    """
    process.settle()
    source = _opened(path, rate, quiet)
    span = span_of(source, start, end)
    coloured = look.apply(source.clip, _opened(guide, None, quiet).clip if guide else None)
    job = plan.plan(coloured, source, target, settings, span)
    if not quiet:
        for notice in job.notices:
            console.note(notice)
    watch, total = console.Stopwatch(), job.clip.num_frames
    with console.frames_bar(f"{look.model} on {look.place()}", total, quiet) as advance:
        complaints = encode.run(job, advance, look.prefetch())
    for complaint in complaints:
        console.note(f"ffmpeg: {complaint}")
    if not quiet:
        speed = total / max(watch.seconds, 1e-3)
        console.note(f"{target}: {total} frames in {watch}, {speed:.1f} frames/s")


def span_of(source: Source, start: str | None, end: str | None) -> Span:
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
    return Span(first, min(stop, length))


def _opened(path: Path, rate: Fraction | None, quiet: bool) -> Source:
    """Open an input with a bar while it is being indexed."""
    with console.percent_bar(f"Indexing {path.name}", quiet) as percent:
        return console.interruptible(lambda: open_source(path, rate, percent))


def _preset(name: str | None) -> int | None:
    """A VapourSynth format by its name."""
    if name is None:
        return None
    preset = getattr(vs.PresetVideoFormat, name.upper(), None)
    if preset is None:
        raise SettingError(f"--format is {name!r}, expected a VapourSynth format such as YUV444P8")
    return int(preset)

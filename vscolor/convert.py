"""A file in, a coloured file out."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import vapoursynth as vs

from vscolor import console, encode, plan, process, report, stabilizers, timing
from vscolor import device as devices
from vscolor.arguments import in_range
from vscolor.errors import SettingError
from vscolor.filters import colorize, stabilize
from vscolor.guidance import Guidance, given_references
from vscolor.hints import listed as read_hints
from vscolor.models.base import WINDOW_OPTION
from vscolor.models.options import read_words, settle
from vscolor.models.registry import Entry
from vscolor.plan import Settings, Span
from vscolor.source import Source, open_source

SHEET_FRAMES: Final = 6


class Treatment(Protocol):
    """What is done to a film."""

    @property
    def label(self) -> str:
        """What is done, and where, for a person waiting."""
        ...

    def apply(
        self,
        clip: vs.VideoNode,
        guide: vs.VideoNode | None = None,
        span: range | None = None,
        quiet: bool = True,
    ) -> vs.VideoNode:
        """Do it to a clip.

        Args:
            clip: The clip.
            guide: A clip as long to look at instead.
            span: The frames that will be asked for; None for all.
            quiet: Whether to say nothing while that takes long.
        """
        ...

    def prefetch(self) -> int:
        """Frames to ask for ahead."""
        ...


@dataclass(frozen=True)
class Network:
    """The arguments of `stabilize` for methods that have a network."""

    size: int | None = None
    device: str | None = None
    runtime: str | None = None
    weights: Path | None = None
    seed: int | None = None
    irt: bool | None = None
    reference: bool | None = None


@dataclass(frozen=True)
class Steadiness:
    """The arguments of `stabilize` that a command line can give, as it names them."""

    method: str = "motion"
    radius: int | None = None
    match: float | None = None
    slow: bool | None = None
    strength: float = 1.0
    scenes: Path | None = None
    network: Network = Network()

    @classmethod
    def after(
        cls, method: str, scenes: Path | None, device: str | None, runtime: str | None
    ) -> Steadiness:
        """What steadies colour just made, where it was made if the method asks for a place."""
        own = stabilizers.OWN_OPTIONS.get(method, set())
        # A fit runs on torch, which knows neither DirectML nor CoreML.
        elsewhere = method == "dvp" and (device or "").partition(":")[0] in ("dml", "coreml")
        network = Network(
            device=device if "device" in own and not elsewhere else None,
            runtime=runtime if "runtime" in own else None,
        )
        return cls(method=method, scenes=scenes, network=network)

    @property
    def label(self) -> str:
        """See `Treatment`."""
        return f"stabilize by {self.method}"

    def apply(
        self,
        clip: vs.VideoNode,
        guide: vs.VideoNode | None = None,
        span: range | None = None,
        quiet: bool = True,
    ) -> vs.VideoNode:
        """Steady a clip's chroma; see `Treatment`."""
        in_range("strength", self.strength, 0, 1)  # before minutes are spent on a fit
        if self.method == "dvp":
            self._fit(clip, guide, span, quiet)
        return stabilize(
            clip,
            self.method,
            guide=guide,
            strength=self.strength,
            scenes=self.scenes,
            **self._options(),
        )

    def _options(self) -> dict[str, Any]:
        return {
            "radius": self.radius,
            "match": self.match,
            "slow": self.slow,
            **asdict(self.network),
        }

    def _fit(
        self, clip: vs.VideoNode, guide: vs.VideoNode | None, span: range | None, quiet: bool
    ) -> None:
        """Fit what the wanted frames need and what was not fitted yet."""
        from vscolor import fitting

        work = stabilizers.checked_work_of(clip, guide, self.scenes)
        task = stabilizers.fit_task(work, stabilizers.Options(**self._options()))
        fitting.fit_with_bar(task, range(clip.num_frames) if span is None else span, quiet)

    def prefetch(self) -> int:
        """See `Treatment`."""
        return int(vs.core.num_threads) + 1


@dataclass(frozen=True)
class Guiding:
    """What colours a frame beyond its luma, as the command line names it.

    Attributes:
        history: Whether frames follow each other; None where it follows from the rest.
        references: `PICTURE`, `PICTURE@FRAME` or a folder, each.
        hints: A JSON or CSV file.
        scenes: A list of cuts.
        history_strength: See `colorize`.
        reference_strength: Likewise.
        still_strength: Likewise.
        debug: Likewise.
    """

    history: bool | None = None
    references: tuple[str, ...] = ()
    hints: Path | None = None
    scenes: Path | None = None
    history_strength: float = 1.0
    reference_strength: float = 1.0
    still_strength: float = 1.0
    debug: str | None = None

    @cached_property
    def guidance(self) -> Guidance:
        """As far as it decides which model is wanted; hint files and folders are read once."""
        return Guidance(
            self.history,
            tuple(given_references(self.references)),
            tuple(read_hints(self.hints)),
            view=self.debug,
        )

    def arguments(self) -> dict[str, Any]:
        """The arguments of `colorize`."""
        return {
            "history": self.history,
            "references": self.guidance.references or None,
            "hints": self.guidance.hints or None,
            "scenes": self.scenes,
            "history_strength": self.history_strength,
            "reference_strength": self.reference_strength,
            "still_strength": self.still_strength,
            "debug": self.debug,
        }


@dataclass(frozen=True)
class Look:
    """The arguments of `colorize` that a command line can give, as it names them."""

    model: str | None = None
    size: int | None = None
    batch: int | None = None
    strength: float = 1.0
    saturation: float = 1.0
    temperature: float | None = None
    edge_aware: bool = True
    device: str | None = None
    runtime: str | None = None
    format: str | None = None
    weights: Path | None = None
    options: tuple[str, ...] = ()
    guiding: Guiding = field(default_factory=Guiding)
    steadiness: Steadiness | None = None

    @property
    def label(self) -> str:
        """See `Treatment`."""
        steps = [
            f"{self._entry().card.name} on {self.place()}",
            *([self.steadiness.label] if self.steadiness else []),
        ]
        return ", ".join(steps)

    def apply(
        self,
        clip: vs.VideoNode,
        guide: vs.VideoNode | None = None,
        span: range | None = None,
        quiet: bool = True,
    ) -> vs.VideoNode:
        """Colour a clip, and steady it if asked to; see `Treatment`."""
        coloured = self._coloured(clip, guide)
        if self.steadiness is None:
            return coloured
        return self.steadiness.apply(coloured, guide, span, quiet)

    def _coloured(self, clip: vs.VideoNode, guide: vs.VideoNode | None) -> vs.VideoNode:
        return colorize(
            clip,
            self.model,
            size=self.size,
            batch=self.batch,
            strength=self.strength,
            saturation=self.saturation,
            temperature=self.temperature,
            edge_aware=self.edge_aware,
            device=self.device,
            runtime=self.runtime,
            format=_preset(self.format),
            guide=guide,
            weights=self.weights,
            options=self._settings(),
            **self.guiding.arguments(),
        )

    def _settings(self) -> dict[str, Any] | None:
        """The model's own settings, read from words."""
        if not self.options:
            return None
        return read_words(self._entry().options, self.options)

    def place(self) -> devices.Device:
        """Where the model runs."""
        return self._entry().place(self.device, self.runtime)

    def _entry(self) -> Entry:
        return self.guiding.guidance.entry(self.model)

    @property
    def looks_around(self) -> bool:
        """Whether it wants other frames than the one it colours."""
        entry = self._entry()
        options = settle(entry.card.name, entry.options, self._settings())
        return entry.card.kind == "video" or bool(options.get(WINDOW_OPTION))

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
    treatment: Treatment,
    settings: Settings,
    *,
    start: str | None = None,
    end: str | None = None,
    rate: Fraction | None = None,
    guide: Path | None = None,
    quiet: bool = False,
) -> None:
    """Treat a film, a still, a series of stills or a script's clip, and write it to a file.

    Args:
        path: What to read.
        target: What to write.
        treatment: What to do to it.
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
    source = opened(path, rate, quiet)
    span = span_of(source, start, end)
    shown = opened(guide, None, quiet).clip if guide else None
    treated = treatment.apply(source.clip, shown, range(span.first, span.stop), quiet)
    job = plan.plan(treated, source, target, settings, span)
    if not quiet:
        for notice in job.notices:
            console.note(notice)
    watch, total = console.Stopwatch(), job.clip.num_frames
    with console.frames_bar(treatment.label, total, quiet) as advance:
        complaints = encode.run(job, advance, treatment.prefetch())
    if not quiet:
        for complaint in complaints:
            console.note(f"ffmpeg: {complaint}")
        speed = total / max(watch.seconds, 1e-3)
        console.note(f"{target}: {total} frames in {watch}, {speed:.1f} frames/s")


def write_before_after(
    path: Path,
    sheet: Path,
    treatment: Treatment,
    *,
    start: str | None = None,
    end: str | None = None,
    rate: Fraction | None = None,
    guide: Path | None = None,
) -> None:
    """Show what a treatment does to frames that follow each other, in the middle of a film.

    Args:
        path: As for `convert`, like the rest.
        sheet: A PNG to write: a row a frame, before and after.
        treatment: What was done.
        start: First frame or time.
        end: First frame or time not to show.
        rate: Frames a second of a series of stills.
        guide: A film of the same length that the treatment looks at instead.
    """
    source = opened(path, rate, True)
    span = span_of(source, start, end)
    first = max(span.first, (span.first + span.stop - SHEET_FRAMES) // 2)
    frames = range(first, min(first + SHEET_FRAMES, span.stop))
    shown = opened(guide, None, True).clip if guide else None
    treated = treatment.apply(source.clip, shown, frames)
    report.write_sheet(sheet, (source.clip, treated), ("before", "after"), frames)


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


def opened(path: Path, rate: Fraction | None, quiet: bool) -> Source:
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

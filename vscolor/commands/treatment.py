"""What is done to a film, as a command line says it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Protocol

import vapoursynth as vs

from vscolor import device as devices
from vscolor.arguments import in_range, whole_in_range
from vscolor.filters import colorize, stabilize
from vscolor.history.guidance import Guidance, given_references
from vscolor.history.hints import listed as read_hints
from vscolor.models.base import WINDOW_OPTION
from vscolor.models.options import read_words, resolve_options
from vscolor.models.registry import Entry
from vscolor.steadying import stabilizers
from vscolor.steadying.stabilizers import OWN_OPTIONS, Options


def tell_nobody(_: vs.VideoNode) -> None:
    """An `ApplyContext.preflight` for those who do not ask."""


@dataclass(frozen=True)
class ApplyContext:
    """Why and how a treatment is wanted, beyond the clip.

    Attributes:
        guide: A clip as long to look at instead.
        span: The frames that will be asked for; None for all.
        quiet: Whether to say nothing while that takes long.
        preflight: Is told, before anything that takes minutes, of a clip like the result in all but
            its colours.
    """

    guide: vs.VideoNode | None = None
    span: range | None = None
    quiet: bool = True
    preflight: Callable[[vs.VideoNode], object] = tell_nobody


PLAIN: Final = ApplyContext()


class Treatment(Protocol):
    """What is done to a film."""

    @property
    def label(self) -> str:
        """What is done, and where, for a person waiting."""
        ...

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files it needs beside the film."""
        ...

    @property
    def wants_colour(self) -> bool:
        """Whether a film without colour is no use to it."""
        ...

    def apply(self, clip: vs.VideoNode, context: ApplyContext = PLAIN) -> vs.VideoNode:
        """Do it to a clip."""
        ...

    def prefetch(self) -> int:
        """Frames to ask for ahead."""
        ...


@dataclass(frozen=True)
class StabilizeSettings:
    """The arguments of `stabilize` that a command line can give, as it names them."""

    method: str = "motion"
    options: Options = field(default_factory=Options)
    strength: float = 1.0
    scenes: Path | None = None

    @classmethod
    def after(
        cls, method: str, scenes: Path | None, device: str | None, runtime: str | None
    ) -> StabilizeSettings:
        """What steadies colour just made, where it was made if the method asks for a place."""
        own = OWN_OPTIONS.get(method, set())
        # A fit runs on torch, which knows neither DirectML nor CoreML.
        elsewhere = method == "dvp" and (device or "").partition(":")[0] in ("dml", "coreml")
        options = Options(
            device=device if "device" in own and not elsewhere else None,
            runtime=runtime if "runtime" in own else None,
        )
        return cls(method=method, options=options, scenes=scenes)

    @property
    def label(self) -> str:
        """See `Treatment`."""
        return f"stabilize by {self.method}"

    @property
    def reads(self) -> tuple[Path, ...]:
        """See `Treatment`."""
        weights = self.options.weights
        return _given(self.scenes, None if weights is None else Path(weights))

    @property
    def wants_colour(self) -> bool:
        """See `Treatment`."""
        return True

    def apply(self, clip: vs.VideoNode, context: ApplyContext = PLAIN) -> vs.VideoNode:
        """Steady a clip's chroma; see `Treatment`."""
        if self.method == "dvp":
            in_range("strength", self.strength, 0, 1)
            context.preflight(clip)
            self._fit(clip, context)
        return stabilize(
            clip,
            self.method,
            guide=context.guide,
            strength=self.strength,
            scenes=self.scenes,
            **vars(self.options),
        )

    def _fit(self, clip: vs.VideoNode, context: ApplyContext) -> None:
        """Fit what the wanted frames need and what was not fitted yet."""
        from vscolor.steadying import fitting

        work = stabilizers.checked_input(clip, context.guide, self.scenes)
        task = stabilizers.fit_task(work, self.options)
        span = range(clip.num_frames) if context.span is None else context.span
        fitting.fit_with_bar(task, span, context.quiet)

    def prefetch(self) -> int:
        """See `Treatment`."""
        return int(vs.core.num_threads) + 1


@dataclass(frozen=True)
class GuidanceSettings:
    """What colours a frame beyond its luma, as the command line names it.

    Attributes:
        history: Whether frames follow each other; None where it follows from the rest.
        references: `PICTURE`, `PICTURE@FRAME` or a folder, each.
        hints: A JSON or CSV file.
        scenes: A list of cuts.
        history_strength: See `colorize`.
        reference_strength: Likewise.
        reference_reach: Likewise.
        still_strength: Likewise.
        debug: Likewise.
    """

    history: bool | None = None
    references: tuple[str, ...] = ()
    hints: Path | None = None
    scenes: Path | None = None
    history_strength: float = 1.0
    reference_strength: float = 1.0
    reference_reach: str = "film"
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

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files it needs."""
        pictures = (Path(r.picture) for r in self.guidance.references)
        return (*_given(self.hints, self.scenes), *pictures)

    def arguments(self) -> dict[str, Any]:
        """The arguments of `colorize`."""
        return {
            "history": self.history,
            "references": self.guidance.references or None,
            "hints": self.guidance.hints or None,
            "scenes": self.scenes,
            "history_strength": self.history_strength,
            "reference_strength": self.reference_strength,
            "reference_reach": self.reference_reach,
            "still_strength": self.still_strength,
            "debug": self.debug,
        }


@dataclass(frozen=True)
class ColorizeSettings:
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
    guiding: GuidanceSettings = field(default_factory=GuidanceSettings)
    stabilizing: StabilizeSettings | None = None

    @property
    def label(self) -> str:
        """See `Treatment`."""
        steps = [
            f"{self._entry().card.name} on {self.resolve_device()}",
            *([self.stabilizing.label] if self.stabilizing else []),
        ]
        return ", ".join(steps)

    @property
    def reads(self) -> tuple[Path, ...]:
        """See `Treatment`."""
        after = () if self.stabilizing is None else self.stabilizing.reads
        return (*_given(self.weights), *self.guiding.reads, *after)

    @property
    def wants_colour(self) -> bool:
        """See `Treatment`."""
        return False

    def apply(self, clip: vs.VideoNode, context: ApplyContext = PLAIN) -> vs.VideoNode:
        """Colour a clip, and steady it if asked to; see `Treatment`."""
        coloured = self._coloured(clip, context.guide)
        if self.stabilizing is None:
            return coloured
        return self.stabilizing.apply(coloured, context)

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
            format=self.format,
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

    def resolve_device(self) -> devices.Device:
        """Where the model runs."""
        return self._entry().resolve_device(self.device, self.runtime)

    def _entry(self) -> Entry:
        return self.guiding.guidance.entry(self.model)

    @property
    def needs_neighbours(self) -> bool:
        """Whether the model uses other frames than the one it colours."""
        entry = self._entry()
        options = resolve_options(entry.card.name, entry.options, self._settings())
        return entry.card.kind == "video" or bool(options.get(WINDOW_OPTION))

    @property
    def group(self) -> int:
        """Frames that go through the model together."""
        group = self.resolve_device().default_batch if self.batch is None else self.batch
        return whole_in_range("batch", group, 1, devices.MAX_BATCH)

    def prefetch(self) -> int:
        """Frames to ask for ahead: this batch while the next one is under way."""
        return int(vs.core.num_threads) + (2 * self.group if self.group > 1 else 1)


def _given(*paths: Path | None) -> tuple[Path, ...]:
    """Those that are there."""
    return tuple(path for path in paths if path is not None)

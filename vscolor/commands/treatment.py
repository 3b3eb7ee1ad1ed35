"""What to do to a film, as given on the command line."""

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
from vscolor.models.options import read_words
from vscolor.models.registry import Entry
from vscolor.steadying import stabilizers
from vscolor.steadying.stabilizers import OWN_OPTIONS, Options


def tell_nobody(_: vs.VideoNode) -> None:
    """An `ApplyContext.preflight` that does nothing."""


@dataclass(frozen=True)
class ApplyContext:
    """What a treatment needs to know besides the clip.

    Attributes:
        guide: A clip of the same length to analyse instead.
        span: The frames that will be requested; None for all.
        quiet: Whether to hide the progress of long steps.
        preflight: Called, before any step that takes minutes, with a clip like the result apart
            from its colours.
    """

    guide: vs.VideoNode | None = None
    span: range | None = None
    quiet: bool = True
    preflight: Callable[[vs.VideoNode], object] = tell_nobody


PLAIN: Final = ApplyContext()


class Treatment(Protocol):
    """What to do to a film."""

    @property
    def label(self) -> str:
        """What is done, and on which device, as text for the progress bar."""
        ...

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files it reads besides the film."""
        ...

    @property
    def wants_colour(self) -> bool:
        """Whether it is of use only for a film in colour."""
        ...

    def apply(self, clip: vs.VideoNode, context: ApplyContext = PLAIN) -> vs.VideoNode:
        """Apply it to a clip."""
        ...

    def prefetch(self) -> int:
        """Frames to request ahead."""
        ...


@dataclass(frozen=True)
class StabilizeSettings:
    """The arguments of `stabilize` that the command line can set."""

    method: str = "motion"
    options: Options = field(default_factory=Options)
    strength: float = 1.0
    scenes: Path | None = None

    @classmethod
    def after(
        cls, method: str, scenes: Path | None, device: str | None, runtime: str | None
    ) -> StabilizeSettings:
        """Settings to steady new colours, on the same device and runtime if the method has them."""
        own = OWN_OPTIONS.get(method, set())
        # A fit runs on torch, which has neither DirectML nor CoreML.
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
        """Run the fits that the requested frames need and that do not exist yet."""
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
    """What determines colours besides luma, as given on the command line.

    Attributes:
        history: Whether to propagate colour from frame to frame; None: decided by the rest.
        references: Each `PICTURE`, `PICTURE@FRAME` or a folder.
        hints: A JSON or CSV file.
        scenes: A list of cuts.
        history_strength: See `colorize`.
        reference_strength: As above.
        reference_reach: As above.
        still_strength: As above.
        debug: As above.
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
        """The part that decides which model is used; hint files and folders are read once."""
        return Guidance(
            self.history,
            tuple(given_references(self.references)),
            tuple(read_hints(self.hints)),
            view=self.debug,
        )

    @property
    def reads(self) -> tuple[Path, ...]:
        """Files that are read."""
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
    """The arguments of `colorize` that the command line can set."""

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
        guiding = self.guiding.arguments()
        if guiding["scenes"] is not None and not self.needs_neighbours:
            guiding["scenes"] = None  # a list is for what steadies the colour afterwards
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
            **guiding,
        )

    def _settings(self) -> dict[str, Any] | None:
        """The model's own settings, parsed from `NAME=VALUE`."""
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
        """Whether it needs frames other than the one it colours."""
        return self._entry().needs_neighbours(self._settings())

    @property
    def group(self) -> int:
        """Frames per run of the model."""
        group = self.resolve_device().default_batch if self.batch is None else self.batch
        return whole_in_range("batch", group, 1, devices.MAX_BATCH)

    def prefetch(self) -> int:
        """Frames to request ahead: the next batch is computed while this one is written."""
        return int(vs.core.num_threads) + (2 * self.group if self.group > 1 else 1)


def _given(*paths: Path | None) -> tuple[Path, ...]:
    """The paths that are not None."""
    return tuple(path for path in paths if path is not None)

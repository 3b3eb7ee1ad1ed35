"""What guides colour beyond a frame's own luma: history, references, hints and cuts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import vapoursynth as vs

from vscolor.batching import FramePass
from vscolor.errors import SettingError
from vscolor.film import Film
from vscolor.history import debug
from vscolor.history.exemplars import ExemplarBuilder
from vscolor.history.gather import cuts_in_groups
from vscolor.history.hints import Hint
from vscolor.history.propagation import Propagated, propagate
from vscolor.history.references import Reference, listed
from vscolor.models.registry import Entry, registry
from vscolor.models.video import Strengths, VideoModel
from vscolor.scenes import flags

STILL_MODEL: Final = "mini"
VIDEO_MODEL: Final = "mini-video"
REACHES: Final = ("film", "scene")


@dataclass(frozen=True)
class Guidance:
    """What the caller asked for.

    Attributes:
        history: Whether each frame takes colour from the frame before; None to let references,
            hints and the model decide.
        references: Coloured pictures.
        hints: Coloured points.
        cuts: First frames of scenes; None to find them.
        strengths: How much each source of colour counts.
        view: Debug view, one of `debug.VIEWS`; None for the colours alone.
        reach: One of `REACHES`: `film` if scenes without a reference take from those of other
            scenes, `scene` if not.
    """

    history: bool | None = None
    references: tuple[Reference, ...] = ()
    hints: tuple[Hint, ...] = ()
    cuts: tuple[int, ...] | None = None
    strengths: Strengths = field(default_factory=Strengths)
    view: str | None = None
    reach: str = "film"

    def entry(self, model: str | None) -> Entry:
        """The model to use.

        Args:
            model: Its name; None for the embedded one that fits.

        Raises:
            SettingError: There is no such model, or it cannot do what was asked.
        """
        if model is None:
            wanted = self.history or self.references or self.hints
            model = VIDEO_MODEL if wanted else STILL_MODEL
        entry = registry.get(model)
        if self.view is not None:
            debug.check(self.view, entry)
        for name, given in (
            ("history", self.history),
            ("references", self.references),
            ("hints", self.hints),
        ):
            if given and name not in entry.card.supports:
                able = [e.card.name for e in registry if name in e.card.supports]
                raise SettingError(
                    f"model {model} takes no {name}, expected one that does: {', '.join(able)}"
                )
        if self.reach != "film" and not self.references:
            raise SettingError(f"reference_reach= is {self.reach!r}, which needs references=")
        if entry.card.kind != "video" and self.strengths != Strengths():
            odd = [n for n, v in asdict(self.strengths).items() if v != 1.0]
            raise SettingError(
                f"{odd[0]}_strength= is for models with history, which {model} is not; expected 1"
            )
        return entry

    @property
    def effective_strengths(self) -> Strengths:
        """The strengths, with history at 0 if the caller turned it off."""
        if self.history is False:
            return Strengths(0.0, self.strengths.reference, self.strengths.still)
        return self.strengths


def given_references(words: Iterable[str]) -> list[Reference]:
    """Read references from a command line: `PICTURE`, `PICTURE@FRAME`, or a folder.

    Raises:
        SettingError: One cannot be read.
    """
    found = []
    for word in words:
        picture, at, frame = word.rpartition("@")
        if at and frame.isdecimal() and not Path(word).exists():
            found.append(Reference(picture, frame=int(frame)))
        else:
            found.extend(listed(word))
    return found


def guided_coefficients(
    frames: FramePass,
    model: VideoModel,
    picture: vs.VideoNode,
    guidance: Guidance,
    *,
    film: Film,
    batch: int,
    lanes: int,
    edge_aware: bool,
) -> Propagated:
    """Colour a clip by a model that has history.

    Args:
        frames: The clip.
        model: The model.
        picture: The same frames, YUV or GRAY, to find cuts in.
        guidance: What the caller asked for.
        film: The film: hints are in its pixels, the result is in its colorimetry.
        batch: Frames per run of the model.
        lanes: Runs at the same time.
        edge_aware: Whether colour follows luma's edges.

    Raises:
        SettingError: A reference, a hint or a cut cannot be used, or the model does not support
            the debug view.
    """
    if guidance.view is not None:
        debug.check_room(film)
    tells = guidance.view == debug.SOURCES
    step = debug.tinting(model) if tells else model.step
    groups = cuts_in_groups(flags(picture, guidance.cuts))
    builder = ExemplarBuilder(
        frames, model, groups, guidance.cuts, film, cross_scene=guidance.reach == "film"
    )
    references = builder.build(guidance.references, guidance.hints)
    return propagate(
        frames,
        model,
        groups,
        references,
        batch=batch,
        lanes=lanes,
        step=step,
        edge_aware=edge_aware and not tells,
    )

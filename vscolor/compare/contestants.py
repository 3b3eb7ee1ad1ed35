"""The results to compare: existing films, and the source coloured by models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor import report
from vscolor.commands import inputs
from vscolor.errors import MeasureError, SettingError
from vscolor.filters import colorize, stabilize
from vscolor.metrics import clips
from vscolor.models.registry import registry

GREY, TRUE = "grey", "true"
DEFAULT: Final = ("mini", "mini+motion")
STEADY: Final = "+"
SAMPLES: Final = 8
COLOURED: Final = 2.0
"""Mean distance from grey, in ab, up to which a source counts as black and white: compression and a
slight tint of the scan cause as much."""


@dataclass(frozen=True)
class Contestant:
    """A result to compare.

    Attributes:
        name: Its name on the page.
        clip: The picture, as long and as large as the source.
        origin: Where it comes from, in words.
    """

    name: str
    clip: vs.VideoNode
    origin: str


def gather(words: Sequence[str], source: vs.VideoNode, quiet: bool) -> list[Contestant]:
    """Open or make the results named on the command line.

    Args:
        words: Each `NAME=RESULT` or `RESULT`, where a result is a file, a model's name, or a model
            and a method of `stabilize` such as `mini+motion`. Empty for `DEFAULT`.
        source: The film, whose luma models colour.
        quiet: Whether to hide progress.

    Raises:
        SettingError: A result is none of these, or two have the same name.
        MeasureError: A file does not fit the source.
    """
    found = [_one(word, source, quiet) for word in words or DEFAULT]
    names = [GREY, TRUE, *(c.name for c in found)]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice is not None:
        raise SettingError(f"two results are called {twice!r}, expected a name of its own for each")
    for contestant in found:
        try:
            clips.check_pair(contestant.clip, source, clips.Requirements.of([]))
        except MeasureError as error:
            told = str(error).replace("truth", "the film")
            raise MeasureError(f"{contestant.name} ({contestant.origin}): {told}") from None
    return found


def _one(word: str, source: vs.VideoNode, quiet: bool) -> Contestant:
    name, equals, value = word.partition("=")
    if not equals or (Path(word).is_file() and not Path(value).is_file()):
        name, value = "", word
    path = Path(value)
    if path.is_file() or "%" in value:
        return Contestant(name or path.stem, inputs.opened(path, None, quiet).clip, str(path))
    model, _, method = value.partition(STEADY)
    if model not in registry.names():
        raise SettingError(
            f"{word!r} names no file and no model, expected NAME=FILE, or a model "
            f"({', '.join(registry.names())}) and perhaps a method: mini+motion"
        )
    coloured = colorize(source, model)
    steps = f"colorize, {model}"
    if method:
        coloured = stabilize(coloured, method)
        steps += f"; stabilize, {method}"
    return Contestant(name or value, coloured, steps)


def grey_of(source: vs.VideoNode) -> vs.VideoNode:
    """The source without colour, as 8-bit RGB."""
    return clips.to_luma(source).resize.Bicubic(
        format=vs.RGB24, range_in=vs.RANGE_LIMITED, range=vs.RANGE_FULL
    )


def has_colour(clip: vs.VideoNode) -> bool:
    """Whether a film is in colour, judged by a few of its frames."""
    if clip.format.color_family == vs.GRAY:
        return False
    need = clips.Requirements(lab=True, motion=False, luma=False)
    chosen = report.spread(clip.num_frames, SAMPLES)
    some = clips.scaled(clip, clips.MIN_SIDE * 8)
    parts = [some[n] for n in chosen]
    spread = [
        np.hypot(v.ab[..., 0], v.ab[..., 1]).mean() for p in parts for v in clips.views(p, need)
    ]
    return float(np.mean(spread)) > COLOURED

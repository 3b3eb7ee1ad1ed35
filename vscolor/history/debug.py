"""Debug views of models with history: marks on the picture, and the sources of its colours."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor.arguments import one_of
from vscolor.color import luma_code_range
from vscolor.errors import SettingError
from vscolor.film import Film
from vscolor.history.chain import Step
from vscolor.history.propagation import USED_PROP
from vscolor.models.base import Array
from vscolor.models.registry import Entry, registry
from vscolor.models.video import AttributingModel, VideoModel

MARKS: Final = "marks"
SOURCES: Final = "sources"
VIEWS: Final = (MARKS, SOURCES)

TINTS: Final = np.array([[0, -60], [-52, 30], [52, 30], [0, 0]], np.float32)
"""ab for each of `models.video.SOURCES`: blue, green and red, a third of the hue circle apart, so
that two of them mix to another hue and not to grey; grey for the frame on its own makes them
paler."""
LEGEND: Final = "blue: history, green: flow, red: match, grey: still"
DIMMED: Final = (0.35, 0.65)
"""Luma range of the view, as parts of the nominal span, so that tints show everywhere."""

TOP_LEFT: Final = 7
BOTTOM_LEFT: Final = 1
SMALLEST: Final = (64, 64)
"""Least width and height to write a word on."""
LINES_A_PICTURE: Final = 30
LINE_HEIGHT: Final = 16


def check(view: str, entry: Entry) -> None:
    """Raise `SettingError` if there is no such view or the model has no history to show."""
    one_of("debug", view, VIEWS)
    if entry.card.kind != "video":
        able = [e.card.name for e in registry if e.card.kind == "video"]
        raise SettingError(
            f"debug= is {view}, but model {entry.card.name} has no history, expected "
            f"history=True, references or hints, or a model with history: {', '.join(able)}"
        )


def tinting(model: VideoModel) -> Step:
    """The model's step with a tint for each source in place of its colours.

    Raises:
        SettingError: The model does not report where its colours come from.
    """
    if not isinstance(model, AttributingModel):
        raise SettingError(
            f"debug= is {SOURCES}, but the model does not tell where its colours come from, "
            f"expected one that does, such as mini-video, or {MARKS}"
        )

    def step(matched: Array, state: Array | None, height: int, width: int) -> tuple[Array, Array]:
        source_weights = model.source_weights(matched, state, height, width)
        _, after = model.step(matched, state, height, width)
        return np.asarray(np.einsum("sc,shw->chw", TINTS, source_weights), np.float32), after

    return step


def check_room(film: Film) -> None:
    """Raise `SettingError` if the picture is too small to write on."""
    width, height = film.clip.width, film.clip.height
    if width < SMALLEST[0] or height < SMALLEST[1]:
        raise SettingError(
            f"debug= writes on the picture, which is {width}x{height}, expected "
            f"{SMALLEST[0]}x{SMALLEST[1]} or more"
        )


def dimmed(film: Film) -> Film:
    """A YUV or GRAY film with its luma scaled to the range `DIMMED`."""
    fmt = film.clip.format
    black, span = 0.0, 1.0
    if fmt.sample_type == vs.INTEGER:
        black, span = luma_code_range(fmt.bits_per_sample, film.colorimetry.full_range)
    low, high = DIMMED
    luma = f"x {black!r} - {high - low:g} * {black + low * span:g} +"
    chroma = [""] * (fmt.num_planes - 1)
    return replace(film, clip=film.clip.std.Expr([luma, *chroma]))


def written(view: str, picture: vs.VideoNode, annotated: vs.VideoNode) -> vs.VideoNode:
    """Write on the result: each frame's marks, or the legend of the tints.

    Args:
        view: One of `VIEWS`.
        picture: The result, of any format.
        annotated: A clip of the same length, with the property `propagation.USED_PROP`.
    """
    scale = max(1, picture.height // (LINES_A_PICTURE * LINE_HEIGHT))
    if view == SOURCES:
        return picture.text.Text(LEGEND, BOTTOM_LEFT, scale)

    def mark(n: int, f: vs.VideoFrame) -> vs.VideoNode:  # noqa: ARG001
        return picture.text.Text(f.props[USED_PROP], TOP_LEFT, scale)

    return picture.std.FrameEval(mark, prop_src=[annotated], clip_src=[picture])

"""Frames through a model that looks at their neighbours.

Each frame is analysed once, by a node whose frames carry the result as properties. Shifted copies
of that node bring the neighbours' analyses to the frame to be coloured; so the core caches them and
knows every dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
import vapoursynth as vs

from vscolor.errors import VscolorError
from vscolor.models.base import Analysis, Array, StillModel, WindowedModel
from vscolor.scenes import REACH_PROPS, carrier, reach, shift

ANALYSIS_PROP: Final = "_vscolor_analysis"
FIRST_PROP: Final = "_vscolor_first"
ANALYSES_KEPT: Final = 32


def analyses_of(
    model: StillModel,
    luma: vs.VideoNode,
    picture: vs.VideoNode,
    cuts: Iterable[int] | None,
    caller: str,
) -> vs.VideoNode | None:
    """Let a model analyse every frame of a clip.

    Args:
        model: Any; only a `WindowedModel` analyses.
        luma: L* at the model's size, GRAYS.
        picture: The same frames, YUV or GRAY, to find cuts in.
        cuts: First frames of scenes; None to find them.
        caller: The filter's name, for messages.

    Returns:
        Tiny frames that carry the analyses of their neighbourhood, for `predict`; None for a model
        that does not analyse.
    """
    if not isinstance(model, WindowedModel):
        return None
    analysed = _analysed(model, luma, caller)
    if model.radius == 0:
        return _gathered([analysed], None, 0)
    near = [shift(analysed, d) for d in range(-model.radius, model.radius + 1)]
    return _gathered(near, reach(picture, model.radius, cuts), model.radius)


def predict(model: StillModel, luma: Array, analyses: Sequence[vs.VideoFrame]) -> Array:
    """Colour a batch `[B,1,h,w]`, with frames of `analyses_of` if the model is windowed."""
    if not isinstance(model, WindowedModel):
        return model.predict(luma)
    return model.predict_windowed(luma, [_read(frame.props) for frame in analyses])


def _analysed(model: WindowedModel, luma: vs.VideoNode, caller: str) -> vs.VideoNode:
    blank = carrier(luma)

    def analyse(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        frame = f[0].copy()
        try:
            analysis = model.analyse(np.asarray(f[1][0])[None, None])
        except VscolorError as error:
            raise vs.Error(f"{caller}: {error}") from None
        frame.props[ANALYSIS_PROP] = [float(v) for v in analysis] or [np.nan]
        return frame

    node = blank.std.ModifyFrame([blank, luma], analyse)
    node.std.SetVideoCache(mode=1, fixedsize=1, maxsize=ANALYSES_KEPT)
    return node


def _gathered(near: list[vs.VideoNode], ends: vs.VideoNode | None, radius: int) -> vs.VideoNode:
    """One clip with the analyses of those neighbours in `near` that are of the frame's scene."""
    blank = carrier(near[0])

    def gather(n: int, f: list[vs.VideoFrame]) -> vs.VideoFrame:  # noqa: ARG001
        frame = f[0].copy()
        back, ahead = (int(f[-1].props[p]) for p in REACH_PROPS) if ends is not None else (0, 0)
        frame.props[FIRST_PROP] = -back
        for place, analysed in enumerate(f[1 : 1 + len(near)]):
            if -back <= place - radius <= ahead:
                frame.props[f"{ANALYSIS_PROP}{place - radius + back}"] = analysed.props[
                    ANALYSIS_PROP
                ]
        return frame

    clips = [blank, *near] if ends is None else [blank, *near, ends]
    return blank.std.ModifyFrame(clips, gather)


def _read(props: Mapping[str, object]) -> dict[int, Analysis]:
    """The analyses by their offset from the frame."""
    first = int(str(props[FIRST_PROP]))
    read: dict[int, Analysis] = {}
    while (name := f"{ANALYSIS_PROP}{len(read)}") in props:
        values = np.atleast_1d(np.asarray(props[name], np.float32))
        read[first + len(read)] = values[:0] if np.isnan(values).all() else values
    return read

"""Training shots from films: true ones for `mini-video`, recoloured ones for `blind`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor.commands import inputs
from vscolor.filters import colorize, stabilize
from vscolor.report import as_rgb
from vscolor.scenes import mark_detected, marked_cuts, scenes_between
from vscolor.training.footage import FRAMES, SHORT_SIDES, Shot
from vscolor.training.photographs import Bytes

MAX_FRAMES: Final = 150


def shots_of(path: Path, quiet: bool = False) -> Iterator[Shot]:
    """A film's shots (true, recoloured, stabilized), each at the next of `SHORT_SIDES`."""
    for true in _cut_apart(path, SHORT_SIDES, quiet):
        coloured = colorize(true)
        yield Shot(*(pixels(c) for c in (true, coloured, stabilize(coloured, radius=5, scenes=[]))))


def true_shots_of(path: Path, short_side: int, quiet: bool = False) -> Iterator[Bytes]:
    """A film's shots, R'G'B' `[N,h,w,3]`."""
    for true in _cut_apart(path, (short_side,), quiet):
        yield pixels(true)


def _cut_apart(path: Path, sides: Sequence[int], quiet: bool) -> Iterator[vs.VideoNode]:
    """A film's shots as small YUV clips, whose short sides cycle through `sides`."""
    clip = inputs.opened(path, None, quiet).clip
    cuts = (n for n, cut in marked_cuts(mark_detected(clip)) if cut)
    for i, scene in enumerate(scenes_between(cuts, clip.num_frames)):
        if len(scene) >= FRAMES:
            scale = sides[i % len(sides)] / min(clip.width, clip.height)
            width, height = (round(s * scale / 8) * 8 for s in (clip.width, clip.height))
            shot = clip[scene.start : min(scene.stop, scene.start + MAX_FRAMES)]
            yield as_rgb(shot).resize.Bicubic(width, height, vs.YUV444P16, matrix=1)


def pixels(clip: vs.VideoNode) -> NDArray[np.uint8]:
    """All frames as RGB `[N,h,w,3]`."""
    rgb = clip.resize.Bicubic(format=vs.RGB24)
    return np.stack(
        [np.stack([np.asarray(f[p]) for p in range(3)], -1) for f in rgb.frames(close=True)]
    )

"""Shots of colour films, coloured by `mini` and steadied: what `blind` learns from."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor import convert
from vscolor.filters import colorize, stabilize
from vscolor.report import as_rgb
from vscolor.scenes import mark_detected, marked_cuts
from vscolor.training.footage import SHORT_SIDES, Shot

MOST_FRAMES: Final = 150
LEAST_FRAMES: Final = 12


def shots_of(path: Path, quiet: bool = False) -> Iterator[Shot]:
    """The shots of a film in turn, each at one of the sizes of `SHORT_SIDES`."""
    clip = convert.opened(path, None, quiet).clip
    cuts = [0, *(n for n, cut in marked_cuts(mark_detected(clip)) if cut), clip.num_frames]
    for i, (first, last) in enumerate(pairwise(cuts)):
        if last - first < LEAST_FRAMES:
            continue
        side = SHORT_SIDES[i % len(SHORT_SIDES)]
        scale = side / min(clip.width, clip.height)
        width, height = (round(s * scale / 8) * 8 for s in (clip.width, clip.height))
        shot = clip[first : min(last, first + MOST_FRAMES)]
        true = as_rgb(shot).resize.Bicubic(width, height, vs.YUV444P16, matrix=1)
        coloured = colorize(true)
        yield Shot(*(pixels(c) for c in (true, coloured, stabilize(coloured, radius=5, scenes=[]))))


def pixels(clip: vs.VideoNode) -> NDArray[np.uint8]:
    """RGB `[N,h,w,3]`."""
    rgb = clip.resize.Bicubic(format=vs.RGB24)
    return np.stack(
        [np.stack([np.asarray(f[p]) for p in range(3)], -1) for f in rgb.frames(close=True)]
    )

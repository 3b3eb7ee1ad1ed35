"""Small pictures for networks that steady colour: luma of the guide, chroma of the clip, cuts.

A picture is one float frame: luma at the size the network sees, chroma smaller by the stride, and
the property `_SceneChangePrev`. Python sees no other plane.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import vapoursynth as vs
import vsutil

from vscolor import scenes
from vscolor.film import COLOR_PROPS
from vscolor.models.stepper import Picture

CUT_PROP = "_SceneChangePrev"


@dataclass(frozen=True)
class Sizes:
    """The sizes of a picture's planes.

    Attributes:
        width: Of luma.
        height: Of luma.
        stride: How many times smaller chroma is than luma: 1, 2 or 4.
    """

    width: int
    height: int
    stride: int

    @property
    def chroma(self) -> tuple[int, int]:
        """Width and height of chroma."""
        return self.width // self.stride, self.height // self.stride


def small_pictures(
    chroma: vs.VideoNode, luma: vs.VideoNode, sizes: Sizes, cuts: Iterable[int] | None
) -> vs.VideoNode:
    """A clip of small pictures.

    Args:
        chroma: A YUV clip.
        luma: A GRAY clip of the same length and aspect, of any size.
        sizes: Of the pictures.
        cuts: First frames of scenes; None to find them in `luma`.

    Raises:
        SettingError: A cut is no frame of the clip.
    """
    bare = luma.std.RemoveFrameProps(COLOR_PROPS)
    seen = bare.resize.Bilinear(sizes.width, sizes.height, vs.GRAYS)
    small = chroma.resize.Bilinear(*sizes.chroma, vs.YUV444PS)
    marked = scenes.flags(luma, cuts)
    planes = [seen, *(vsutil.plane(small, p) for p in (1, 2))]
    pictures = vs.core.std.ShufflePlanes(planes, [0, 0, 0], vs.YUV)
    return pictures.std.CopyFrameProps(marked, props=[CUT_PROP])


def read_picture(frame: vs.VideoFrame) -> Picture:
    """Copies of a frame's planes.

    NaN becomes black or grey, infinity the end of the range: a network with memory would carry one
    such pixel through the whole scene.
    """
    luma, *chroma = (np.array(frame[p]) for p in range(3))
    np.nan_to_num(luma, copy=False, nan=0.0, posinf=1.0, neginf=0.0)
    planes = np.nan_to_num(np.stack(chroma), copy=False, nan=0.0, posinf=0.5, neginf=-0.5)
    return Picture(luma[None, None], planes[None])


def chroma_planes(correction: vs.VideoNode) -> list[vs.VideoNode]:
    """U and V of a clip whose chroma `batching.pack` filled, as GRAYS clips."""
    return [vsutil.plane(correction, p) for p in (1, 2)]

"""The contracts a model fulfils.

Units are the house's: L is CIE L* in 0..100, ab is CIE a*b* in -128..127, both float32 NumPy arrays
in NCHW order, D65 white and sRGB primaries. A model never sees a VapourSynth object.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

type Array = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """The sizes a model works at.

    Attributes:
        multiple: Height and width of L are multiples of this, in pixels.
        ab_stride: ab comes back this many times smaller than L in each direction.
    """

    multiple: int
    ab_stride: int


class StillModel(Protocol):
    """Colours each frame on its own."""

    @property
    def grid(self) -> Grid:
        """The sizes this model accepts and returns."""
        ...

    def predict(self, luma: Array) -> Array:
        """Predict colour.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of `grid.multiple`.

        Returns:
            ab `[B,2,h/s,w/s]`, s being `grid.ab_stride`. Row b depends on row b of `luma` alone.

        Must be callable from several threads at once.
        """
        ...

"""The contracts a model fulfils.

Units are the house's: L is CIE L* in 0..100, ab is CIE a*b* in -128..127, both float32 NumPy arrays
in NCHW order, D65 white and sRGB primaries. A model never sees a VapourSynth object.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from vscolor.device import Device

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


@dataclass(frozen=True)
class Card:
    """What a person should know of a model before using it.

    Attributes:
        name: The value of `model=`.
        kind: `still` or `video`.
        summary: What it is for, a few words.
        paper: Authors and year of the source.
        code_licence: Licence of the code.
        weights_licence: Licence of the weights, and what they were trained on.
        score: What it reaches, in a few words.
        page: Where the whole card is.
    """

    name: str
    kind: str
    summary: str
    paper: str
    code_licence: str
    weights_licence: str
    score: str
    page: str


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


class StillLoader(Protocol):
    """Makes a `StillModel` ready on a device."""

    def __call__(
        self, device: Device, weights: str | Path | None, temperature: float | None
    ) -> StillModel:
        """Load the model.

        Args:
            device: Where it runs.
            weights: A file of the caller's; None for the model's own.
            temperature: Of the annealed mean; None for the model's default.

        Raises:
            SettingError: An option is out of range or the model does not have it.
            WeightsError: The weight file is missing, damaged, or of another model.
        """
        ...

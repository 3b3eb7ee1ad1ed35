"""The interfaces a model implements.

Units are the project's: L is CIE L* in 0..100, ab is CIE a*b* in -128..127, both float32 NumPy
arrays in NCHW order, D65 white and sRGB primaries. A model never sees a VapourSynth object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vscolor.models.options import Option

if TYPE_CHECKING:
    from torch import nn

    from vscolor.device import Device

__all__ = [
    "Analysis",
    "Array",
    "Card",
    "ExportableModel",
    "Grid",
    "HintedModel",
    "Option",
    "StillLoader",
    "StillModel",
    "WindowedModel",
]

type Array = NDArray[np.float32]
type Analysis = NDArray[np.float32]
"""A model's analysis of one frame: a flat array of any length that only this model can read."""


@dataclass(frozen=True)
class Grid:
    """The sizes a model works at.

    Attributes:
        multiple: Height and width of L are multiples of this, in pixels.
        ab_stride: ab is returned this many times smaller than L in each direction.
        size: Short side of L at which the model works best, in pixels.
    """

    multiple: int
    ab_stride: int
    size: int = 192


@dataclass(frozen=True)
class Card:
    """What the user should know about a model before using it.

    Attributes:
        name: The value of `model=`.
        kind: `still` or `video`.
        summary: What it is for, a few words.
        paper: Authors and year of the source.
        code_licence: Licence of the code.
        weights_licence: Licence of the weights, and what they were trained on.
        score: Its measured quality, a few words.
        page: Path of the full card.
        supports: Which of `hints`, `references`, `history`, `onnx` it supports.
    """

    name: str
    kind: str
    summary: str
    paper: str
    code_licence: str
    weights_licence: str
    score: str
    page: str
    supports: frozenset[str] = field(default=frozenset())


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
            ab `[B,2,h/s,w/s]`, s being `grid.ab_stride`. Row b depends only on row b of `luma`.

        Must be callable from several threads at once.
        """
        ...


@runtime_checkable
class HintedModel(StillModel, Protocol):
    """A still model that takes colour hints from the user."""

    def predict_hinted(self, luma: Array, ab: Array, mask: Array) -> Array:
        """Predict colour.

        Args:
            luma: As for `predict`.
            ab: Colour of the hints `[B,2,h,w]`, zero elsewhere.
            mask: 1 where a hint is, else 0, `[B,1,h,w]`.

        Returns:
            As `predict`; the same result if `mask` is zero everywhere.
        """
        ...


WINDOW_OPTION: Final = "radius"
"""Name of the option for how many frames on each side a `WindowedModel` uses."""


@runtime_checkable
class WindowedModel(StillModel, Protocol):
    """A still model that uses analyses of the neighbouring frames.

    Each frame is analysed once by `analyse`. Its result and those of its neighbours in the same
    scene are then passed to `predict_windowed`, so a frame depends only on those frames.
    """

    @property
    def radius(self) -> int:
        """How many frames on each side are used."""
        ...

    def analyse(self, luma: Array) -> Analysis:
        """Analyse one frame, L* `[1,1,h,w]`."""
        ...

    def predict_windowed(self, luma: Array, analyses: Sequence[Mapping[int, Analysis]]) -> Array:
        """Predict colour.

        Args:
            luma: As for `predict`.
            analyses: For each frame of the batch, the analysis at each distance from
                -`radius` to `radius`; distances beyond a cut or the clip's ends are missing.

        Returns:
            As `predict`.
        """
        ...


@runtime_checkable
class ExportableModel(StillModel, Protocol):
    """A still model whose network can be written as ONNX."""

    @property
    def graph_multiple(self) -> int:
        """Height and width of `graph`'s input are multiples of this, in pixels."""
        ...

    def graph(self) -> nn.Module:
        """The network on the CPU, from L* `[B,1,h,w]` to the ab of `predict`."""
        ...


class StillLoader(Protocol):
    """Loads a `StillModel` on a device."""

    def __call__(
        self, device: Device, weights: str | Path | None, options: Mapping[str, Any]
    ) -> StillModel:
        """Load the model.

        Args:
            device: Where it runs.
            weights: The caller's own file, or folder if the model has several files; None for the
                model's own.
            options: A checked value for every option the model declares.

        Raises:
            WeightsError: The weight file is missing, damaged, or of another model.
            MissingExtraError: A package it needs is not installed.
        """
        ...

"""The interface of models that colour a frame from the frame before and from exemplars.

Units and ranges are those of `vscolor.models.base`. Such a model never sees a VapourSynth object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, runtime_checkable

from vscolor.models.base import Array, Grid

if TYPE_CHECKING:
    from vscolor.device import Device


SOURCES: Final = ("history", "flow", "match", "still")
"""Sources of a frame's colour: the frame before; an exemplar of the same shot, by optical flow; any
exemplar, by correspondence; the frame's own colouring."""


@dataclass(frozen=True)
class BlockPlan:
    """How a recurrent model's frames are cut into blocks, so that any frame can be requested.

    Attributes:
        length: Frames of a block.
        warm_up: Frames before the block that are run first; over these, the previous block's
            colours are cross-faded into this one's.
    """

    length: int
    warm_up: int


@dataclass(frozen=True)
class Exemplar:
    """A coloured picture to take colours from, as a video model sees it.

    Attributes:
        luma: L* `[h,w]`, at the model's size.
        ab: `[2,h/s,w/s]`, s being `grid.ab_stride`.
        confidence: Confidence in each pixel's colour, 0 to 1, `[h/s,w/s]`.
        features: Result of `VideoModel.encode` for the luma, `[F]`.
        weight: Weight relative to other exemplars, above 0; less the farther away in time.
        same_shot: Whether it is from the frame's own shot, so that optical flow applies.
    """

    luma: Array
    ab: Array
    confidence: Array
    features: Array
    weight: float
    same_shot: bool


@dataclass(frozen=True)
class ScaledHint:
    """A colour at a point of the model's picture.

    Attributes:
        x: Pixels of the model's luma from the left edge.
        y: Pixels of the model's luma from the top.
        radius: Radius in pixels within which the colour is certain.
        ab: a* and b* `[2]`.
    """

    x: float
    y: float
    radius: float
    ab: Array


@dataclass(frozen=True)
class Strengths:
    """Strength of each source of colour: 1 is the model's own weighting, 0 leaves it out."""

    history: float = 1.0
    reference: float = 1.0
    still: float = 1.0


class VideoModel(Protocol):
    """Colours a frame from its luma, the frame before, and exemplars.

    x_t = G(L_t | x_{t-1}, y) of Zhang et al. 2019 (arXiv:1906.09909), split at the recurrence:
    `encode` and `match` do not use the colour of the frame before, so they run per frame in any
    order; only `step` is a chain. They exchange rows of floats, and steps pass on a state; only
    the model can read either. All arrays are float32. All methods must be callable from several
    threads at once.
    """

    @property
    def grid(self) -> Grid:
        """The sizes this model accepts and returns."""
        ...

    @property
    def blocks(self) -> BlockPlan:
        """How its chain is cut into blocks."""
        ...

    def encode(self, luma: Array) -> Array:
        """Encode frames.

        Args:
            luma: L* `[B,1,h,w]`, 0..100.

        Returns:
            Features `[B,F]`; row b depends only on row b of `luma`.
        """
        ...

    def feature_size(self, height: int, width: int) -> int:
        """F for a frame size."""
        ...

    def still(self, features: Array, height: int, width: int) -> Array:
        """Return the frame's own colouring, ab `[2,h/s,w/s]`, from its features `[F]`."""
        ...

    def spread(self, luma: Array, features: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:
        """Spread hints over a frame.

        Args:
            luma: The frame's L* `[h,w]`.
            features: The frame's features `[F]`.
            hints: At least one.

        Returns:
            ab `[2,h/s,w/s]` and confidence, 0 to 1, `[h/s,w/s]`.
        """
        ...

    def match(
        self, luma: Array, before: Array, features: Array, exemplars: Sequence[Exemplar]
    ) -> Array:
        """Find the candidate colours of a frame.

        Args:
            luma: The frame's L* `[h,w]`.
            before: L* `[h,w]` of the frame before.
            features: The frame's features `[F]`.
            exemplars: The exemplars to take colours from; may be empty.

        Returns:
            The input of `step`, `[M]`.
        """
        ...

    def match_size(self, height: int, width: int) -> int:
        """M for a frame size."""
        ...

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """Colour a frame.

        Args:
            matched: The frame's result of `match`.
            state: The state that the step of the frame before returned; None at a scene's start.
            height: Of the frame's L*.
            width: Of the frame's L*.

        Returns:
            ab `[2,h/s,w/s]` and the new state; `state` is not modified.
        """
        ...

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of the state for a frame size."""
        ...


@runtime_checkable
class AttributingModel(VideoModel, Protocol):
    """A video model that can report where its colours come from."""

    def source_weights(self, matched: Array, state: Array | None, height: int, width: int) -> Array:
        """Return the weight that `step` gives each of `SOURCES` at each pixel.

        Args:
            matched: As for `step`.
            state: As for `step`.
            height: As for `step`.
            width: As for `step`.

        Returns:
            `[4,h/s,w/s]`, 0 to 1, summing to 1 at each pixel.
        """
        ...


class VideoLoader(Protocol):
    """Loads a `VideoModel` on a device."""

    def __call__(
        self,
        device: Device,
        weights: str | Path | None,
        options: Mapping[str, Any],
        strengths: Strengths,
    ) -> VideoModel:
        """Load the model.

        Args:
            device: Where it runs.
            weights: The caller's own file, or folder if the model has several files; None for the
                model's own.
            options: A checked value for every option the model declares.
            strengths: Strengths of history, references and still colours.

        Raises:
            WeightsError: The weight file is missing, damaged, or of another model.
            MissingExtraError: A package it needs is not installed.
        """
        ...

"""The contract of models that colour a frame from the frame before and from exemplars.

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
"""Where a frame's colour can come from: the frame before; an exemplar of the same shot, along the
motion; an exemplar, by likeness; the frame's own colouring."""


@dataclass(frozen=True)
class BlockPlan:
    """How a recurrent model's frames are cut, so that any frame can be asked for.

    Attributes:
        length: Frames of a block.
        warm_up: Frames before them that are run through first, and over which one block's colours
            give way to the next one's.
    """

    length: int
    warm_up: int


@dataclass(frozen=True)
class Exemplar:
    """A coloured picture to take colours from, as a video model sees it.

    Attributes:
        luma: L* `[h,w]`, at the model's size.
        ab: `[2,h/s,w/s]`, s being `grid.ab_stride`.
        confidence: How far each place is vouched for, 0 to 1, `[h/s,w/s]`.
        features: What `VideoModel.encode` made of the luma, `[F]`.
        weight: How much it counts beside the others, above 0: less for one far away in time.
        same_shot: Whether it is of the frame's own shot, so that motion between them can be found.
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
        y: Likewise from the top.
        radius: Pixels around it where the colour is certain.
        ab: a* and b* `[2]`.
    """

    x: float
    y: float
    radius: float
    ab: Array


@dataclass(frozen=True)
class Strengths:
    """How much each source of colour counts, 1 being the model's own judgement, 0 not at all."""

    history: float = 1.0
    reference: float = 1.0
    still: float = 1.0


class VideoModel(Protocol):
    """Colours a frame from its luma, the frame before, and exemplars.

    x_t = G(L_t | x_{t-1}, y), as Zhang et al. 2019 have it (arXiv:1906.09909), cut where the
    recurrence is: `encode` and `match` know nothing of the frame before's colour, so they run frame
    by frame in any order; only `step` is a chain. Rows of floats travel between them, and the state
    from step to step, which only the model can read. All arrays are float32. All methods must be
    callable from several threads at once.
    """

    @property
    def grid(self) -> Grid:
        """The sizes this model accepts and returns."""
        ...

    @property
    def blocks(self) -> BlockPlan:
        """How its chain is cut."""
        ...

    def encode(self, luma: Array) -> Array:
        """Look at frames.

        Args:
            luma: L* `[B,1,h,w]`, 0..100.

        Returns:
            Features `[B,F]`; row b depends on row b of `luma` alone.
        """
        ...

    def feature_size(self, height: int, width: int) -> int:
        """F for frames of a size."""
        ...

    def still(self, features: Array, height: int, width: int) -> Array:
        """Say how the model colours a frame on its own, `[2,h/s,w/s]`, from its features `[F]`."""
        ...

    def spread(self, luma: Array, features: Array, hints: list[ScaledHint]) -> tuple[Array, Array]:
        """Colour a frame from points of it.

        Args:
            luma: The frame's L* `[h,w]`.
            features: Its own, `[F]`.
            hints: The points, at least one.

        Returns:
            ab `[2,h/s,w/s]` and how far each place is vouched for, 0 to 1, `[h/s,w/s]`.
        """
        ...

    def match(
        self, luma: Array, before: Array, features: Array, exemplars: Sequence[Exemplar]
    ) -> Array:
        """Find where a frame's colours could come from.

        Args:
            luma: The frame's L* `[h,w]`.
            before: The frame before's L* `[h,w]`.
            features: The frame's own, `[F]`.
            exemplars: What there is to take colours from; may be empty.

        Returns:
            What `step` needs, `[M]`.
        """
        ...

    def match_size(self, height: int, width: int) -> int:
        """M for frames of a size."""
        ...

    def step(
        self, matched: Array, state: Array | None, height: int, width: int
    ) -> tuple[Array, Array]:
        """Colour a frame.

        Args:
            matched: What `match` found for it.
            state: What the step of the frame before returned; None at the start of a scene.
            height: Of the frame's L*.
            width: Likewise.

        Returns:
            ab `[2,h/s,w/s]` and the new state; `state` is not written to.
        """
        ...

    def state_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Shape of the state for frames of a size."""
        ...


@runtime_checkable
class AttributingModel(VideoModel, Protocol):
    """A video model that can tell where its colours come from."""

    def source_weights(self, matched: Array, state: Array | None, height: int, width: int) -> Array:
        """Tell how much of each place's colour `step` takes from each of `SOURCES`.

        Args:
            matched: As for `step`.
            state: Likewise.
            height: Likewise.
            width: Likewise.

        Returns:
            `[4,h/s,w/s]`, 0 to 1, together 1 at each place.
        """
        ...


class VideoLoader(Protocol):
    """Makes a `VideoModel` ready on a device."""

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
            weights: A file of the caller's, or a folder where the model has several; None for the
                model's own.
            options: A value, checked already, for every option the model declares.
            strengths: How much history, references and the still colours count.

        Raises:
            WeightsError: The weight file is missing, damaged, or of another model.
            MissingExtraError: A package it needs is not installed.
        """
        ...

"""A frame in the forms that metrics need, and a sample: a frame with its ground truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vscolor.color import decode_srgb, linear_to_lab
from vscolor.metrics.temporal import Motion

type Float = NDArray[np.float32]

_LINEAR = decode_srgb(np.arange(1 << 16) / 65535).astype(np.float32)


@dataclass(frozen=True)
class View:
    """A frame.

    Attributes:
        rgb8: R'G'B' `[h,w,3]`, uint8.
        rgb16: The same in uint16, full range, for Lab: the rounding of eight bits would add as much
            warp error as a steady clip has.
        luma: Luma `[h,w]` as the clip holds it, for exactness; None if it is not required.
    """

    rgb8: NDArray[np.uint8]
    rgb16: NDArray[np.uint16] | None = None
    luma: NDArray[Any] | None = None

    @cached_property
    def lab(self) -> Float:
        """Lab `[h,w,3]`, by table and in single precision: off by less than 0.001."""
        rgb16 = self.rgb8.astype(np.uint16) * 257 if self.rgb16 is None else self.rgb16
        return linear_to_lab(_LINEAR[rgb16])

    @property
    def ab(self) -> Float:
        """The colour of `lab`, `[h,w,2]`."""
        return self.lab[..., 1:]


@dataclass(frozen=True)
class Sample:
    """A frame to measure.

    Attributes:
        cut: Whether a scene begins here; the first frame of a clip does not need it.
        result: The frame.
        truth: Its ground truth, if there is one.
        motion: The source's motion, if it is required.
    """

    cut: bool
    result: View
    truth: View | None = None
    motion: Motion | None = None

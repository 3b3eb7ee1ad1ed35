"""The interface of recurrent networks that stabilise colour, one frame at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from vscolor.models.base import Array


@dataclass(frozen=True)
class Picture:
    """One frame as a network sees it.

    Attributes:
        luma: `[1,1,h,w]`, nominal 0..1.
        chroma: U, V `[1,2,h/s,w/s]`, nominal -0.5..0.5, s being `Stepper.stride`.
    """

    luma: Array
    chroma: Array


class Stepper(Protocol):
    """A network that stabilises frame by frame. Must be callable from several threads at once."""

    @property
    def multiple(self) -> int:
        """Height and width of luma must be multiples of this."""
        ...

    @property
    def stride(self) -> int:
        """Luma pixels per chroma pixel, in each direction."""
        ...

    def begin(self, picture: Picture) -> Any:
        """The initial memory, for a scene's first frame."""
        ...

    def step(
        self, before: Picture, now: Picture, previous_output: Array, memory: Any
    ) -> tuple[Array, Any]:
        """Stabilise one frame.

        Args:
            before: The frame before; at the start the same as `now`.
            now: The frame to stabilise.
            previous_output: Stabilised chroma of the frame before; at the start the given chroma.
            memory: As returned by `begin` or the last step.

        Returns:
            Stabilised chroma `[1,2,h/s,w/s]`, and the memory for the next step.
        """
        ...

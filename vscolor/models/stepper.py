"""The contract of networks that steady colour, one frame after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from vscolor.models.base import Array


@dataclass(frozen=True)
class Picture:
    """One frame as a network sees it.

    Attributes:
        luma: `[1,1,h,w]`, nominal 0..1.
        chroma: U, V `[1,2,h/s,w/s]`, nominal -0.5..0.5.
    """

    luma: Array
    chroma: Array


class Stepper(Protocol):
    """A network that steadies frame after frame. Must be callable from several threads at once."""

    @property
    def multiple(self) -> int:
        """Of which height and width must be whole multiples."""
        ...

    @property
    def stride(self) -> int:
        """Pixels of luma to one of chroma, in each direction."""
        ...

    def begin(self, picture: Picture) -> Any:
        """The memory before a scene's first frame."""
        ...

    def step(
        self, before: Picture, now: Picture, previous_output: Array, memory: Any
    ) -> tuple[Array, Any]:
        """Take one step.

        Args:
            before: The frame before; at the start the same as `now`.
            now: The frame to steady.
            previous_output: The steadied chroma of the frame before; at the start as it is given.
            memory: What `begin` or the last step returned.

        Returns:
            Steadied chroma `[1,2,h,w]`, and the memory for the next step.
        """
        ...

"""Rows of floats that a video model passes to itself, cut into named arrays."""

from __future__ import annotations

from math import prod

import numpy as np

from vscolor.models.base import Array


class Parts:
    """A row of floats cut into named arrays."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        self.shapes = shapes
        self.size = sum(prod(shape) for shape in shapes.values())

    def pack(self, **arrays: Array) -> Array:
        """One row of all the arrays."""
        return np.concatenate([np.ravel(arrays[name]) for name in self.shapes], dtype=np.float32)

    def unpack(self, row: Array) -> dict[str, Array]:
        """Views of the row's parts."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = row[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        return found

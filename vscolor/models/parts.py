"""Flat rows of floats that a video model passes between its own methods, as named arrays."""

from __future__ import annotations

from math import prod

import numpy as np

from vscolor.models.base import Array


class Parts:
    """Layout of named arrays in one flat row of floats."""

    def __init__(self, **shapes: tuple[int, ...]) -> None:
        self.shapes = shapes
        self.size = sum(prod(shape) for shape in shapes.values())

    def pack(self, **arrays: Array) -> Array:
        """Flatten the arrays into one row."""
        return np.concatenate([np.ravel(arrays[name]) for name in self.shapes], dtype=np.float32)

    def unpack(self, row: Array) -> dict[str, Array]:
        """Views of the arrays in a row."""
        found, start = {}, 0
        for name, shape in self.shapes.items():
            found[name] = row[start : start + prod(shape)].reshape(shape)
            start += prod(shape)
        return found

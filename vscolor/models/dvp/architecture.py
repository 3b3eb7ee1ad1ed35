"""The shape of our network of the prior, in plain numbers; torch is not needed to read it."""

from __future__ import annotations

from typing import Final

STRIDE: Final = 2
"""Chroma is this many times smaller than luma."""

MULTIPLE: Final = 32
"""Height and width of the luma are multiples of this, in pixels."""

WIDTHS: Final = (16, 24, 48, 96, 96)
"""Channels at each level, from fine to coarse."""

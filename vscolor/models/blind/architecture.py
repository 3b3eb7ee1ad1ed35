"""Constants of `blind` shared by torch, ONNX and the adapter."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1
STRIDE: Final = 4
"""Chroma is this many times smaller than luma in each direction."""

MULTIPLE: Final = 8
"""Luma's height and width are multiples of this: the memory has half of chroma's size."""

CHANNELS: Final = 24
MEMORY: Final = 40
"""Channels of the recurrent state."""

INPUTS: Final = 2 * STRIDE * STRIDE + 4
"""Luma now and before, each pixel-unshuffled by 4 (16 channels); given chroma, previous output."""

SLOPE: Final = 0.1
"""Negative slope of the leaky ReLU."""

CHROMA_SCALE: Final = 8.0
"""Factor on chroma, nominally -0.5..0.5, at the network's input."""

LUMA_MIDDLE: Final = 0.5
BLUR: Final = 9
"""Side of the averaging window, in chroma samples, of the last candidate."""

CANDIDATES: Final = 3
"""Mixed into the output: the given chroma; the previous output; the given chroma plus the blurred
difference between the two."""

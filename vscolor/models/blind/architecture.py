"""Sizes of `blind` that torch, ONNX and the adapter agree on."""

from __future__ import annotations

from typing import Final

VERSION: Final = 1
STRIDE: Final = 4
"""Chroma is this many times smaller than luma in each direction."""

MULTIPLE: Final = 8
"""Luma's height and width are multiples of this: the memory lies at half of chroma's size."""

CHANNELS: Final = 24
MEMORY: Final = 40
"""Channels of the recurrent state."""

INPUTS: Final = 2 * STRIDE * STRIDE + 4
"""Luma now and before, each 4x4 square as 16 channels; chroma given now and made before."""

SLOPE: Final = 0.1
"""Of the leaky ReLU below zero."""

CHROMA_SCALE: Final = 8.0
"""Chroma inside the network, over nominal units (-0.5..0.5)."""

LUMA_MIDDLE: Final = 0.5
BLUR: Final = 9
"""Side of the window, in samples of chroma, over which the second candidate is a mean."""

CANDIDATES: Final = 3
"""What the answer is mixed from: the given colour, the one before, the blurred step to it."""

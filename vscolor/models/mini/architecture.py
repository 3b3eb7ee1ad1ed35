"""Architecture constants of the embedded still model.

`network.py` builds it in torch, `graph.py` writes it as ONNX; both read this module, so the two
cannot diverge. It imports only the standard library: the build reads it before vscolor is
installed.

Encoder: the feature stages of EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, and the
Lite variant of the TensorFlow TPU repository: no squeeze-excite, ReLU6, stem not scaled).
Decoder: a pyramid of depthwise-separable residual blocks from stride 32 to stride 4, with global
context from one pooled branch. Then a non-local block averages features over similar positions, so
that one object gets one colour. Head: a 1x1 convolution to the colour bins.
"""

from typing import NamedTuple

VERSION = 2
"""Written into the weight file; incremented when the architecture changes."""

MULTIPLE = 32
"""Height and width of the luma are multiples of this, in pixels."""

AB_STRIDE = 4
"""The returned colour is this many times smaller than the luma."""

LUMA_SCALE, LUMA_SHIFT = 2.55 / 128.0, -127.0 / 128.0
"""Treats L* 0..100 as sRGB code values 0..255, which EfficientNet-Lite0 takes as (v-127)/128.

L* and sRGB's curve differ by at most 4 of 100. Not folded into the stem, so that the stem's zero
padding means mid-grey.
"""

RELU_LIMIT = 6.0
STANDING_EPSILON = 1e-6
"""Added to the mean square whose root the features are divided by."""

STEM_CHANNELS = 32
DEFAULT_TEMPERATURE = 0.45
"""Of the annealed mean; Zhang 2016 uses 0.38. The non-local block already makes similar positions
agree, so less sharpening is needed. Higher is even better on colourful film and worse on pale."""

GAIN = 1.05
"""Factor on the mean's a* and b*. A mean of likely colours is paler than any of them; gaining the
same colour by a higher temperature costs twice as much in CIEDE2000."""

SOFTENING = 0.1
"""Side weight s of the separable blur [s, 1-2s, s] applied to luma.

The training photographs were small and soft; film scaled down to the model's size is sharper."""


class Stage(NamedTuple):
    """One stage of the encoder: `repeats` inverted-bottleneck blocks."""

    kernel: int
    stride: int
    expansion: int
    channels: int
    repeats: int


STAGES = (
    Stage(3, 1, 1, 16, 1),
    Stage(3, 2, 6, 24, 2),
    Stage(5, 2, 6, 40, 2),
    Stage(3, 2, 6, 80, 3),
    Stage(5, 1, 6, 112, 3),
    Stage(5, 2, 6, 192, 4),
    Stage(3, 1, 6, 320, 1),
)


class Bottleneck(NamedTuple):
    """The sizes of one encoder block."""

    kernel: int
    stride: int
    channels_in: int
    hidden: int
    channels_out: int

    @property
    def expands(self) -> bool:
        """Whether a 1x1 convolution expands the channels first."""
        return self.hidden != self.channels_in

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.channels_in == self.channels_out


def bottlenecks() -> list[Bottleneck]:
    """The encoder's blocks in order."""
    blocks, channels = [], STEM_CHANNELS
    for stage in STAGES:
        for index in range(stage.repeats):
            stride = stage.stride if index == 0 else 1
            hidden = channels * stage.expansion
            blocks.append(Bottleneck(stage.kernel, stride, channels, hidden, stage.channels))
            channels = stage.channels
    return blocks


class Level(NamedTuple):
    """One level of the decoder.

    Attributes:
        stride: Of its feature map, in luma pixels.
        tap: Index of the encoder block whose output is added here.
        tap_channels: Width of that output.
        channels: Width of the level.
        blocks: Residual blocks at this level.
    """

    stride: int
    tap: int
    tap_channels: int
    channels: int
    blocks: int


LEVELS = (
    Level(32, 15, 320, 128, 2),
    Level(16, 10, 112, 128, 2),
    Level(8, 4, 40, 64, 2),
    Level(4, 2, 24, 64, 1),
)
TAPS = (2, 4, 10)
"""Encoder blocks whose outputs the ONNX file provides for other models (`mini_video`)."""

INITIAL_LOGIT_SCALES = (10.0, 100.0)
"""Initial scales s0, s1 of the attention logits s0*cosine - s1*(luma difference)**2, luma 0..1."""

INITIAL_GATE = 0.9
"""Initial gate: fraction of a position's features replaced by the attended mean."""

MAX_KEY_SIDE = 16
"""Maximum short side of the key grid; larger grids are subsampled. More keys would make the cost
quadratic in the size of a large picture, for the same result."""

BLOCK_KERNEL = 5
BLOCK_EXPANSION = 2
HEAD_CHANNELS = LEVELS[-1].channels


def padding(kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a row or column: TensorFlow's SAME for sizes divisible by the stride.

    The encoder's weights were trained with it: with stride 2, one zero less in front.
    """
    total = kernel - stride
    return total // 2, total - total // 2

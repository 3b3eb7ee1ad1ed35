"""The shape of the embedded still model, in plain numbers.

`network.py` builds it in torch, `graph.py` writes it as ONNX; both read this page, so the two
cannot drift apart. Nothing here imports anything: the build reads it before vscolor is installed.

Encoder: the feature stages of EfficientNet-Lite0 (Tan and Le 2019, arXiv:1905.11946, and the
Lite variant of the TensorFlow TPU repository: no squeeze-excite, ReLU6, stem not scaled).
Decoder: a pyramid of depthwise-separable residual blocks from stride 32 to stride 4, told of the
whole picture by one context branch. Then things that look alike are told of each other, so that
one thing gets one colour. Head: a 1x1 convolution to the colour bins.
"""

from typing import NamedTuple

VERSION = 2
"""Written into the weight file; raised when the shape changes."""

MULTIPLE = 32
"""Height and width of the luma are multiples of this, in pixels."""

AB_STRIDE = 4
"""The colour comes back this many times smaller than the luma."""

LUMA_SCALE, LUMA_SHIFT = 2.55 / 128.0, -127.0 / 128.0
"""L* 0..100 is taken for sRGB code values 0..255, which EfficientNet-Lite0 wants as (v-127)/128.

L* and sRGB's curve differ by at most 4 of 100. Stays a step of its own, before the first
padding, because that padding must mean mid-grey.
"""

RELU_LIMIT = 6.0
STANDING_EPSILON = 1e-6
"""Added to the mean square that features are divided by."""

STEM_CHANNELS = 32
DEFAULT_TEMPERATURE = 0.45
"""Of the annealed mean, where Zhang 2016 has 0.38: places that look alike agree by themselves, and
need less of a push. Higher is better still on colourful film and worse on pale."""

GAIN = 1.05
"""On the mean's a* and b*. A mean of likely colours is paler than any of them, and a higher
temperature buys the same colour at twice the price in CIEDE2000."""

SOFTENING = 0.1
"""Of each pixel of luma, what its neighbours to the left and right, above and below give it.

The photographs that taught the network were small and soft; what is scaled down to its size is
sharper than they."""


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
    """One block of the encoder, spelled out."""

    kernel: int
    stride: int
    channels_in: int
    hidden: int
    channels_out: int

    @property
    def expands(self) -> bool:
        """Whether a 1x1 convolution widens the input first."""
        return self.hidden != self.channels_in

    @property
    def is_residual(self) -> bool:
        """Whether the input is added to the output."""
        return self.stride == 1 and self.channels_in == self.channels_out


def bottlenecks() -> list[Bottleneck]:
    """The encoder's blocks in order, each with its sizes."""
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
        stride: Of the pixels it works on.
        tap: Index of the encoder block whose output joins here.
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
"""Encoder blocks whose outputs the ONNX file offers to other models (`mini_video`)."""

INITIAL_LOGIT_SCALES = (10.0, 100.0)
"""Where training starts: what the cosine of two places, and the square of their difference in
luma (0..1), add to and take from how much they tell each other."""

INITIAL_GATE = 0.9
"""Where training starts: the part of a place that what it is told makes up."""

MAX_KEY_SIDE = 16
"""Most rows, or columns if those are fewer, of the places that tell; more would cost a large
picture the square of its size and say the same."""

BLOCK_KERNEL = 5
BLOCK_EXPANSION = 2
HEAD_CHANNELS = LEVELS[-1].channels


def padding(kernel: int, stride: int) -> tuple[int, int]:
    """Zeros before and after a row or column, TensorFlow's SAME on sizes that the stride divides.

    The encoder's weights were trained with it: a stride of 2 pads one less in front.
    """
    total = kernel - stride
    return total // 2, total - total // 2

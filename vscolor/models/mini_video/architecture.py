"""Architecture constants of the embedded video model.

After Zhang et al. 2019 (Deep Exemplar-based Video Colorization, arXiv:1906.09909): a frame's
colour comes from the colour of the frame before, warped along the motion, and from the references'
colours, by correspondence. What differs: motion is DIS optical flow; a reference of the same shot
is warped along flow too, which carries finer detail than matching at stride 8; and the fusion
network weights the candidates and adds a small correction instead of generating colour anew, so
that no colour is lost from step to step.

Everything starts from the taps of `mini`'s encoder, so one pass serves the still model and this.
This module imports nothing: the build reads it before vscolor is installed.
"""

VERSION = 1
"""Written into the weight file; incremented when the architecture changes."""

GRAPHS = ("embed", "nearest", "attend", "fuse")
"""The model's ONNX files."""

TAPS = {2: 24, 4: 40, 10: 112}
"""Encoder blocks that feed the embedding (`mini`'s TAPS, strides 4, 8 and 16), and their
channels."""

CONTEXT_TAP = 2
EMBED_HIDDEN = 96
EMBED = 64
"""Channels of the embedding, at stride 8; vectors of unit length."""

CONTEXT = 16
"""Channels of the frame's own features that enter the fusion, at stride 4."""

MATCH_STRIDE, FUSE_STRIDE = 8, 4
"""Of correspondence and of fusion weights, in pixels of the model's luma. Colour and motion are at
full resolution: at stride 2 even the true colours were reproduced at only 36 to 43 dB, which plain
flow beats on calm shots."""

MULTIPLE = MATCH_STRIDE
"""Height and width of the luma are multiples of this, in pixels."""

TEMPERATURE = 0.04
"""Initial temperature of the softmax over cosines; learned."""

TEMPERATURES = (0.01, 0.2)
"""Bounds of the learned temperature."""

VALUES = 5
"""Values of a reference's position: a*, b*, L*, |ab| squared, confidence (0..1)."""

CANDIDATES = ("history", "flow", "match", "still")
"""Sources of colour: the frame before, a reference along flow, a reference by correspondence, the
still model."""

HIDDEN = 4
"""Channels of the fusion's memory, warped along the motion like the colour, at stride 4."""

CUE_SCALES = (0.1, 0.1, 1.0, 0.1, 0.02, 1.0)
"""Input scales of the fusion's six cue planes: luma residual (L*) of history flow and of reference
flow; match cosine, luma residual of the match, spread (ab) of the matched colours, and their
confidence."""

FUSE_INPUTS = 1 + CONTEXT + 2 * len(CANDIDATES) + len(CUE_SCALES) + HIDDEN
FUSE_OUTPUTS = len(CANDIDATES) + 2 + HIDDEN
FINE, COARSE = 48, 64
"""Channels of the fusion at strides 4 and 8."""

BLOCKS_IN, BLOCKS_COARSE, BLOCKS_OUT = 2, 3, 2
AB_SCALE = 50.0
"""The fusion's input ab is divided by this, its output correction multiplied by it."""

LUMA_SCALE = 100.0
ABSENT = -30.0
"""Added to the score of a candidate that does not exist."""

"""The shape of the embedded video model, in plain numbers.

After Zhang et al. 2019 (Deep Exemplar-based Video Colorization, arXiv:1906.09909): a frame's
colour is chosen from the colour of the frame before, brought along the motion, and from the
references' colours, brought by correspondence. What is not theirs: motion is DIS optical flow,
and a reference of the same shot is brought along flow too, which carries finer detail than
matching at stride 8; the fusion network picks among the candidates and adds a small correction
instead of drawing the colour anew, so that colour is not lost on the way.

Everything starts from the taps of `mini`'s encoder, so one pass serves the still model and this.
Nothing here imports anything but `mini`'s page: the build reads it before vscolor is installed.
"""

VERSION = 1
"""Written into the weight file; raised when the shape changes."""

GRAPHS = ("embed", "nearest", "attend", "fuse")
"""Its ONNX files."""

TAPS = {2: 24, 4: 40, 10: 112}
"""Encoder blocks that the correspondence sees (`mini`'s TAPS, strides 4, 8 and 16), and their
channels."""

CONTEXT_TAP = 2
EMBED_HIDDEN = 96
EMBED = 64
"""Channels that are compared, at stride 8; unit length."""

CONTEXT = 16
"""Channels of the frame's own features that the fusion sees, at stride 4."""

MATCH_STRIDE, FUSE_STRIDE = 8, 4
"""Correspondence and fusion weights, in pixels of the model's luma. Colour and motion have all of
its pixels: at a stride of 2 the true colours themselves came back at 36 to 43 dB, which plain flow
beats on calm shots."""

MULTIPLE = MATCH_STRIDE
"""Height and width of the luma are multiples of this, in pixels."""

TEMPERATURE = 0.04
"""Of the softmax over cosines, to start training from; learned."""

TEMPERATURES = (0.01, 0.2)
"""Its bounds."""

VALUES = 5
"""What a reference's place carries: a*, b*, L*, |ab| squared, and 1 where it is vouched for."""

CANDIDATES = ("history", "flow", "match", "still")
"""Where colour can come from: the frame before, a reference along flow, a reference by
correspondence, the still model."""

HIDDEN = 4
"""Channels of memory that travel with the colour along the motion, at stride 4."""

EVIDENCE_SCALES = (0.1, 0.1, 1.0, 0.1, 0.02, 1.0)
"""Of the planes that tell how far to trust the candidates: luma (L*) that flow from the frame
before leaves unexplained, luma that flow from the references leaves, the match's cosine, luma it
leaves, the spread (ab) of what it averages, and how much of that the references vouch for."""

FUSE_INPUTS = 1 + CONTEXT + 2 * len(CANDIDATES) + len(EVIDENCE_SCALES) + HIDDEN
FUSE_OUTPUTS = len(CANDIDATES) + 2 + HIDDEN
FINE, COARSE = 48, 64
"""Widths of the fusion at strides 4 and 8."""

BLOCKS_IN, BLOCKS_COARSE, BLOCKS_OUT = 2, 3, 2
AB_SCALE = 50.0
"""ab enters the fusion over this, and its correction leaves it times this."""

LUMA_SCALE = 100.0
ABSENT = -30.0
"""Added to the score of a candidate that does not exist."""

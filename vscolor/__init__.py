"""Colour black-and-white film inside VapourSynth and keep the colour steady."""

import os as _os

from vscolor.errors import VscolorError
from vscolor.filters import colorize, stabilize
from vscolor.history.hints import Hint
from vscolor.history.references import Reference

__all__ = ["Hint", "Reference", "VscolorError", "__version__", "colorize", "stabilize"]

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later tell its makers of every session, from an identity that they leave in
# the user's cache. It looks once, when it is first imported, and anything here may be the first.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

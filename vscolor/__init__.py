"""Colour black-and-white film inside VapourSynth and keep the colour steady."""

import os as _os

from vscolor.errors import VscolorError
from vscolor.filters import colorize, stabilize
from vscolor.history.hints import Hint
from vscolor.history.references import Reference

__all__ = ["Hint", "Reference", "VscolorError", "__version__", "colorize", "stabilize"]

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later report every session to its makers, under an identity kept in the
# user's cache. It reads the variable once, at its first import, which any module here may cause.
_os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

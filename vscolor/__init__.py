"""Colour black-and-white film inside VapourSynth and keep the colour steady."""

from vscolor.errors import VscolorError
from vscolor.filters import colorize, stabilize

__all__ = ["VscolorError", "__version__", "colorize", "stabilize"]

__version__ = "0.1.0"

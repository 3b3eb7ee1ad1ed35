"""Colour black-and-white film inside VapourSynth and keep the colour steady."""

from vscolor.errors import VscolorError
from vscolor.filters import colorize, stabilize
from vscolor.hints import Hint
from vscolor.references import Reference

__all__ = ["Hint", "Reference", "VscolorError", "__version__", "colorize", "stabilize"]

__version__ = "0.1.0"

"""Weight files: finding, fetching, checking, and loading once per process."""

from vscolor.weights.loading import find, load_once, reading

__all__ = ["find", "load_once", "reading"]

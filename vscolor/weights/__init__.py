"""Weight files: found, fetched, checked, and loaded once a process."""

from vscolor.weights.loading import find, load_once, reading

__all__ = ["find", "load_once", "reading"]

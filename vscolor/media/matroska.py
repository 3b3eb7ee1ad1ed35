"""Removes the colour range that recent ffmpeg writes to Matroska where the source has none.

FFmpeg 9 marks every YUV film as limited once it has gone through a filter, and no option prevents
it. The mark is one byte in the header (RFC 9559, element Range); 0 there means unspecified.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import BinaryIO, Final

# Path to the element: Segment, Tracks, TrackEntry, Video, Colour, Range.
_WAY: Final = (0x18538067, 0x1654AE6B, 0xAE, 0xE0, 0x55B0, 0x55B9)
_CLUSTER: Final = 0x1F43B675
_UNSPECIFIED: Final = 0


def forget_range(path: Path) -> None:
    """Set the range of a file's first video track to unspecified, if it has one.

    The headers must have been written without checksums (`-write_crc32 0`).
    """
    with path.open("r+b") as file:
        size = _find(file, 0, file.seek(0, io.SEEK_END))
        if size is not None:
            file.write(_UNSPECIFIED.to_bytes(size))


def _find(file: BinaryIO, level: int, end: int, start: int = 0) -> int | None:
    """Seek to the content of the element at the path; return its size, or None if absent."""
    file.seek(start)
    while file.tell() < end:
        name, size = _number(file, keep_mark=True), _number(file, keep_mark=False)
        inside = file.tell()
        if name in (None, _CLUSTER):
            return None
        stop = end if size is None else inside + size
        if name == _WAY[level]:
            if level == len(_WAY) - 1:
                return size
            found = _find(file, level + 1, stop, inside)
            if found is not None:
                return found
        file.seek(stop)
    return None


def _number(file: BinaryIO, keep_mark: bool) -> int | None:
    """Read an EBML number of variable length; None if there is none or the size is unknown."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    length = 9 - first[0].bit_length()
    value = int.from_bytes(first + file.read(length - 1))
    if keep_mark:
        return value
    bits = 7 * length
    value -= 1 << bits
    return None if value == (1 << bits) - 1 else value

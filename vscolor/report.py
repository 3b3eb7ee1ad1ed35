"""Pictures for the user to look at: contact sheets, thumbnails, single frames."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor.errors import VscolorError
from vscolor.files import atomic_write
from vscolor.film import with_matrix

TOP_LEFT = 7


class ReportError(VscolorError):
    """The picture could not be written."""


def spread(length: int, count: int) -> list[int]:
    """Up to `count` frame numbers, evenly over `length` frames, away from both ends."""
    return sorted({(2 * i + 1) * length // (2 * count) for i in range(count)})


def write_sheet(
    target: Path, views: Sequence[vs.VideoNode], labels: Sequence[str], frames: Sequence[int]
) -> None:
    """Write a contact sheet: a column for each view, a row for each frame.

    Args:
        target: A PNG; it appears once it is complete.
        views: Clips of the same size and length.
        labels: Names of the columns.
        frames: Which frames; no others are requested.

    Raises:
        ReportError: The picture could not be written.
    """
    named = [
        as_rgb(view, frames[0]).text.Text(label, TOP_LEFT)
        for view, label in zip(views, labels, strict=True)
    ]
    row = vs.core.std.StackHorizontal(named)
    write_png(target, np.concatenate([bgr_pixels(row, n) for n in frames]))


def write_thumbnails(target: Path, clip: vs.VideoNode, frames: Sequence[int], columns: int) -> None:
    """Write some frames of an RGB24 clip, row by row, into one PNG.

    Args:
        target: A PNG; it appears once it is complete.
        clip: RGB24, small already.
        frames: Which frames, at least one.
        columns: Frames in a row.

    Raises:
        ReportError: The picture could not be written.
    """
    pictures = [bgr_pixels(clip, n) for n in frames]
    width = min(columns, len(pictures))
    blank = np.zeros_like(pictures[0])
    pictures += [blank] * (-len(pictures) % width)
    rows = [np.concatenate(pictures[i : i + width], axis=1) for i in range(0, len(pictures), width)]
    write_png(target, np.concatenate(rows))


def write_frame(target: Path, clip: vs.VideoNode, number: int) -> None:
    """Write one frame to a PNG.

    Args:
        target: A PNG; it appears once it is complete.
        clip: Of any format.
        number: Of the frame.

    Raises:
        ReportError: The picture could not be written.
    """
    write_png(target, bgr_pixels(as_rgb(clip, number), number))


def write_png(target: Path, pixels: NDArray[np.uint8]) -> None:
    """Write BGR pixels `[h,w,3]` as a PNG, atomically."""
    with atomic_write(target) as part:
        part.write_bytes(encoded(".png", pixels))


def encoded(suffix: str, pixels: NDArray[np.uint8], options: Sequence[int] = ()) -> bytes:
    """A picture encoded as a file.

    Args:
        suffix: Of the file format, such as `.png`.
        pixels: BGR or BGRA `[h,w,C]`.
        options: Of `cv2.imencode`.

    Raises:
        ReportError: OpenCV cannot write it.
    """
    done, data = cv2.imencode(suffix, pixels, list(options))
    if not done:
        raise ReportError(f"a picture of {pixels.shape} could not be made into {suffix}")
    return bytes(data.tobytes())


def as_rgb(clip: vs.VideoNode, first: int = 0) -> vs.VideoNode:
    """As 8-bit RGB, by the matrix of the clip's frame `first`, or the usual one for its size."""
    return with_matrix(clip, first).resize.Spline36(format=vs.RGB24)


def bgr_pixels(clip: vs.VideoNode, number: int) -> NDArray[np.uint8]:
    """One frame of RGB24 as BGR pixels, OpenCV's order, `[h,w,3]`."""
    with clip.get_frame(number) as frame:
        return np.stack([np.asarray(frame[plane]) for plane in (2, 1, 0)], axis=-1)

"""Boxes around objects: their position in feature maps, and their motion over frames.

A box is x0, y0, x1, y1 in pixels and a score, float32; the boxes of a frame are `[N,5]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

type Boxes = NDArray[np.float32]

FIELDS: Final = 5
SAME_OBJECT: Final = 0.5
"""Minimum intersection over union for boxes in two frames to be the same object."""


def as_boxes(values: object) -> Boxes:
    """Convert a flat or nested list, with or without scores, to boxes.

    Raises:
        ValueError: They are not rows of four or five numbers.
    """
    array = np.asarray(values, np.float32)
    if array.size == 0:
        return np.zeros((0, FIELDS), np.float32)
    if array.ndim == 1:
        array = array.reshape(-1, FIELDS)
    if array.ndim != 2 or array.shape[1] not in (4, FIELDS):
        raise ValueError(f"boxes are {array.shape}, expected [N,4] or [N,5]")
    if array.shape[1] == 4:
        array = np.concatenate([array, np.ones((len(array), 1), np.float32)], 1)
    return array


def best(boxes: Boxes, score: float, count: int) -> Boxes:
    """The `count` boxes with the highest scores, of those that reach `score`."""
    order = np.argsort(-boxes[:, 4], kind="stable")
    chosen = boxes[order]
    return chosen[chosen[:, 4] >= score][:count]


def clipped(boxes: Boxes, width: int, height: int) -> Boxes:
    """Boxes clipped to the picture; those outside it or thinner than a pixel are dropped."""
    inside = boxes.copy()
    inside[:, [0, 2]] = boxes[:, [0, 2]].clip(0, width)
    inside[:, [1, 3]] = boxes[:, [1, 3]].clip(0, height)
    thick = np.minimum(inside[:, 2] - inside[:, 0], inside[:, 3] - inside[:, 1]) >= 1
    return np.asarray(inside[thick])


def span(start: float, end: float, whole: float, size: int) -> tuple[int, int]:
    """First sample and end (exclusive) of a box's side in a feature map of `size` samples.

    Truncated as by the authors; an empty side becomes one sample.

    Args:
        start: Start of the box's side, in pixels.
        end: End of the box's side, in pixels.
        whole: The picture's side, in pixels.
        size: The map's side, in samples.
    """
    first, last = int(start / whole * size), int(end / whole * size)
    if last - first >= 1:
        return first, last
    return (first, last + 1) if size - last > 1 else (first - 1, last)


def smoothed(window: Mapping[int, Boxes], score: float, count: int) -> Boxes:
    """Boxes of the frame at distance 0, stabilised by those of the frames around it.

    An object is kept if it was found in more than half of the frames, so it neither drops out for a
    frame nor appears in a single one. Its box is a linear fit over time, weighted towards closer
    frames: it follows motion and does not lag at the start or end of a scene.

    Args:
        window: Boxes by distance from the frame, of the same scene.
        score: Minimum score.
        count: Maximum number of boxes to return.
    """
    distances = sorted(window, key=lambda d: (abs(d), d))
    tracks: list[dict[int, Boxes]] = []
    for d in distances:
        free = list(tracks)
        for box in best(window[d], score, count):
            track = _match(free, box, d)
            if track is None:
                tracks.append({d: box})
            else:
                free = [t for t in free if t is not track]
                track[d] = box
    kept = [_on_line(track) for track in tracks if 2 * len(track) > len(window)]
    boxes = np.stack(kept) if kept else np.zeros((0, FIELDS), np.float32)
    return best(boxes, 0.0, count)


def _match(tracks: list[dict[int, Boxes]], box: Boxes, distance: int) -> dict[int, Boxes] | None:
    """The track whose box closest in time overlaps most, if by at least `SAME_OBJECT`."""
    if not tracks:
        return None
    overlaps = [
        _overlap(track[min(track, key=lambda d: abs(d - distance))], box) for track in tracks
    ]
    place = int(np.argmax(overlaps))
    return tracks[place] if overlaps[place] >= SAME_OBJECT else None


def _overlap(a: Boxes, b: Boxes) -> float:
    """Intersection over union."""
    sides = np.minimum(a[2:4], b[2:4]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(sides.clip(0)))
    areas = sum(float(np.prod(x[2:4] - x[:2])) for x in (a, b))
    return both / (areas - both) if areas > both else 0.0


def _on_line(track: Mapping[int, Boxes]) -> Boxes:
    """The weighted linear fit of a track's boxes at distance 0, with their mean score."""
    d = np.array(list(track), np.float64)
    boxes = np.stack(list(track.values())).astype(np.float64)
    weights = 1.0 / (1.0 + np.abs(d))
    weights /= weights.sum()
    mean_d, mean = weights @ d, weights @ boxes
    spread = weights @ (d - mean_d) ** 2
    if spread == 0:
        return np.asarray(mean, np.float32)
    slope = (weights * (d - mean_d)) @ (boxes - mean) / spread
    at_zero = mean - slope * mean_d
    at_zero[4] = mean[4]
    return np.asarray(at_zero, np.float32)

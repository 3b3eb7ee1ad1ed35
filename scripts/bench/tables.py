"""Command line and table of benchmarks with one row of figures per film, and their mean."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import vapoursynth as vs
from films import small
from quality import FILMS, pictures, sample_films

type Rows = Mapping[str, Mapping[str, float]]


def _with_mean(rows: Rows) -> dict[str, dict[str, float]]:
    """The rows, and one named `mean`."""
    columns = next(iter(rows.values()))
    mean = {c: float(np.mean([row[c] for row in rows.values()])) for c in columns}
    return {**{name: dict(row) for name, row in rows.items()}, "mean": mean}


def _print_table(rows: Rows) -> None:
    """Print rows of the same columns as a Markdown table, with two decimals."""
    columns = list(next(iter(rows.values())))
    print(f"| clip | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(f'{row[c]:.2f}' for c in columns)} |")


def judge_films(
    about: str | None, judge: Callable[[vs.VideoNode], dict[str, float]], frames: int, won: str
) -> None:
    """Measure the films that the command line names, and print the table.

    Args:
        about: The benchmark's docstring.
        judge: Returns a film's figures, `gain` among them.
        frames: Default number of frames of each film.
        won: Label for the number of films whose gain is above 0.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0] if about else None)
    parser.add_argument("--clips", type=Path, help="folder of colour films")
    parser.add_argument("--frames", type=int, default=frames, help=f"of each film; {frames}")
    parser.add_argument("--every", type=int, default=1, help="take each n-th film")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    paths = (pictures(given.clips, FILMS) if given.clips else sample_films())[:: given.every]
    rows: dict[str, dict[str, float]] = {}
    for path in paths:
        rows[path.stem] = judge(small(path, given.frames))
        print(f"{len(rows)}/{len(paths)} {path.name}", file=sys.stderr, flush=True)
    gained = sum(row["gain"] > 0 for row in rows.values())
    rows = _with_mean(rows)
    _print_table(rows)
    print(f"\n{won} {gained} of {len(paths)} clips")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))

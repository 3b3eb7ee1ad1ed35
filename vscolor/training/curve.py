"""Plot the log of a run, or of runs that each continue the one before, against the step.

`python -m vscolor.training.curve RUN/log.jsonl [NEXT/log.jsonl ...] OUT.png`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vscolor.errors import SettingError
from vscolor.files import atomic_write
from vscolor.plot import Line, Panel, picture

type Float = NDArray[np.float64]
type Row = dict[str, Any]


class Curves(NamedTuple):
    """The curves of one panel, drawn if the logs have them.

    Attributes:
        title: Title of the panel, with the unit.
        names: Keys in the log.
        relative: Whether each curve is divided by its initial value.
    """

    title: str
    names: tuple[str, ...]
    relative: bool = False


PANELS = (
    Curves("objective", ("loss",)),
    Curves("ab closer than grey, on training crops (dB)", ("gain",)),
    Curves(
        "terms of the objective, each relative to its start",
        ("colour", "match", "places", "temporal", "smooth", "perceptual", "contextual"),
        relative=True,
    ),
    Curves(
        "steps of colour's error, and of the flicker given (8-bit levels)", ("moving", "before")
    ),
    Curves("learning rate", ("rate",)),
)
SMOOTHING = 50
"""Steps averaged per point; single steps differ by more than an hour of training gains."""

SMOOTHED_PART = 20
"""In a long run, 1/20 of its steps are averaged per point instead."""


def smoothed(values: Float, window: int = SMOOTHING) -> Float:
    """Running mean over `window` values, shorter at the start, same length."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first), dtype=np.float64)


def line(runs: Sequence[Sequence[Row]], name: str, place: int, relative: bool) -> Line:
    """One curve, smoothed within each run."""
    parts = [np.array([row[name] for row in run], np.float64) for run in runs]
    values = np.concatenate([smoothed(p, max(SMOOTHING, len(p) // SMOOTHED_PART)) for p in parts])
    # The first values are far from the rest and would flatten the curve.
    settled = values[len(values) // 50 :]
    shown = np.clip(values, settled.min(), settled.max())
    if relative:
        shown = shown / (settled[0] or 1.0)
    return Line(name, shown, colour=place, dashed=place > 5)


def read_log(log: Path) -> list[Row]:
    """A run's rows by step.

    Raises:
        SettingError: The file is no log, or is empty.
    """
    # An interrupted and resumed run has logged some steps twice; the later line counts.
    try:
        by_step = {row["step"]: row for row in map(json.loads, log.read_text().splitlines())}
    except (ValueError, TypeError, KeyError):
        raise SettingError(f"{log} is no log of a run") from None
    if not by_step:
        raise SettingError(f"{log} is empty")
    return [by_step[step] for step in sorted(by_step)]


def panels_of(runs: Sequence[Sequence[Row]]) -> list[Panel]:
    """Panels of the logs of consecutive runs, with the boundaries between runs marked."""
    steps: list[float] = []
    joints = []
    for run in runs:
        before = steps[-1] if steps else 0.0
        joints.append(before)
        steps += [before + row["step"] for row in run]
    at = np.array(steps, np.float64)
    return [
        Panel(
            shown.title,
            [line(runs, name, i, shown.relative) for i, name in enumerate(shown.names)],
            x=at,
            unit="step",
            cuts=joints[1:],
        )
        for shown in PANELS
        if all(name in row for run in runs for row in run for name in shown.names)
    ]


def draw(logs: Sequence[Path], target: Path) -> None:
    """Plot logs against the step, as a PNG."""
    drawn = cv2.imencode(".png", picture(panels_of([read_log(log) for log in logs])))[1]
    with atomic_write(target) as part:
        part.write_bytes(drawn.tobytes())


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw the logs of training runs.")
    parser.add_argument("logs", type=Path, nargs="+", metavar="log", help="log.jsonl")
    parser.add_argument("target", type=Path, help="PNG to write")
    given = parser.parse_args()
    try:
        draw(given.logs, given.target)
    except (SettingError, OSError) as error:
        raise SystemExit(f"curve: {error}") from None


if __name__ == "__main__":
    main()

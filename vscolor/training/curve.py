"""Draw a run's log: `python -m vscolor.training.curve RUN/log.jsonl OUT.png`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vscolor.plot import Line, Panel, picture

type Float = NDArray[np.float64]

PANELS = {
    "loss": "objective",
    "gain": "ab closer than grey, on training crops (dB)",
    "rate": "learning rate",
}
SMOOTHING = 50
"""Steps averaged for a point of the curve; single steps differ by more than an hour's gain."""


def smoothed(values: Float, window: int = SMOOTHING) -> Float:
    """Running mean over `window` values, shorter at the start, same length."""
    sums = np.cumsum(np.insert(values, 0, 0.0))
    last = np.arange(1, len(values) + 1)
    first = np.maximum(last - window, 0)
    return np.asarray((sums[last] - sums[first]) / (last - first), dtype=np.float64)


def panel(steps: Float, values: Float, title: str) -> Panel:
    """One curve against the step."""
    # The first steps are far off the rest and would flatten it.
    settled = values[len(values) // 50 :]
    shown = np.clip(values, settled.min(), settled.max())
    return Panel(title, [Line(title, shown)], x=steps, unit="step")


def draw(log: Path, target: Path) -> None:
    """Draw objective, gain and rate of a log against the step, as PNG."""
    # A run that was cut off and resumed has written some steps twice; the later line counts.
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    by_step = {line["step"]: line for line in lines}
    rows = [by_step[step] for step in sorted(by_step)]
    steps = np.array([row["step"] for row in rows], np.float64)
    curves = {name: smoothed(np.array([row[name] for row in rows])) for name in PANELS}
    panels = [panel(steps, curves[name], title) for name, title in PANELS.items()]
    cv2.imwrite(str(target), picture(panels))


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw a training run's log.")
    parser.add_argument("log", type=Path, help="log.jsonl")
    parser.add_argument("target", type=Path, help="PNG to write")
    given = parser.parse_args()
    draw(given.log, given.target)


if __name__ == "__main__":
    main()

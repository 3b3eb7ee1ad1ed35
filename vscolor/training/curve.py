"""Draw a run's log: `python -m vscolor.training.curve RUN/log.jsonl OUT.png`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

type Float = NDArray[np.float64]

WIDTH, HEIGHT, MARGIN = 960, 300, 56
INK, LINE = (40, 40, 40), (170, 90, 30)  # BGR
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


def panel(steps: Float, values: Float, title: str) -> NDArray[np.uint8]:
    """One curve with its range, BGR `[300,960,3]`."""
    picture = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    # The first steps are far off the rest and would flatten it.
    low, high = (float(v) for v in np.percentile(values[len(values) // 50 :], (0, 100)))
    x = MARGIN + (steps - steps[0]) / max(steps[-1] - steps[0], 1) * (WIDTH - 2 * MARGIN)
    y = (HEIGHT - MARGIN) - (values - low) / max(high - low, 1e-12) * (HEIGHT - 2 * MARGIN)
    points = np.stack([x, np.clip(y, MARGIN, HEIGHT - MARGIN)], axis=-1)
    cv2.polylines(picture, [points.astype(np.int32)], False, LINE, 2, cv2.LINE_AA)
    labels = (
        (title, (MARGIN, 32)),
        (f"{high:.3g}", (6, MARGIN + 4)),
        (f"{low:.3g}", (6, HEIGHT - MARGIN + 4)),
        (f"step {int(steps[0])}", (MARGIN, HEIGHT - 20)),
        (f"step {int(steps[-1])}", (WIDTH - MARGIN - 100, HEIGHT - 20)),
    )
    for text, place in labels:
        cv2.putText(picture, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, INK, 1, cv2.LINE_AA)
    return picture


def draw(log: Path, target: Path) -> None:
    """Draw objective, gain and rate of a log against the step, as PNG."""
    # A run that was cut off and resumed has written some steps twice; the later line counts.
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    by_step = {line["step"]: line for line in lines}
    rows = [by_step[step] for step in sorted(by_step)]
    steps = np.array([row["step"] for row in rows], np.float64)
    curves = {name: smoothed(np.array([row[name] for row in rows])) for name in PANELS}
    panels = [panel(steps, curves[name], title) for name, title in PANELS.items()]
    cv2.imwrite(str(target), np.vstack(panels))


def main() -> None:
    """Read the command line and draw."""
    parser = argparse.ArgumentParser(description="Draw a training run's log.")
    parser.add_argument("log", type=Path, help="log.jsonl")
    parser.add_argument("target", type=Path, help="PNG to write")
    given = parser.parse_args()
    draw(given.log, given.target)


if __name__ == "__main__":
    main()

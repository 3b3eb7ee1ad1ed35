"""The picture of a run's log."""

import json

import cv2
import numpy as np

from vscolor.plot import HEIGHT, WIDTH
from vscolor.training import curve


def test_smoothing_is_a_running_mean():
    values = np.random.default_rng(0).normal(size=30)
    expected = [values[max(0, i - 6) : i + 1].mean() for i in range(30)]
    assert np.allclose(curve.smoothed(values, 7), expected)


def test_a_resumed_log_is_drawn(tmp_path):
    rows = [{"step": n, "loss": 9.0 / n, "gain": 0.1 * n, "rate": 1e-3} for n in range(1, 40)]
    log, target = tmp_path / "log.jsonl", tmp_path / "curve.png"
    log.write_text("".join(json.dumps(row) + "\n" for row in rows + rows[-5:]))
    curve.draw(log, target)
    picture = cv2.imread(str(target))
    assert picture.shape == (3 * HEIGHT, WIDTH, 3)
    assert (picture != 255).any(axis=(1, 2)).any()

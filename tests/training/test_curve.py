"""The picture of a run's log."""

import json

import cv2
import numpy as np
import pytest

from vscolor.errors import SettingError
from vscolor.plot import HEIGHT, WIDTH
from vscolor.training import curve
from vscolor.training.video import WEIGHTS

STILL = ("loss", "classes", "mean", "gain", "rate")
VIDEO = ("loss", "rate", *WEIGHTS)
BLIND = ("loss", "rate", "moving", "before")


def rows_of(names, count=40):
    return [
        {"step": n, **{name: 9.0 / n + i for i, name in enumerate(names)}} for n in range(1, count)
    ]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_smoothing_is_a_running_mean():
    values = np.random.default_rng(0).normal(size=30)
    expected = [values[max(0, i - 6) : i + 1].mean() for i in range(30)]
    assert np.allclose(curve.smoothed(values, 7), expected)


@pytest.mark.parametrize(
    ("names", "titles"),
    [
        (STILL, ("objective", "ab closer", "learning rate")),
        (VIDEO, ("objective", "terms", "learning rate")),
        (BLIND, ("objective", "steps of colour", "learning rate")),
    ],
)
def test_each_kind_of_log_shows_all_it_tells(tmp_path, names, titles):
    rows = rows_of(names)
    panels = curve.panels_of([rows])
    assert len(panels) == len(titles)
    assert all(panel.title.startswith(t) for panel, t in zip(panels, titles, strict=True))
    target = tmp_path / "curve.png"
    curve.draw([write(tmp_path / "log.jsonl", rows + rows[-5:])], target)
    picture = cv2.imread(str(target))
    assert picture.shape == (3 * HEIGHT, WIDTH, 3)
    assert (picture != 255).any(axis=(1, 2)).any()
    assert not list(tmp_path.glob(".*"))


def test_terms_are_relative_to_their_start():
    (terms,) = (p for p in curve.panels_of([rows_of(VIDEO, 30)]) if p.title.startswith("terms"))
    assert all(line.values[0] == pytest.approx(1) for line in terms.lines)
    assert [line.dashed for line in terms.lines] == [False] * 6 + [True]


def test_runs_that_go_on_from_each_other_stand_in_a_row():
    panel = curve.panels_of([rows_of(STILL, 11), rows_of(STILL, 21)])[0]
    assert list(panel.x) == list(range(1, 31))
    assert panel.cuts == [10]


def test_what_is_no_log_is_said(tmp_path):
    for text in ("", "hello", "[1]", "{}"):
        (tmp_path / "log").write_text(text)
        with pytest.raises(SettingError, match="log is"):
            curve.draw([tmp_path / "log"], tmp_path / "out.png")

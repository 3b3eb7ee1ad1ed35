"""Curves: their scale, gaps, thinning, and that they are where they should be."""

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from vscolor import plot
from vscolor.plot import Line, Panel

NAN = float("nan")


def test_ticks_are_round_and_inside():
    assert plot.ticks(0, 10) == pytest.approx([0, 2, 4, 6, 8, 10])
    assert plot.ticks(-0.031, 0.017) == pytest.approx([-0.03, -0.02, -0.01, 0, 0.01])
    for low, high in ((3, 1003), (1e-7, 5e-7), (-80, -79.5)):
        found = plot.ticks(low, high)
        assert 3 <= len(found) <= 7
        assert low <= min(found) <= max(found) <= high


def test_gaps_break_a_curve():
    values = np.array([1, 2, NAN, 4, NAN, 6, 7])
    line = Line("x", values)
    panel = Panel("t", [line])
    parts = list(plot.strokes(panel, line, plot.Scale.of(panel)))
    assert [len(p) for p in parts] == [2, 2, 2]
    assert np.array_equal(parts[1][0], parts[1][1])


def test_scale_holds_all_curves():
    panel = Panel("t", [Line("a", np.array([1.0, 5])), Line("b", np.array([-3, NAN]))])
    scale = plot.Scale.of(panel)
    assert plot.TOP <= scale.y(5) < scale.y(-3) <= plot.HEIGHT - plot.BOTTOM
    assert scale.x(0) == plot.LEFT
    assert scale.x(1) == plot.WIDTH - plot.RIGHT
    flat = plot.Scale.of(Panel("t", [Line("a", np.full(3, 2.0))]))
    assert flat.low < 2 < flat.high
    nothing = plot.Scale.of(Panel("t", [Line("a", np.full(3, NAN))]))
    assert nothing.low < nothing.high
    assert plot.Scale.of(Panel("t", [Line("a", np.array([3.0, 4]))], zero=True)).low == 0
    noise = Line("a", np.array([1e-7, -1e-7]))
    least = plot.Scale.of(Panel("t", [noise], least=2.0))
    assert least.high - least.low >= 2
    assert least.low < -0.9 < 0.9 < least.high
    assert plot.Scale.of(Panel("t", [noise], zero=True, least=2.0)).high >= 2


def test_thinning_keeps_peaks_or_means():
    values = np.zeros(10_000)
    values[1234] = 8
    values[5000:5100] = NAN
    x, peaks = plot.thinned(np.arange(10_000.0), values, peaks=True)
    assert len(peaks) <= plot.MAX_POINTS
    assert np.nanmax(peaks) == 8
    assert abs(x[np.nanargmax(peaks)] - 1234) < 10
    _, means = plot.thinned(np.arange(10_000.0), values, peaks=False)
    assert np.nanmax(means) == pytest.approx(8 / 9, rel=0.01)
    assert np.isnan(means[5050 // 9])


def test_a_picture_shows_line_and_cut():
    line = Line("one", np.linspace(0, 1, 50), colour=1)
    drawn = plot.picture([Panel("t", [line], cuts=[25]), Panel("u", [line])])
    assert drawn.shape == (2 * plot.HEIGHT, plot.WIDTH, 3)
    assert (drawn == plot.PALETTE[1][::-1]).all(-1).any()
    x = int(plot.Scale.of(Panel("t", [line])).x(25))
    assert (drawn[plot.TOP + 2 : plot.TOP + 20, x] == plot.CUT).all()
    assert not (drawn[plot.HEIGHT :][:, x] == plot.CUT).all(-1).any()


def test_svg_is_well_formed_and_escaped():
    lines = [Line("<b>&", np.array([0, 1.5, NAN, 2])), Line("true", np.arange(4.0), None, True)]
    root = ET.fromstring(plot.svg(Panel("a < b", lines, cuts=[2])))
    paths = [e.get("class") for e in root.iter("path")]
    assert paths.count("cut") == 1
    assert {"line c0", "line ink dashed"} <= set(paths)
    assert root.get("aria-label") == "a < b"

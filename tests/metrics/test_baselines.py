"""Colour carried and averaged, on pictures whose motion is known."""

import numpy as np
import pytest
from skimage import data

from vscolor.color import srgb_to_lab
from vscolor.errors import MeasureError, SettingError
from vscolor.metrics import baselines

SPEED = 2


@pytest.fixture(scope="module")
def pan():
    """A photograph that moves evenly: ab and luma of six frames."""
    photo = data.coffee()
    views = [photo[60:220, 100 + SPEED * t : 340 + SPEED * t] for t in range(6)]
    ab = [srgb_to_lab(v / np.float32(255))[..., 1:].astype(np.float32) for v in views]
    return ab, [v.mean(-1).astype(np.uint8) for v in views]


def error(frames, truth):
    """Mean squared error of the last frame, away from what came into view."""
    inside = np.s_[8:-8, 8 : -8 - 6 * SPEED]
    return float(((frames[-1] - truth[-1])[inside] ** 2).mean())


@pytest.mark.parametrize("carry", [baselines.carry_chained, baselines.carry_direct])
def test_colour_follows_motion(pan, carry):
    ab, lumas = pan
    carried = list(carry(ab[0], lumas))
    assert len(carried) == len(lumas)
    assert np.array_equal(carried[0], ab[0])
    assert error(carried, ab) < 0.1 * error([ab[0]], ab)


@pytest.mark.parametrize("carry", [baselines.carry_chained, baselines.carry_direct])
def test_nothing_moves_nothing_changes(pan, carry):
    ab, lumas = pan
    last = list(carry(ab[0], [lumas[0]] * 4))[-1]
    assert np.abs(last - ab[0]).max() < 1e-3


def test_chained_is_softer_than_direct():
    """Half a pixel a frame: each step of a chain interpolates once more."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 20, (64, 64, 2)).astype(np.float32)
    wide = np.asarray(data.camera()[::2, ::2][:130, :160])
    lumas = [
        (0.5 * wide[: 2 * 64 : 2, t : t + 128 : 2] + 0.5 * wide[: 2 * 64 : 2, t + 1 : t + 129 : 2])
        for t in range(8)
    ]
    lumas = [plane.astype(np.uint8) for plane in lumas]
    chained = list(baselines.carry_chained(noise, lumas))[-1]
    direct = list(baselines.carry_direct(noise, lumas))[-1]
    assert chained.std() < direct.std()


def test_average_is_the_mean_of_a_scenes_frames():
    frames = [np.full((2, 2, 2), float(v)) for v in (0, 3, 6, 100, 103)]
    made = [float(f[0, 0, 0]) for f in baselines.average(frames, 3, cuts={3})]
    assert made == pytest.approx([1.5, 3, 4.5, 101.5, 101.5])


def test_average_takes_flicker_away():
    rng = np.random.default_rng(1)
    frames = [np.full((4, 4, 2), v) for v in rng.normal(0, 5, 60)]
    spreads = [np.std(list(baselines.average(frames, span))) for span in (1, 3, 7, 15)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[-1] < 0.5 * spreads[0]


def test_misuse_is_told():
    ab, luma = np.zeros((8, 8, 2)), np.zeros((8, 8), np.uint8)
    with pytest.raises(SettingError, match="odd"):
        list(baselines.average([ab], 4))
    with pytest.raises(MeasureError, match="empty"):
        list(baselines.carry_chained(ab, []))
    with pytest.raises(MeasureError, match=r"\(4, 8\), expected \(8, 8\)"):
        list(baselines.carry_direct(ab, [luma, luma[:4]]))

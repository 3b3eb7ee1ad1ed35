"""CDC against a direct computation by SciPy."""

import numpy as np
import pytest
from scipy.stats import entropy
from skimage import data

from vscolor.errors import MeasureError
from vscolor.metrics import distribution


@pytest.fixture(scope="module")
def frames():
    """A photograph that slowly turns warmer."""
    photo = data.coffee()[::4, ::4].astype(int)
    warmer = [photo + np.array([5 * n, 0, -3 * n]) for n in range(9)]
    return [np.clip(f, 0, 255).astype(np.uint8) for f in warmer]


def direct(frames, pairs_allowed=lambda i, j: True):
    """The published definition, spelled out."""
    means = []
    for interval in (1, 2, 4):
        found = []
        for i in range(len(frames) - interval):
            if not pairs_allowed(i, i + interval):
                continue
            for c in range(3):
                p, q = (
                    np.bincount(frames[k][..., c].ravel(), minlength=256) / frames[k][..., c].size
                    for k in (i, i + interval)
                )
                m = (p + q) / 2
                found.append(0.5 * entropy(p, m) + 0.5 * entropy(q, m))
        means.append(np.mean(found))
    return np.mean(means)


def test_cdc_is_the_definition(frames):
    assert distribution.cdc(frames) == pytest.approx(direct(frames), rel=1e-6)
    assert distribution.cdc(frames) > 0.001


def test_pairs_across_cuts_do_not_count(frames):
    clip = [*frames[:5], *(255 - f for f in frames[:5])]
    within = direct(clip, lambda i, j: (i < 5) == (j < 5))
    assert distribution.cdc(clip, cuts={5}) == pytest.approx(within, rel=1e-6)
    assert distribution.cdc(clip) > 2 * within


def test_same_colours_elsewhere_are_no_change(frames):
    clip = [np.roll(frames[0], 7 * n, axis=n % 2) for n in range(8)]
    assert distribution.cdc(clip) == 0


def test_nothing_in_common_is_the_most_there_is():
    black, white = np.zeros((4, 4, 3), np.uint8), np.full((4, 4, 3), 255, np.uint8)
    assert distribution.cdc([black, white]) == pytest.approx(np.log(2))


def test_drift_knows_no_more_than_it_saw(frames):
    drift = distribution.ColourDrift()
    rows = np.array([drift.add(f) for f in frames])
    assert np.isnan(rows).sum(axis=0).tolist() == [1, 2, 4]
    assert np.isnan(drift.add(frames[0], cut=True)).all()


def test_misuse_is_told(frames):
    with pytest.raises(MeasureError, match="empty"):
        distribution.cdc([])
    with pytest.raises(MeasureError, match="float32"):
        distribution.histogram(frames[0] / np.float32(255))
    assert np.isnan(distribution.cdc(frames[:1]))

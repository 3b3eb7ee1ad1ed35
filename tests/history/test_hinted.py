"""Hints to a still model: on their own frame, where they lie, in any order of requests."""

import numpy as np
import pytest
import vapoursynth as vs

from vscolor import colorize
from vscolor.history.hinted import covered
from vscolor.history.hints import Hint
from vscolor.models.base import Card, Grid
from vscolor.models.registry import Entry, registry
from vscolor.models.video import ScaledHint
from vscolor.testing import noise_clip, planes_of

CARD = Card("dotted", "still", "tests", "none", "MIT", "none", "none", "", frozenset({"hints"}))


class Dotted:
    """Grey but for the hints themselves."""

    grid = Grid(multiple=2, ab_stride=1, size=64)

    def predict(self, luma):
        return np.zeros((len(luma), 2, *luma.shape[2:]), np.float32)

    def predict_hinted(self, luma, ab, mask):
        return ab * mask


@pytest.fixture(autouse=True)
def dotted(monkeypatch):
    entry = Entry(CARD, lambda *_: Dotted(), installed=lambda: True)
    monkeypatch.setitem(registry._entries, "dotted", entry)


def coloured(clip, **arguments):
    return colorize(clip, "dotted", edge_aware=False, size=64, **arguments)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_hint_colours_its_frame_and_place_alone(batch):
    clip = noise_clip(vs.YUV444P8, 96, 64, 5)
    out = coloured(clip, hints=[Hint(2, 20, 40, ab=(60, 0), radius=6)], batch=batch)
    for n in (4, 2, 0, 3, 1):
        red = planes_of(out, n)[2].astype(int) - 128
        if n == 2:
            assert red[40, 20] > 10
            assert np.abs(red[:28]).max() == 0
            assert np.abs(red[:, 40:]).max() == 0
        else:
            assert np.abs(red).max() == 0


def test_a_small_hint_still_counts():
    assert covered(ScaledHint(5.5, 3.5, 0.01, np.zeros(2, np.float32)), 8, 8).sum() == 1


@pytest.mark.parametrize(
    ("hint", "words"),
    [
        (Hint(9, 1, 1, ab=(1, 1)), "expected 0 to 4"),
        (Hint(0, 200, 1, ab=(1, 1)), "200"),
        (Hint(0, 1, 1, ab=(1, 1), radius=0), "radius"),
    ],
)
def test_hints_that_cannot_be_used_are_named(hint, words):
    with pytest.raises(vs.Error, match=words):
        coloured(noise_clip(vs.YUV444P8, 96, 64, 5), hints=hint)

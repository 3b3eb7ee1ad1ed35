"""Frames through a model that looks at its neighbours: which of them it is told of."""

import numpy as np
import pytest
import vapoursynth as vs

from vscolor import windows
from vscolor.models.base import Grid


class Noticing:
    """A model that looks at two frames on each side and notices their luma."""

    grid = Grid(multiple=8, ab_stride=8)
    radius = 2

    def __init__(self):
        self.told = []

    def predict(self, luma):
        return np.zeros((len(luma), 2, luma.shape[2] // 8, luma.shape[3] // 8), np.float32)

    def analyse(self, luma):
        return luma.ravel()[:1]

    def predict_windowed(self, luma, analyses):
        self.told.extend({d: float(n[0]) for d, n in one.items()} for one in analyses)
        return self.predict(luma)


def film(length, flags=None):
    """Frame n has luma n all over; all frames alike to a detector of cuts."""
    base = vs.core.std.BlankClip(None, 16, 16, vs.GRAYS, length=length, keep=True)
    numbered = base.std.FrameEval(lambda n: base.std.BlankClip(color=[float(n)], keep=True)[n])
    if flags is None:
        return numbered, vs.core.std.BlankClip(None, 16, 16, vs.GRAY8, length=length, keep=True)
    picture = base.std.FrameEval(
        lambda n: base.std.SetFrameProps(_SceneChangePrev=int(n in flags))[n]
    )
    return numbered, picture


@pytest.mark.parametrize(
    ("cuts", "flags"), [((4,), None), (None, {4}), ((4,), {2, 6}), (None, None)]
)
def test_analyses_do_not_cross_a_cut(cuts, flags):
    luma, picture = film(8, flags)
    model = Noticing()
    analyses = windows.analyses_of(model, luma, picture, cuts, "colorize")
    for n in range(8):
        with analyses.get_frame(n) as frame, luma.get_frame(n) as plane:
            windows.predict(model, np.asarray(plane[0])[None, None], [frame])
    scene = (lambda n: n >= 4) if cuts or flags else (lambda _: 0)
    for n, told in enumerate(model.told):
        near = [k for k in range(n - 2, n + 3) if 0 <= k < 8 and scene(k) == scene(n)]
        assert told == {k - n: float(k) for k in near}

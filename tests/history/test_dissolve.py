"""A dissolve between two shots, each with a reference: one takes over from the other, no flash."""

from functools import cache

import numpy as np
import pytest
import vapoursynth as vs
from wheel import wheel_clip

from vscolor import Reference, colorize, scenes

PURE = 16
FROM_REFERENCE = 8


def shot(name, start, length):
    small = wheel_clip(name)[start : start + length].resize.Bicubic(256, 144, vs.YUV444P8)
    return small.std.SetFrameProps(_Matrix=1, _Range=0, _SARNum=1, _SARDen=1)


def dissolve(length):
    """`PURE` frames of a street, `length` that go over, `PURE` of a meadow."""
    a = shot("bikes.mp4", 80, PURE + length)
    b = shot("bigbuckbunny.mp4", 40, PURE + length)
    mixed = [
        vs.core.std.Merge(a[PURE + i], b[i], weight=[(i + 1) / (length + 1)]) for i in range(length)
    ]
    return vs.core.std.Splice([a[:PURE], *mixed, b[length:]])


def mean_chroma(clip):
    """`[n,2]`, levels from neutral."""
    return np.array(
        [
            [np.asarray(frame[p], np.float32).mean() - 128 for p in (1, 2)]
            for frame in clip.frames(close=True)
        ]
    )


@cache
def chroma(length, cut):
    """Of the true clip and ours; with a cut in the dissolve's middle, or with what is found."""
    true = dissolve(length)
    ends = (FROM_REFERENCE, true.num_frames - FROM_REFERENCE)
    ours = colorize(
        true.std.ShufflePlanes(0, vs.GRAY),
        size=128,
        references=[Reference(true[n], frame=n) for n in ends],
        scenes=[PURE + length // 2] if cut else None,
        format=vs.YUV444P8,
    )
    return mean_chroma(true), mean_chroma(ours)


def largest_step(means):
    return np.linalg.norm(np.diff(means, axis=0), axis=1).max()


@pytest.mark.parametrize("length", [12, 24])
def test_no_cut_is_found_in_a_dissolve(length):
    found = scenes.marked_cuts(scenes.mark_detected(dissolve(length)))
    assert not [n for n, cut in found if cut]


@pytest.mark.parametrize("length", [12, 24])
def test_the_new_reference_takes_over_in_small_steps(length):
    true, ours = chroma(length, cut=False)
    whole = np.linalg.norm(true[-FROM_REFERENCE] - true[FROM_REFERENCE])
    assert whole > 10, "the shots differ enough for a flash to show"
    assert largest_step(ours) < 0.25 * whole
    assert largest_step(chroma(length, cut=True)[1]) > 0.6 * whole, "a hard cut is seen by this"


@pytest.mark.parametrize("length", [12, 24])
def test_nothing_overshoots_and_both_ends_are_their_references(length):
    true, ours = chroma(length, cut=False)
    assert (ours > true.min(axis=0) - 2).all()
    assert (ours < true.max(axis=0) + 2).all()
    for n in (FROM_REFERENCE, -FROM_REFERENCE):
        assert np.abs(ours[n] - true[n]).max() < 1
    assert np.abs(ours - true).max() < 4, "and on the way it is near the true mixture"

"""Which frames a frame takes its colours from."""

from bisect import bisect_right

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vscolor.history import keyframes

LENGTH = 2000
CUTS = st.lists(st.integers(1, LENGTH - 1), max_size=30, unique=True).map(sorted)


def known(n, cuts, length=LENGTH):
    """The scene as the filter sees it: through the window of frames that it searches."""
    first, last = keyframes.searched(n)
    return keyframes.scene_around(n, [c for c in cuts if first <= c <= last], first, last, length)


@given(CUTS, st.integers(0, LENGTH - 1))
def test_keys_are_of_the_frames_own_scene(cuts, n):
    starts, at = [0, *cuts], bisect_right(cuts, n)
    end = [*cuts, LENGTH][at]
    found = keyframes.keyframes_of(n, known(n, cuts))
    assert all(starts[at] <= key.frame < end for key in found)
    assert sum(key.weight for key in found) == pytest.approx(1)
    assert all(key.weight > 0 for key in found)
    assert max(key.frame for key in found) <= n + keyframes.DELAY, "nothing far ahead is asked for"
    later = [key.later for key in found if key.later is not None]
    assert all(starts[at] <= frame < end and frame <= n + keyframes.LATER_DELAY for frame in later)


@given(CUTS, st.integers(0, LENGTH - 1))
def test_the_window_knows_as_much_as_the_whole_list(cuts, n):
    whole = keyframes.scene_around(n, cuts, 0, LENGTH - 1, LENGTH)
    assert keyframes.keyframes_of(n, known(n, cuts)) == keyframes.keyframes_of(n, whole)


@given(CUTS, st.integers(0, LENGTH - 2))
def test_weights_drift_and_never_step_inside_a_scene(cuts, n):
    if n + 1 in cuts:
        return
    here, there = (
        {(key.frame, key.later): key.weight for key in keyframes.keyframes_of(m, known(m, cuts))}
        for m in (n, n + 1)
    )
    change = sum(abs(here.get(k, 0) - there.get(k, 0)) for k in {*here, *there}) / 2
    assert change <= 1 / keyframes.SPACING + 1e-9


def test_the_first_key_lies_behind_the_cut_but_in_the_scene():
    first, later = 100 + keyframes.DELAY, 100 + keyframes.LATER_DELAY
    assert keyframes.keyframes_of(100, keyframes.Scene(100, 200)) == [
        keyframes.Keyframe(first, 1.0, later)
    ]
    assert keyframes.keyframes_of(100, keyframes.Scene(100, 120)) == [
        keyframes.Keyframe(first, 1.0, 119)
    ]
    assert keyframes.keyframes_of(100, keyframes.Scene(100, 102)) == [keyframes.Keyframe(101, 1.0)]


def test_references_count_by_nearness():
    assert keyframes.nearness(10, 10) == 1
    assert keyframes.nearness(10, 10 + keyframes.NEARNESS) == pytest.approx(0.5)
    assert keyframes.nearness(10, None) == keyframes.ANYWHERE
    far = [keyframes.nearness(10**6, n, nearest=10**6 - 3000) for n in (3000, 2900, 0)]
    assert far[0] > 3 * far[1] > 1e-12, "a weight that vanishes cannot be divided by"
    assert far[2] > 0

from itertools import pairwise

import numpy as np
import pytest
from skimage import data

from vscolor.metrics import temporal


@pytest.fixture(scope="module")
def photo():
    return data.coffee()


def views(photo, offsets):
    """Cut-outs of a photograph that moves: their colour (two channels) and luma."""
    crops = [photo[60 + y : 220 + y, 100 + x : 340 + x] for x, y in offsets]
    luma = [c.mean(-1).astype(np.uint8) for c in crops]
    colour = [np.stack([c[..., 0] - c.mean(-1), c[..., 2] - c.mean(-1)], -1) for c in crops]
    return colour, luma


def test_static_clip_has_none(photo):
    colour, luma = views(photo, [(0, 0)] * 4)
    assert temporal.warp_error(colour, luma) < 1e-9


def test_exact_translation_has_nearly_none(photo):
    colour, luma = views(photo, [(3 * t, 2 * t) for t in range(4)])
    still = [colour[0]] * 4
    assert temporal.warp_error(colour, luma) < 0.02 * temporal.warp_error(still, luma)
    path = temporal.find_backward_flow(luma[0], luma[1])
    assert np.median(path.flow[path.visible], axis=0) == pytest.approx([3, 2], abs=0.1)
    assert path.visible.mean() > 0.7


def test_grows_with_flicker(photo):
    colour, luma = views(photo, [(2 * t, 0) for t in range(6)])
    sign = np.random.default_rng(0).choice([-1, 1], 6)
    errors = [
        temporal.warp_error([c + s * a for c, s in zip(colour, sign, strict=True)], luma)
        for a in (0, 1, 2, 4, 8)
    ]
    assert all(a < b for a, b in pairwise(errors))


def test_occluded_pixels_do_not_count(photo):
    """A square slides over the picture: what it uncovers has no past."""
    _, (ground,) = views(photo, [(0, 0)])
    texture = data.camera()[100:160, 200:260]
    lumas, colours = [], []
    for x in (40, 60):
        luma, colour = ground.copy(), np.zeros((*ground.shape, 1), np.float32)
        luma[50:110, x : x + 60] = texture
        colour[50:110, x : x + 60] = 50
        lumas.append(luma)
        colours.append(colour)
    path = temporal.find_backward_flow(*lumas)
    assert not path.visible[60:100, 44:56].any()
    warped = temporal.warp(colours[0], path.flow)
    everywhere = float(((colours[1] - warped) ** 2).mean())
    assert temporal.warp_error(colours, lumas) < 0.5 * everywhere


def test_cuts_are_left_out(photo):
    colour, luma = views(photo, [(0, 0)] * 4)
    jump = [*colour[:2], *(c + 30 for c in colour[2:])]
    assert temporal.warp_error(jump, luma) > 100
    assert temporal.warp_error(jump, luma, cuts={2}) < 1e-9


def test_paler_is_not_steadier(photo):
    colour, luma = views(photo, [(2 * t, 0) for t in range(4)])
    flicker = [c + 5 * (-1) ** n for n, c in enumerate(colour)]

    def normalised(frames):
        return temporal.warp_error(frames, luma) / temporal.mean_squared_chroma(frames)

    assert normalised([c / 2 for c in flicker]) == pytest.approx(normalised(flicker), rel=1e-5)


def test_pulsing_of_a_sine_is_its_amplitude():
    truth = [np.zeros((4, 4, 2)) for _ in range(40)]
    wave = [np.sin(2 * np.pi * n / 20) for n in range(40)]
    pulse = [t + np.array([6 * w + 3, 0]) for t, w in zip(truth, wave, strict=True)]
    assert temporal.pulsing(pulse, truth) == pytest.approx(6)
    assert temporal.pulsing(truth, truth) == 0


def test_far_pairs_begin_at_the_scenes_first(photo):
    colour, luma = views(photo, [(t, t) for t in range(6)])
    drift = [c + 2 * n for n, c in enumerate(colour)]
    near = temporal.warp_error(drift, luma)
    far = temporal.warp_error(drift, luma, far=True)
    # Against the first: 2, 4, ..., 10 instead of always 2.
    assert near == pytest.approx(4, rel=0.2)
    assert far == pytest.approx(np.mean([(2 * n) ** 2 for n in range(1, 6)]), rel=0.2)
    again = temporal.warp_error(drift, luma, cuts={3}, far=True)
    assert again == pytest.approx(np.mean([4, 16, 4, 16]), rel=0.2)


def test_tracker_gives_the_paths_of_pairs(photo):
    _, luma = views(photo, [(0, 0), (3, 2), (6, 4)])
    tracker = temporal.Tracker(far=True)
    assert tracker.add(luma[0]) == temporal.Motion(None, None)
    motions = [tracker.add(plane) for plane in luma[1:]]
    expected = [temporal.find_backward_flow(luma[k], luma[n]) for k, n in ((0, 1), (1, 2), (0, 2))]
    found = [motions[0].to_previous, motions[1].to_previous, motions[1].to_first]
    assert all(np.array_equal(a.flow, b.flow) for a, b in zip(found, expected, strict=True))
    assert tracker.add(luma[0], cut=True) == temporal.Motion(None, None)


def test_no_path_is_no_number(photo):
    colour, luma = views(photo, [(0, 0)] * 2)
    path = temporal.find_backward_flow(*luma)
    hidden = temporal.BackwardFlow(path.flow, np.zeros_like(path.visible))
    assert np.isnan(temporal.flow_error(*colour, None))
    assert np.isnan(temporal.flow_error(*colour, hidden))


def test_rgb_of_a_static_clip_has_none(photo):
    _, luma = views(photo, [(0, 0)] * 3)
    assert temporal.warp_error([photo[60:220, 100:340]] * 3, luma) < 1e-6

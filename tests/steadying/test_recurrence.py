"""Recurrent steadying in blocks: what a frame depends on, and that no order shows."""

import random

import numpy as np
import pytest
import vapoursynth as vs
from wheel import wheel_clip

from vscolor import stabilize
from vscolor.models.stepper import Picture
from vscolor.steadying.pictures import Sizes, small_pictures
from vscolor.steadying.recurrence import (
    Blocks,
    centred,
    correction_in_blocks,
    places_of_scene,
    steadied,
    warm_up_order,
)
from vscolor.testing import planes_of

LENGTH = 40


def starts(length, *cuts):
    return [n in cuts for n in range(length)]


@pytest.mark.parametrize(
    ("cuts", "at", "order"),
    [
        ((), 5, [2, 3, 4]),
        ((0,), 0, [3, 2, 1]),
        ((0,), 2, [1, 0, 1]),
        ((4,), 5, [6, 5, 4]),
        ((4, 6), 5, [5, 4]),
        ((5, 6), 5, []),
        ((0, 9), 8, [5, 6, 7]),
    ],
)
def test_warm_up_is_the_frames_before_else_those_that_follow_backwards(cuts, at, order):
    assert warm_up_order(starts(10, *cuts), at, 3) == order


class Counting:
    """Its chroma is the number of frames it has stepped through since it began."""

    def begin(self, picture):
        return 0

    def step(self, before, now, previous_output, memory):
        return np.full_like(now.chroma, memory + 1), memory + 1


def test_a_scene_starts_anew():
    pictures = [Picture(np.zeros((1, 1, 8, 8)), np.zeros((1, 2, 2, 2)))] * 10
    made = list(steadied(Counting(), pictures, starts(10, 0, 5), range(2, 8), 3))
    # Frames 2, 3, 4 after a warm-up of three; frame 5 anew, after three that follow it.
    assert [int(m.max()) for m in made] == [4, 5, 6, 4, 5, 6]


def test_the_beginning_is_moved_to_where_most_of_the_scene_is():
    frames = [np.full((1, 2, 16, 24), v, np.float32) for v in (9, 1, 1, 1, 5)]
    assert places_of_scene(starts(9, 2, 7), 4) == range(2, 7)
    assert places_of_scene(starts(5), 4) == range(5)
    moved = centred(frames[0], frames)
    assert np.allclose(moved, 1, atol=1e-4)
    edge = frames[1].copy()
    edge[..., 12:] += 1
    assert np.abs(centred(edge, [edge, edge, frames[0]]) - edge).max() < 1e-6


def test_windows_cover_the_clip_once():
    plan = Blocks(frames=50, length=8, overlap=2, warm_up=4, lanes=2)
    assert plan.padding == 14
    made = [[plan.window(lane, c)[i] for i in plan.made] for c in range(4) for lane in (0, 1)]
    assert [k for block in made for k in block[2:]] == list(range(64))
    assert [block[:2] for block in made[1:]] == [block[-2:] for block in made[:-1]]
    assert [plan.share_of_next(i) for i in (0, 5, 6, 7)] == [0, 0, 1 / 3, 2 / 3]
    assert Blocks(48, 8, 2, 4, 2).padding == 16


class Numbering:
    """Its chroma counts the scene's frames on the luma: luma is the frame's number."""

    def begin(self, picture):
        return None

    def step(self, before, now, previous_output, memory):
        return np.full_like(now.chroma, now.luma.mean()), None


@pytest.mark.parametrize("lanes", [1, 2, 3])
@pytest.mark.parametrize("length", [1, 7, 16, 17, 50])
def test_every_frame_gets_its_own(lanes, length):
    blank = vs.core.std.BlankClip(None, 16, 16, vs.YUV444PS, length, color=[0, 0, 0], keep=True)
    clip = vs.core.std.FrameEval(blank, lambda n: blank.std.Expr([f"{n}", "0.25", "0"]))
    correction = correction_in_blocks(clip, Numbering(), Blocks(length, 8, 3, 2, lanes), "test")
    assert correction.num_frames == length
    for n in range(length):
        _, u, v = planes_of(correction, n)
        assert np.allclose(u, n - 0.25, atol=1e-4)
        assert np.allclose(v, n, atol=1e-4)


@pytest.fixture(scope="module")
def film():
    """A real shot, and its colour made to flicker."""
    clip = wheel_clip("carphone_pristine.mp4")[20 : 20 + LENGTH]
    clip = clip.resize.Bicubic(format=vs.YUV420P8).std.SetFrameProps(_Range=0, _Matrix=6)
    shifts = np.random.default_rng(5).uniform(-12, 12, (LENGTH, 2))

    def disturb(n, f):
        frame = f.copy()
        for p in (1, 2):
            plane = np.asarray(frame[p])
            plane[...] = np.clip(np.round(plane.astype(float) + shifts[n, p - 1]), 0, 255)
        return frame

    return clip, clip.std.ModifyFrame(clip, disturb)


def chroma(clip):
    return np.stack(
        [np.stack(planes_of(clip, n)[1:]).astype(float) for n in range(clip.num_frames)]
    )


def test_flicker_goes_and_the_true_colour_comes_nearer(film):
    true, before, after = (chroma(c) for c in (*film, stabilize(film[1], "blind", size=128)))
    jitter = [float((np.diff(x, axis=0) ** 2).mean()) for x in (true, before, after)]
    assert jitter[2] - jitter[0] < 0.4 * (jitter[1] - jitter[0])
    assert ((after - true) ** 2).mean() < 0.5 * ((before - true) ** 2).mean()


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_frame_n_is_a_function_of_n(film, threads):
    clip = film[1]
    straight = stabilize(clip, "blind", size=64)
    expected = [planes_of(straight, n) for n in range(LENGTH)]
    vs.core.num_threads = threads
    fresh = stabilize(clip, "blind", size=64)
    for n in random.Random(threads).sample(range(LENGTH), LENGTH):
        for a, b in zip(planes_of(fresh, n), expected[n], strict=True):
            assert np.array_equal(a, b)
        assert np.array_equal(expected[n][0], planes_of(clip, n)[0])


def test_nothing_crosses_a_cut(film):
    clip = film[1]
    joined = stabilize(clip, "blind", size=64, scenes=[20])
    other = clip[:20].std.Invert(planes=[1, 2]) + clip[20:]
    changed = stabilize(other, "blind", size=64, scenes=[20])
    for n in (20, 21, 39):
        assert np.array_equal(planes_of(joined, n)[1], planes_of(changed, n)[1])
    assert not np.array_equal(planes_of(joined, 19)[1], planes_of(changed, 19)[1])


def test_block_boundaries_do_not_stand_out(film):
    after = chroma(stabilize(film[1], "blind", size=128))
    steps = np.abs(np.diff(after, axis=0)).mean(axis=(1, 2, 3))
    # The first block passes over to the second between frames 15 and 24.
    assert steps[15:24].max() < 1.5 * np.delete(steps, range(15, 24)).max()


@pytest.mark.parametrize("format", [vs.YUV422P10, vs.YUV444P16, vs.YUV444PH, vs.YUV444PS, vs.RGB24])
def test_formats(film, format):
    matrix = {} if format == vs.RGB24 else {"matrix": 1}
    clip = film[1][:20].resize.Bicubic(format=format, **matrix)
    out = stabilize(clip, "blind", size=64)
    assert out.format.id == clip.format.id
    assert dict(out.get_frame(3).props) == dict(clip.get_frame(3).props)
    if matrix:
        assert planes_of(out, 3)[0].tobytes() == planes_of(clip, 3)[0].tobytes()
    assert not np.array_equal(planes_of(out, 3)[1], planes_of(clip, 3)[1])


class Failing(Counting):
    def step(self, before, now, previous_output, memory):
        from vscolor.errors import DeviceError

        raise DeviceError("the device is on fire")


def test_a_failing_network_is_told(film):
    pictures = small_pictures(film[0], film[0].std.ShufflePlanes(0, vs.GRAY), Sizes(64, 64, 4), [])
    correction = correction_in_blocks(pictures, Failing(), Blocks(LENGTH, 8, 2, 4, 1), "stabilize")
    with pytest.raises(vs.Error, match="stabilize: the device is on fire"):
        correction.get_frame(0)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"size": 20}, ["size=", "64 to 1024"]),
        ({"radius": 2}, ["radius=", "does not apply to method blind"]),
        ({"weights": "/no/such.onnx"}, ["/no/such.onnx", "does not exist"]),
        ({"weights": "/no/such.pth"}, ["/no/such.pth", "does not exist"]),
        ({"device": "tpu"}, ["device=", "'tpu'"]),
    ],
)
def test_refusals(film, settings, words):
    with pytest.raises(vs.Error) as error:
        stabilize(film[0], "blind", **settings)
    for word in words:
        assert word in str(error.value)


def test_a_pixel_that_is_no_number_stays_by_itself(film):
    """A network with memory once carried it through the rest of the scene."""
    clip = film[1]
    plain = clip.resize.Bicubic(format=vs.YUV444PS)

    def spoil(n, f):
        frame = f.copy()
        if n == 3:
            np.asarray(frame[0])[10, 10] = np.nan
            np.asarray(frame[1])[20, 20] = np.inf
        return frame

    spoilt = plain.std.ModifyFrame(plain, spoil)
    steady = stabilize(clip, "blind", size=128, guide=spoilt)
    expected = stabilize(clip, "blind", size=128, guide=plain)
    assert np.abs(chroma(steady) - chroma(expected)).max() <= 6
    own = stabilize(spoilt, "blind", size=128)
    assert np.isfinite(np.delete(chroma(own), 3, axis=0)).all()
    assert (~np.isfinite(planes_of(own, 3)[1])).sum() == 1

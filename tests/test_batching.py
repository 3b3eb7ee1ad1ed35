"""The cut into batches, and that no order of requests shows in a frame."""

import random
import threading

import numpy as np
import pytest
import vapoursynth as vs
from hypothesis import given
from hypothesis import strategies as st

from vscolor.batching import BatchPlan, FramePass, predict_coefficients
from vscolor.errors import DeviceMemoryError, SettingError
from vscolor.guided import constant_coefficients, fit_coefficients
from vscolor.testing import TinyModel, noise_clip, planes_of


@given(st.integers(1, 500), st.integers(1, 64), st.integers(1, 16))
def test_plan_covers_every_frame_once(frames, batch, lanes):
    plan = BatchPlan(frames, batch, lanes)
    cycles = (frames + plan.padding) // plan.cycle
    assert (frames + plan.padding) % plan.cycle == 0
    assert plan.padding < plan.cycle
    seen = [
        c * plan.cycle + o for c in range(cycles) for k in range(lanes) for o in plan.members(k)
    ]
    assert seen == list(range(frames + plan.padding))


class Recorder(TinyModel):
    """Records the batches it is given."""

    def __init__(self):
        self.batches = []

    def predict(self, luma):
        self.batches.append(luma.shape)
        return super().predict(luma)


def lines_of(luma, batch, lanes, model=None, *, check=lambda props: None, edge_aware=True):
    frames = FramePass("colorize", luma, luma, check)
    return predict_coefficients(frames, model or TinyModel(), batch, lanes, edge_aware=edge_aware)


def direct(luma, n, edge_aware):
    one = planes_of(luma, n)[0][None, None]
    ab = TinyModel().predict(one)
    return (fit_coefficients(one, ab) if edge_aware else constant_coefficients(ab))[0]


@pytest.mark.parametrize(("batch", "lanes"), [(1, 1), (1, 3), (4, 1), (3, 2), (8, 2), (64, 1)])
@pytest.mark.parametrize("frames", [1, 7, 24])
@pytest.mark.parametrize("edge_aware", [True, False])
def test_every_frame_gets_its_own_colour(batch, lanes, frames, edge_aware):
    luma = noise_clip(vs.GRAYS, 32, 16, frames)
    lines = lines_of(luma, batch, lanes, edge_aware=edge_aware)
    assert (lines.num_frames, lines.width, lines.height) == (frames, 8, 8)
    order = list(range(frames))
    random.Random(3).shuffle(order)
    for n in order:
        assert np.array_equal(planes_of(lines, n)[1:], direct(luma, n, edge_aware))


def test_batches_have_one_shape_and_run_once_in_a_straight_pass():
    model = Recorder()
    luma = noise_clip(vs.GRAYS, 32, 16, 10)
    for frame in lines_of(luma, 4, 1, model).frames():
        frame.close()
    assert model.batches == [(4, 1, 16, 32)] * 3


def test_durations_survive():
    luma = noise_clip(vs.GRAYS, 32, 16, 10)
    lines = lines_of(luma, 4, 2)
    assert (lines.fps_num, lines.fps_den) == (luma.fps_num, luma.fps_den)


@pytest.mark.parametrize(("batch", "lanes"), [(1, 2), (4, 1)])
def test_a_refused_frame_is_named(batch, lanes):
    luma = noise_clip(vs.GRAYS, 32, 16, 12)
    marked = luma[:9] + luma[9].std.SetFrameProps(Bad=1) + luma[10:]

    def check(props):
        if "Bad" in props:
            raise SettingError("it is bad")

    lines = lines_of(marked, batch, lanes, check=check)
    planes_of(lines, 0)
    with pytest.raises(vs.Error, match="colorize: frame 9: it is bad"):
        planes_of(lines, 9)


def test_out_of_memory_names_batch_and_size():
    class Greedy(TinyModel):
        def predict(self, luma):
            raise DeviceMemoryError("cuda", 4, 256, 448)

    lines = lines_of(noise_clip(vs.GRAYS, 32, 16, 4), 4, 1, Greedy())
    with pytest.raises(vs.Error, match=r"colorize: out of memory.*batch=.*size="):
        planes_of(lines, 0)


def test_lanes_work_at_the_same_time():
    """Two lanes meet inside the model: neither could leave if the other never came."""
    meeting = threading.Barrier(2, timeout=20)

    class Meeting(TinyModel):
        def predict(self, luma):
            meeting.wait()
            return super().predict(luma)

    vs.core.num_threads = 4
    luma = noise_clip(vs.GRAYS, 32, 16, 8)
    for frame in lines_of(luma, 1, 2, Meeting()).frames(prefetch=4):
        frame.close()
    assert not meeting.broken

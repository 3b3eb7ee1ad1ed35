"""Views of history: what they show, on which models, in any order of requests."""

import random
from dataclasses import replace

import numpy as np
import pytest
import vapoursynth as vs

from vscolor import Hint, Reference, colorize
from vscolor.history import debug, keyframes
from vscolor.history.propagation import USED_PROP
from vscolor.models.registry import Entry, registry
from vscolor.testing import TINY_VIDEO_CARD, TinyVideoModel, noise_clip, planes_of, tiny_video_entry

WIDTH, HEIGHT = 160, 96


class SilentModel:
    """A video model that keeps to the contract and tells nothing of its sources."""

    def __init__(self, strengths):
        model = TinyVideoModel(strengths)
        for name in dir(TinyVideoModel):
            if not name.startswith("_") and name != "source_weights":
                setattr(self, name, getattr(model, name))


@pytest.fixture(autouse=True)
def models(monkeypatch):
    silent = Entry(
        replace(TINY_VIDEO_CARD, name="silent"),
        lambda device, weights, options, strengths: SilentModel(strengths),
        installed=lambda: True,
    )
    more = {"tiny-video": tiny_video_entry(), "silent": silent}
    monkeypatch.setattr(registry, "_entries", {**registry._entries, **more})


def film(length=40, format=vs.YUV420P8):
    return noise_clip(format, WIDTH, HEIGHT, length, 1)


def coloured(clip, model="tiny-video", **more):
    return colorize(clip, model, size=64, **{"scenes": (20,), **more})


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def told(monkeypatch):
    """What is written on each frame asked for, by number."""
    words, written = {}, debug.written

    def noted(view, picture, serving):
        def note(n, f):
            words[n] = f.props[USED_PROP].split("\n")
            return f

        return written(view, picture, serving.std.ModifyFrame(serving, note))

    monkeypatch.setattr(debug, "written", noted)
    return words


def test_marks_tell_scene_cut_and_keys(told):
    out = coloured(film(120), debug="marks")
    for n in (0, 10, 20, 21, 119):
        out.get_frame(n)
    assert told[0] == ["frame 0", "scene from 0", f"keyframe {keyframes.DELAY}: 1.000"]
    assert told[10][1] == "scene from 0"
    assert told[20] == ["frame 20", "scene from 20, CUT", f"keyframe {20 + keyframes.DELAY}: 1.000"]
    assert told[21][:2] == ["frame 21", "scene from 20"]
    weights = [float(line.split(": ")[1]) for line in told[119][2:]]
    assert len(weights) == 2
    assert sum(weights) == pytest.approx(1, abs=0.002)


def test_a_scene_that_is_faded_in_takes_a_later_key(told):
    """The usual key would be nearly black, and its colours count for a second."""

    def fade(n, f):
        frame = f.copy()
        luma = np.asarray(frame[0])
        luma[:] = 16 + (luma - 16.0) * (min(1, (n - 20) / 30) if n >= 20 else 1)
        return frame

    clip = film(120)
    out = coloured(clip.std.ModifyFrame(clip, fade), debug="marks")
    for n in (0, 20, 40, 100):
        out.get_frame(n)
    assert told[0][2:] == [f"keyframe {keyframes.DELAY}: 1.000"]
    for n in (20, 40):
        assert told[n][2:] == [f"keyframe {20 + keyframes.LATER_DELAY}: 1.000"]
    assert told[100][2].startswith(f"keyframe {20 + keyframes.LATER_DELAY}: 0.")


def test_marks_tell_references_and_hints_of_the_scene(told, tmp_path):
    picture = vs.core.std.BlankClip(None, 64, 64, vs.RGB24, 1, color=(0, 160, 255))
    out = coloured(
        film(),
        debug="marks",
        references=[Reference(picture, frame=25), Reference(picture), Reference(picture, frame=3)],
        hints=Hint(30, 5, 5, rgb="#0000ff"),
    )
    out.get_frame(25)
    assert told[25] == [
        "frame 25",
        "scene from 20",
        "reference clip of frame 25: 1.000",
        f"hints of frame 30: {keyframes.nearness(25, 30):.3f}",
        "reference clip of no frame: 0.250",
    ]


def test_marks_lie_on_the_coloured_picture_and_nowhere_else():
    plain, marked = coloured(film(), history=True), coloured(film(), debug="marks")
    a, b = planes_of(plain, 21), planes_of(marked, 21)
    corner = (slice(0, 80), slice(0, WIDTH))
    assert not np.array_equal(a[0][corner], b[0][corner])
    assert np.array_equal(a[0][:, -8:], b[0][:, -8:])
    assert np.array_equal(a[0][-16:], b[0][-16:])
    assert np.array_equal(a[1][-8:], b[1][-8:])
    assert marked.format.id == plain.format.id
    assert not same(planes_of(marked, 20), planes_of(marked, 22))


@pytest.mark.parametrize("format", [vs.GRAY8, vs.YUV444P16, vs.YUV444PH, vs.RGB24, vs.RGBS])
@pytest.mark.parametrize("view", debug.VIEWS)
def test_every_kind_of_film_can_be_written_on(format, view):
    out = coloured(film(3, format), debug=view, scenes=())
    assert all(np.isfinite(plane.astype(float)).all() for plane in planes_of(out, 2))


@pytest.mark.parametrize("view", debug.VIEWS)
@pytest.mark.parametrize("threads", [1, 8])
def test_any_order_gives_the_same_bytes(view, threads, monkeypatch):
    monkeypatch.setattr(vs.core, "num_threads", threads)
    out, other = coloured(film(), debug=view), coloured(film(), debug=view)
    straight = [planes_of(out, n) for n in range(40)]
    for n in [*range(39, -1, -1), *random.Random(4).choices(range(40), k=40)]:
        assert same(planes_of(other, n), straight[n])
    vs.core.clear_cache()
    assert same(planes_of(other[15:25], 6), straight[21])


def chroma(clip, n):
    """U and V from their neutral, means of the picture's upper quarter, where no legend is."""
    return [float(p[: p.shape[0] // 4].astype(float).mean()) - 128 for p in planes_of(clip, n)[1:]]


def test_sources_tint_history_blue_and_correspondence_red():
    """The tiny model takes a third of history, match, still; at a cut, half match, half still."""
    out = coloured(film(), debug="sources")
    u, v = chroma(out, 20)
    assert u < 0 < v, "red at the cut: there is no history"
    later_u, later_v = chroma(out, 25)
    assert later_u > u + 4, "bluer, since history has a third"
    assert v - later_v > 4


def test_sources_leave_out_what_has_no_say():
    out = coloured(film(), debug="sources", history=False, references=film(1, vs.RGB24))
    at_cut = chroma(coloured(film(), debug="sources"), 20)
    assert chroma(out, 25) == pytest.approx(at_cut, abs=0.1)


def test_sources_have_dimmed_luma_and_full_strength():
    out, pale = (coloured(film(), debug="sources", strength=s) for s in (1.0, 0.2))
    assert same(planes_of(out, 9), planes_of(pale, 9))
    luma = planes_of(out, 9)[0][:16]
    low, high = (16 + 219 * share for share in debug.DIMMED)
    source = np.clip(planes_of(film(), 9)[0][:16].astype(float), 16, 235)
    inside = (source > 16) & (source < 235)
    expected = low + (source - 16) * (high - low) / 219
    assert np.abs(luma - expected)[inside].max() <= 0.51


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"debug": "confidence"}, "debug= is 'confidence', expected one of marks, sources"),
        ({"debug": True}, "debug= is True, expected one of marks, sources"),
        (
            {"model": "mini", "debug": "marks"},
            "model mini has no history, expected history=True.* mini-video",
        ),
        ({"model": "silent", "debug": "sources"}, "does not tell .* such as mini-video"),
    ],
)
def test_what_cannot_be_shown_is_said(given, message):
    with pytest.raises(vs.Error, match=f"colorize: .*{message}"):
        coloured(film(3), **{"scenes": (), **given})


def test_the_default_still_model_is_refused_too():
    with pytest.raises(vs.Error, match="model mini has no history, expected history=True"):
        colorize(film(3), debug="marks")


def test_a_picture_too_small_to_write_on_is_refused():
    with pytest.raises(vs.Error, match="which is 48x32, expected 64x64 or more"):
        coloured(noise_clip(vs.GRAY8, 48, 32, 3), debug="marks", scenes=())


def test_a_model_that_tells_nothing_still_has_marks(told):
    coloured(film(3), "silent", debug="marks", scenes=()).get_frame(2)
    assert told[2][0] == "frame 2"

"""stabilize: what it must take away, what it must leave, and that no order shows."""

import random

import numpy as np
import pytest
import vapoursynth as vs
from wheel import wheel_clip

from vscolor import stabilize
from vscolor.steadying import motion
from vscolor.testing import noise_clip, planes_of

LENGTH = 16


@pytest.fixture(scope="module")
def film():
    """A real colour shot with a still camera and a moving man, 16 frames of 176x144."""
    clip = wheel_clip("carphone_pristine.mp4")[20 : 20 + LENGTH]
    return clip.resize.Bicubic(format=vs.YUV420P8).std.SetFrameProps(_Range=0, _Matrix=6)


def disturbed(clip, levels):
    """Add `levels[n]` (U, V) to the chroma of frame n, over the whole frame or a mask of it."""

    def disturb(n, f):
        frame = f.copy()
        for p in (1, 2):
            plane = np.asarray(frame[p])
            moved = plane.astype(float) + levels(n, plane.shape)[p - 1]
            plane[...] = np.clip(np.round(moved), 0, 255)
        return frame

    return clip.std.ModifyFrame(clip, disturb)


def chroma(clip):
    return np.stack(
        [np.stack(planes_of(clip, n)[1:]).astype(float) for n in range(clip.num_frames)]
    )


def unsteadiness(values):
    return float((np.diff(values, axis=0) ** 2).mean())


def flickering(clip):
    shifts = np.random.default_rng(5).uniform(-12, 12, (clip.num_frames, 2))
    return disturbed(clip, lambda n, shape: shifts[n])


def jumping(clip):
    """A third of the picture is of another colour in about a third of the frames."""
    other = np.random.default_rng(6).random(clip.num_frames) < 0.3

    def levels(n, shape):
        mask = np.zeros(shape)
        mask[:, shape[1] // 3 : 2 * shape[1] // 3] = 25.0 * other[n]
        return mask, -mask

    return disturbed(clip, levels)


@pytest.mark.parametrize("disturb", [flickering, jumping])
def test_flicker_goes_and_the_true_colour_comes_nearer(film, disturb):
    true, before = chroma(film), chroma(disturb(film))
    after = chroma(stabilize(disturb(film)))
    excess = unsteadiness(before) - unsteadiness(true)
    assert unsteadiness(after) - unsteadiness(true) < 0.25 * excess
    gain = 10 * np.log10(((before - true) ** 2).mean() / ((after - true) ** 2).mean())
    assert gain > 5


def test_a_jump_between_two_colours_ends_in_the_more_frequent_one(film):
    true = chroma(film)
    after = chroma(stabilize(jumping(film)))
    middle = slice(30, 58)
    assert np.abs(after - true)[:, :, :, middle].mean() < 6  # a plain mean is 7.5 off


def test_steady_colour_stays(film):
    assert np.abs(chroma(stabilize(film)) - chroma(film)).mean() < 0.5


def test_nothing_crosses_a_cut():
    def shot(name, start):
        clip = wheel_clip(name)[start : start + 8].resize.Bicubic(160, 128, vs.YUV420P8)
        return clip.std.SetFrameProps(_Matrix=1, _SARNum=1, _SARDen=1)

    first, second = shot("carphone_pristine.mp4", 20), shot("bigbuckbunny.mp4", 40)
    red = disturbed(first, lambda n, shape: (-20, 40))
    for left in (first, red):
        joined, alone = stabilize(left + second), stabilize(second, scenes=[])
        assert np.array_equal(chroma(joined)[8:], chroma(alone))


def test_listed_scenes_are_taken_as_they_are(film, tmp_path):
    (tmp_path / "cuts.txt").write_text("8\n")
    parts = [stabilize(flickering(film)[a:b], scenes=[]) for a, b in ((0, 8), (8, 16))]
    for scenes in ([8], str(tmp_path / "cuts.txt"), tmp_path / "cuts.txt"):
        whole = stabilize(flickering(film), scenes=scenes)
        assert np.abs(chroma(whole) - np.concatenate([chroma(p) for p in parts])).max() <= 1


@pytest.fixture(scope="module")
def long_film():
    clip = wheel_clip("carphone_pristine.mp4")[:60]
    return clip.resize.Bicubic(format=vs.YUV444P16).std.SetFrameProps(_Range=0, _Matrix=6)


def pulsing(clip):
    """A slow wave of 8 levels, 40 frames long; `disturbed` works on 8 bits."""
    wave = 8 * np.sin(2 * np.pi * np.arange(clip.num_frames) / 40)

    def pulse(n, f):
        frame = f.copy()
        for p in (1, 2):
            plane = np.asarray(frame[p])
            plane[...] = np.round(plane + 256 * wave[n]).astype(np.uint16)
        return frame

    return clip.std.ModifyFrame(clip, pulse)


def amplitude(after, true):
    """Of the scene-mean chroma error, in 8-bit levels."""
    error = (after - true).mean(axis=(2, 3)) / 256
    return np.sqrt(2 * ((error - error.mean(axis=0)) ** 2).mean())


def test_slow_pulsing_goes_in_the_mode_meant_for_it(long_film):
    true, clip = chroma(long_film), pulsing(long_film)
    before = amplitude(chroma(clip), true)
    assert amplitude(chroma(stabilize(clip)), true) > 0.8 * before
    assert amplitude(chroma(stabilize(clip, slow=True)), true) < 0.4 * before


def test_slow_mode_leaves_steady_colour_nearly_alone(long_film):
    after = chroma(stabilize(long_film, slow=True))
    assert np.abs(after - chroma(long_film)).mean() / 256 < 1


def test_slow_mode_is_a_function_of_n_and_stops_at_cuts(long_film):
    clip = pulsing(long_film)
    whole, part = (
        stabilize(clip, slow=True, scenes=[30]),
        stabilize(clip[30:], slow=True, scenes=[]),
    )
    for n in (55, 30, 42, 31):
        assert np.array_equal(planes_of(whole, n)[1], planes_of(part, n - 30)[1])
    again = stabilize(clip, slow=True, scenes=[30])
    assert np.array_equal(planes_of(again, 29)[2], planes_of(whole, 29)[2])


@pytest.mark.parametrize("threads", [1, 2, 8])
def test_frame_n_is_a_function_of_n(film, threads):
    clip = flickering(film)
    straight = chroma(stabilize(clip))
    vs.core.num_threads = threads
    fresh = stabilize(clip)
    for n in random.Random(threads).sample(range(LENGTH), LENGTH):
        assert np.array_equal(np.stack(planes_of(fresh, n)[1:]), straight[n])


FORMATS = [
    vs.YUV420P8,
    vs.YUV422P10,
    vs.YUV444P16,
    vs.YUV411P8,
    vs.YUV410P8,
    vs.YUV440P8,
    vs.YUV444PS,
    vs.YUV444PH,
    vs.RGB24,
    vs.RGBS,
]


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("full", [0, 1])
def test_every_format_keeps_luma_properties_and_steadies(film, format, full):
    wide = vs.core.get_video_format(format).color_family == vs.RGB
    source = flickering(film).resize.Bicubic(
        format=format, range=full, **({} if wide else {"matrix": 1})
    )
    clip = source.std.SetFrameProps(Mine=4)
    out = stabilize(clip)
    assert out.format.id == clip.format.id
    assert dict(out.get_frame(5).props) == dict(clip.get_frame(5).props)
    if not wide:
        assert planes_of(out, 5)[0].tobytes() == planes_of(clip, 5)[0].tobytes()
    ratio = unsteadiness(chroma(out)) / unsteadiness(chroma(clip))
    assert ratio < (0.9 if wide else 0.5)


def test_strength_and_guide(film):
    clip = flickering(film)
    assert np.array_equal(chroma(stabilize(clip, strength=0)), chroma(clip))
    half = np.abs(chroma(stabilize(clip, strength=0.5)) - chroma(clip)).mean()
    assert 0.3 < half / np.abs(chroma(stabilize(clip)) - chroma(clip)).mean() < 0.7
    luma = clip.std.ShufflePlanes(0, vs.GRAY)
    assert np.array_equal(chroma(stabilize(clip, guide=luma)), chroma(stabilize(clip)))


@pytest.mark.parametrize("size", [(16, 16), (48, 200), (250, 18)])
def test_small_and_narrow_clips(size):
    clip = noise_clip(vs.YUV420P8, *size, 3)
    assert planes_of(stabilize(clip), 1)[0].tobytes() == planes_of(clip, 1)[0].tobytes()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "magic"}, ["method=", "'magic'", "motion"]),
        ({"radius": 0}, ["radius=", "1 to 5"]),
        ({"radius": 6}, ["radius="]),
        ({"match": 0}, ["match=", "1 to 50"]),
        ({"strength": 2}, ["strength=", "0 to 1"]),
        ({"scenes": [99]}, ["frame 99", "0 to 2"]),
        ({"scenes": "/no/such/file"}, ["scene file", "cannot be read"]),
        ({"guide": 3}, ["guide is int"]),
    ],
)
def test_refusals(settings, words):
    with pytest.raises(vs.Error) as error:
        stabilize(noise_clip(vs.YUV420P8, 64, 64, 3), **settings)
    assert str(error.value).startswith("stabilize: ")
    for word in words:
        assert word in str(error.value)


def test_grey_clips_are_refused():
    with pytest.raises(vs.Error, match=r"stabilize: clip is GRAY.*colorize"):
        stabilize(noise_clip(vs.GRAY8))


@pytest.mark.parametrize("family", [vs.YUV420P8, vs.RGB24])
@pytest.mark.parametrize(
    ("props", "word"),
    [
        ({"_Range": 0}, "limited range"),
        ({"_FieldBased": 1}, "interlaced"),
        ({"_SARNum": 16, "_SARDen": 15}, "pixel aspect 16:15"),
    ],
)
def test_a_change_in_mid_clip_is_refused_at_that_frame(family, props, word):
    clip = noise_clip(family, 128, 96, length=8, _Range=1)
    changed = clip[:6] + clip[6].std.SetFrameProps(**props) + clip[7]
    out = stabilize(changed)
    planes_of(out, 5)
    for steadied in (out, stabilize(changed, strength=0)):
        with pytest.raises(vs.Error, match=r"stabilize: frame 6: ") as error:
            planes_of(steadied, 6)
        assert word in str(error.value)


def test_natural_drift_stays_and_pulsing_hardly_shrinks():
    levels = np.zeros((2, 1, 3), np.float32)
    levels[0, 0] = 0.9, 2, 8
    kept = motion._beyond_natural(levels / 255)[0, 0] * 255
    assert kept == pytest.approx([0, 1.5, 7.875], abs=1e-3)

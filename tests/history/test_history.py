"""History: the order of requests never shows, the past does, and a cut ends it."""

import random

import numpy as np
import pytest
import vapoursynth as vs

from vscolor import Hint, Reference, colorize
from vscolor.history import keyframes
from vscolor.models.registry import registry
from vscolor.testing import noise_clip, planes_of, tiny_video_entry
from vscolor.testing.builders import TinyVideoModel

WIDTH, HEIGHT = 48, 32


@pytest.fixture(autouse=True)
def tiny_video(monkeypatch):
    entries = {**registry._entries, "tiny-video": tiny_video_entry()}
    monkeypatch.setattr(registry, "_entries", entries)


def film(length, seed=1):
    return noise_clip(vs.GRAY8, WIDTH, HEIGHT, length, seed)


def coloured(clip, scenes=(), **more):
    return colorize(clip, "tiny-video", size=64, scenes=scenes, history=True, **more)


def frames_of(clip, numbers):
    return {n: planes_of(clip, n)[1:] for n in numbers}


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.mark.parametrize("scenes", [(), (7, 40)])
@pytest.mark.parametrize("threads", [1, 2, 8])
def test_any_order_gives_the_same_bytes(scenes, threads, monkeypatch):
    monkeypatch.setattr(vs.core, "num_threads", threads)
    straight = frames_of(coloured(film(60), scenes), range(60))
    numbers = [*range(59, -1, -1), *random.Random(5).choices(range(60), k=100)]
    other = coloured(film(60), scenes)
    assert all(same(planes_of(other, n)[1:], straight[n]) for n in numbers)
    part = coloured(film(60), scenes)[23:41]
    assert all(same(planes_of(part, n)[1:], straight[23 + n]) for n in range(18))
    vs.core.clear_cache()
    assert same(planes_of(other, 31)[1:], straight[31])


def test_asynchronous_requests_of_two_clips_neither_mix_nor_lock():
    first, second = coloured(film(60)), coloured(film(60, seed=2))
    expected = [frames_of(coloured(film(60, seed=s)), range(60)) for s in (1, 2)]
    picks = random.Random(9).choices([(c, n) for c in (0, 1) for n in range(60)], k=400)
    futures = [((first, second)[c].get_frame_async(n), c, n) for c, n in picks]
    for future, c, n in futures:
        with future.result() as frame:
            assert same([np.asarray(frame[p]) for p in (1, 2)], expected[c][n])


def changed_at(clip, n):
    """The clip with another picture in frame n."""
    other = film(clip.num_frames, seed=77)
    return clip[:n] + other[n] + clip[n + 1 :]


@pytest.mark.parametrize("n", [10, 11, 12, 13, 17, 18])
def test_the_frame_before_is_seen_and_a_cut_hides_it(n):
    """Frame n - 1's luma alone is changed; n's own and its keys' stay."""
    clip = film(40)
    assert n - 1 != keyframes.DELAY
    untouched = planes_of(coloured(clip), n)[1:]
    assert not same(planes_of(coloured(changed_at(clip, n - 1)), n)[1:], untouched)
    cut = planes_of(coloured(clip, [n]), n)[1:]
    assert same(planes_of(coloured(changed_at(clip, n - 1), [n]), n)[1:], cut)


def test_history_reaches_back_no_further_than_block_and_warm_up():
    clip = film(40)
    untouched = planes_of(coloured(clip), 30)[1:]
    assert same(planes_of(coloured(changed_at(clip, 16)), 30)[1:], untouched)


def test_history_off_leaves_the_frame_before_out():
    clip = film(30)
    kwargs = {"size": 64, "scenes": (), "references": clip_of_colour(), "history": False}
    one = colorize(clip, "tiny-video", **kwargs)
    other = colorize(changed_at(clip, 14), "tiny-video", **kwargs)
    assert same(planes_of(one, 15)[1:], planes_of(other, 15)[1:])


def clip_of_colour(color=(0, 160, 255)):
    return vs.core.std.BlankClip(None, 64, 64, vs.RGB24, length=1, color=color)


def chroma_mean(clip, n):
    return np.array([p.astype(float).mean() for p in planes_of(clip, n)[1:]])


def test_a_scene_with_a_reference_takes_from_no_other():
    clip, scenes = film(60), [20, 40]
    red = [Reference(clip_of_colour((255, 60, 0)), frame=n) for n in (5, 45)]
    alone = coloured(clip, scenes, references=red)
    blue = coloured(clip, scenes, references=[*red, Reference(clip_of_colour(), frame=25)])
    for n in (0, 5, 19, 40, 55):
        assert same(planes_of(blue, n)[1:], planes_of(alone, n)[1:])
    for n in (20, 25, 39):
        assert chroma_mean(blue, n)[0] > chroma_mean(alone, n)[0] + 5


def test_a_scene_without_a_reference_takes_from_the_others_as_from_another_film():
    clip, scenes = film(60), [20, 40]
    of_another = coloured(clip, scenes, references=[Reference(clip_of_colour(), frame=25)])
    of_none = coloured(clip, scenes, references=clip_of_colour())
    for n in (5, 19, 40, 55):
        assert same(planes_of(of_another, n)[1:], planes_of(of_none, n)[1:])


def marked(clip, cuts):
    """The clip with `_SceneChangePrev` on every frame."""
    plain = clip.std.SetFrameProps(_SceneChangePrev=0)
    for n in cuts:
        cut = plain[n].std.SetFrameProps(_SceneChangePrev=1)
        plain = plain[:n] + cut + plain[n + 1 :]
    return plain


@pytest.mark.parametrize("listed", [True, False])
@pytest.mark.parametrize("count", [5, 15])
def test_far_references_do_not_push_out_the_scenes_own(listed, count):
    """The scene's one reference lies far behind; many of the next scenes lie nearer."""
    scenes = list(range(60, 60 + 4 * count, 4))
    clip = film(120) if listed else marked(film(120), scenes)
    given = scenes if listed else None
    others = [Reference(clip_of_colour((255, 60, 0)), frame=n) for n in scenes]
    blue = coloured(clip, given, references=[Reference(clip_of_colour(), frame=2), *others])
    only = coloured(clip, given, references=[Reference(clip_of_colour(), frame=2)])
    assert same(planes_of(blue, 59)[1:], planes_of(only, 59)[1:])


@pytest.mark.parametrize("listed", [True, False])
def test_far_references_do_not_push_out_the_scenes_own_hint(listed):
    scenes = list(range(60, 100, 4))
    clip = film(100) if listed else marked(film(100), scenes)
    given = scenes if listed else None
    others = [Reference(clip_of_colour((255, 60, 0)), frame=n) for n in scenes]
    hinted, plain = (
        coloured(clip, given, references=others, **more)
        for more in ({"hints": Hint(2, 10, 10, rgb="#0000ff")}, {})
    )
    assert not same(planes_of(hinted, 59)[1:], planes_of(plain, 59)[1:])


def test_a_reference_finds_its_scene_without_a_list():
    listed = coloured(film(60), [20], references=[Reference(clip_of_colour(), frame=25)])
    found = coloured(
        marked(film(60), [20]), None, references=[Reference(clip_of_colour(), frame=25)]
    )
    for n in (0, 19, 20, 21, 30, 59):
        assert same(planes_of(found, n)[1:], planes_of(listed, n)[1:])


def test_a_scene_number_and_a_frame_number_say_the_same():
    clip, scenes = film(60), [20, 40]
    by_scene = coloured(clip, scenes, references=[Reference(clip_of_colour(), scene=1)])
    by_frame = coloured(
        clip, scenes, references=[Reference(clip_of_colour(), frame=20 + keyframes.DELAY)]
    )
    assert same(planes_of(by_scene, 33)[1:], planes_of(by_frame, 33)[1:])


def test_a_reference_of_no_frame_serves_everywhere():
    clip = film(60)
    blue = coloured(clip, [20], references=clip_of_colour())
    plain = coloured(clip, [20])
    for n in (3, 50):
        assert chroma_mean(blue, n)[0] > chroma_mean(plain, n)[0] + 5


def test_a_reference_may_keep_to_its_scene():
    clip = film(40)
    given = Reference(clip_of_colour(), frame=5)
    bound = coloured(clip, [20], references=given, reference_reach="scene")
    free = coloured(clip, [20], references=given)
    plain = coloured(clip, [20])
    assert same(planes_of(bound, 10)[1:], planes_of(free, 10)[1:])
    assert same(planes_of(bound, 30)[1:], planes_of(plain, 30)[1:])
    assert not same(planes_of(free, 30)[1:], planes_of(plain, 30)[1:])


def test_more_palettes_than_count_are_told(caplog):
    given = [clip_of_colour((255, 60, n)) for n in range(5)]
    coloured(film(9), references=given[:4])
    assert not caplog.text
    coloured(film(9), references=given)
    assert "5 references belong to no frame, of which a frame takes from the first 4" in caplog.text


def test_pictures_that_nobody_coloured_are_left_out(caplog):
    clip = film(40)
    grey = vs.core.std.BlankClip(None, 64, 64, vs.RGB24, 1, color=[90, 90, 91])
    given = [Reference(clip_of_colour(), frame=5), Reference(grey, frame=25)]
    some = coloured(clip, [20], references=given)
    alone = coloured(clip, [20], references=given[0])
    for n in (10, 30):
        assert same(planes_of(some, n)[1:], planes_of(alone, n)[1:])
    assert "colorize: left out: reference clip has no colour anywhere" in caplog.text
    with pytest.raises(vs.Error, match="reference clip has no colour anywhere"):
        coloured(clip, [20], references=given[1])


def test_a_hint_colours_its_scene():
    clip = film(40)
    hinted = coloured(clip, [20], hints=Hint(5, 10, 10, rgb="#0000ff"))
    plain = coloured(clip, [20])
    assert chroma_mean(hinted, 15)[0] > chroma_mean(plain, 15)[0] + 5
    assert same(planes_of(hinted, 25)[1:], planes_of(plain, 25)[1:])  # it stays in its scene


@pytest.mark.parametrize("confidence", [0.0, 1.0])
def test_where_a_hint_has_little_confidence_the_frame_s_own_colour_stands(monkeypatch, confidence):
    def spread(self, luma, features, hints):
        ab, sure = plain(self, luma, features, hints)
        return ab, sure * np.float32(confidence)

    plain = TinyVideoModel.spread
    monkeypatch.setattr(TinyVideoModel, "spread", spread)
    clip = film(1) * 12
    without, hinted = (
        frames_of(coloured(clip, **more), [5, 9])
        for more in ({}, {"hints": Hint(5, 10, 10, rgb="#0000ff")})
    )
    for n, found in hinted.items():
        apart = np.abs(found[0].astype(int) - without[n][0]).mean()
        assert apart < 2 if confidence == 0 else apart > 10


def test_luma_stays():
    clip = film(20)
    assert np.array_equal(planes_of(coloured(clip), 11)[0], planes_of(clip, 11)[0])


def test_a_reference_reaches_no_further_than_its_cuts_were_searched(monkeypatch):
    """Its own shot goes on beyond the search, so its end is not known."""
    monkeypatch.setattr(keyframes, "REACH", 16)
    clip = film(100).std.SetFrameProps(_SceneChangePrev=0)
    marked = clip[:60] + clip[60].std.SetFrameProps(_SceneChangePrev=1) + clip[61:]
    blue, red = clip_of_colour(), clip_of_colour((255, 60, 0))
    given = [Reference(blue, frame=10), Reference(red, frame=50)]
    first, second, both = (
        chroma_mean(colorize(marked, "tiny-video", size=64, references=some), 80)
        for some in (given[:1], given[1:], given)
    )
    # Frame 80 has no reference in its own scene, so these two count alike.
    assert 0.3 < np.linalg.norm(both - first) / np.linalg.norm(second - first) < 0.7


@pytest.mark.parametrize("model", ["tiny-video", "mini-video"])
def test_a_reference_very_far_away_still_counts(model):
    clip = film(20) * 3500
    out = colorize(clip, model, size=64, scenes=(), references=Reference(clip_of_colour(), frame=5))
    assert chroma_mean(out, 69_990)[0] > 130


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"references": Reference("nowhere.png", frame=1)}, "nowhere.png does not exist"),
        ({"references": [3]}, "references= has 3, expected a picture"),
        ({"references": Reference(vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1))}, "is GRAY"),
        (
            {"references": Reference(vs.core.std.BlankClip(None, 64, 64, vs.RGB24, 1), 99)},
            "frame 99",
        ),
        (
            {"references": Reference(vs.core.std.BlankClip(None, 64, 64, vs.RGB24, 1), scene=9)},
            "scene 9, expected 0 to 0",
        ),
        (
            {"references": clip_of_colour(), "reference_reach": "shot"},
            "expected one of film, scene",
        ),
        ({"reference_reach": "scene"}, "which needs references="),
        ({"hints": Hint(0, 1, 1)}, "expected one of them"),
        ({"hints": Hint(0, 1000, 1, rgb="#ffffff")}, "is at 1000, 1"),
        ({"hints": Hint(99, 1, 1, rgb="#ffffff")}, "frame 99"),
        ({"hints": Hint(0, 1, 1, rgb=(1, 2))}, "expected 3 numbers from 0 to 255"),
        ({"hints": Hint(0, 1, 1, ab=(1, 999))}, "expected 2 numbers from -128 to 128"),
        ({"hints": Hint(0, 1, 1, rgb="#ffffff", radius=0)}, "radius 0"),
        ({"history_strength": 11}, "history_strength= is 11, expected 0 to 10"),
        ({"scenes": [400]}, "scenes= has frame 400, expected 0 to 19"),
    ],
)
def test_what_cannot_be_used_is_said(given, message):
    with pytest.raises(vs.Error, match=f"colorize: .*{message}"):
        coloured(film(20), **given)


def test_a_model_without_history_says_which_has_it():
    with pytest.raises(vs.Error, match=r"model mini takes no history.*mini-video"):
        colorize(film(3), "mini", history=True)


def test_strengths_of_history_are_refused_where_there_is_none():
    with pytest.raises(vs.Error, match=r"reference_strength= is for models with history.*mini"):
        colorize(film(3), "mini", reference_strength=0.5)


def test_a_refused_frame_is_named():
    clip = film(20)
    bad = clip[:9] + clip[9].std.SetFrameProps(_FieldBased=1) + clip[10:]
    with pytest.raises(vs.Error, match="colorize: frame 9: frame is interlaced"):
        planes_of(coloured(bad), 9)


def test_a_change_in_mid_clip_is_refused_at_that_frame():
    clip = film(60)
    changed = clip[:50] + clip[50].std.SetFrameProps(_SARNum=16, _SARDen=15) + clip[51:]
    out = coloured(changed, scenes=[])
    planes_of(out, 0)
    with pytest.raises(vs.Error, match=r"colorize: frame 50: .*pixel aspect 16:15"):
        planes_of(out, 50)


def test_a_picture_whose_lines_the_core_pads_is_coloured():
    clip = noise_clip(vs.GRAY8, 128, 96, 4)  # 88 wide to the model: 352 bytes a line of 384
    assert all(np.isfinite(p).all() for p in planes_of(coloured(clip), 3))


@pytest.mark.parametrize("shape", [(1376, 16), (352, 16), (16, 1920)])
def test_long_strips_are_coloured(shape):
    """The model once saw 8 pixels of their short side, in which no motion can be looked for."""
    size = 64 if shape[0] == 352 else None
    clip = noise_clip(vs.GRAY8, *shape, length=2, seed=3)
    made = colorize(clip, "mini-video", size=size)
    assert np.array_equal(planes_of(made, 1)[0], planes_of(clip, 1)[0])


def test_a_reference_may_say_what_the_resizer_does_not_know():
    """RGB whose properties came from YUV film, and tags that mean nothing."""
    rgb = noise_clip(vs.RGB24, WIDTH, HEIGHT, 1, 7)
    plain = frames_of(coloured(film(3), references=rgb), range(3))
    for said in ({"_Matrix": 1}, {"_Transfer": 0}, {"_Primaries": 0}, {"_ChromaLocation": 99}):
        told = coloured(film(3), references=rgb.std.SetFrameProps(**said))
        assert all(same(frames_of(told, range(3))[n], plain[n]) for n in range(3))
    yuv = noise_clip(vs.YUV444P8, WIDTH, HEIGHT, 1, 7)
    plain = frames_of(coloured(film(1), references=yuv), [0])
    told = coloured(film(1), references=yuv.std.SetFrameProps(_Transfer=0, _Primaries=0))
    assert same(frames_of(told, [0])[0], plain[0])

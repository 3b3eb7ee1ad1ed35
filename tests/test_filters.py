"""colorize as a user meets it, with the tiny model; test_mini.py has the embedded one."""

import hashlib
import random

import numpy as np
import pytest
import vapoursynth as vs
from hypothesis import given, settings
from hypothesis import strategies as st

from vscolor import Hint, Reference, colorize
from vscolor.testing import noise_clip, planes_of

YUV_SHAPES = [(0, 0), (1, 0), (1, 1), (2, 0), (2, 2), (0, 1)]
DEPTHS = [(vs.INTEGER, b) for b in range(8, 17)] + [(vs.FLOAT, 16), (vs.FLOAT, 32)]


def digest(clip, n):
    return hashlib.sha256(b"".join(p.tobytes() for p in planes_of(clip, n))).hexdigest()


def tiny(clip, **settings):
    return colorize(clip, "tiny", **{"size": 64, **settings})


def query(family, sample, bits, sub=(0, 0)):
    return vs.core.query_video_format(family, sample, bits, *sub).id


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("sub", YUV_SHAPES)
@pytest.mark.parametrize("full", [0, 1])
def test_luma_of_yuv_is_bit_for_bit(depth, sub, full):
    clip = noise_clip(query(vs.YUV, *depth, sub), _Range=full)
    out = tiny(clip)
    assert out.format.id == clip.format.id
    for n in (0, clip.num_frames - 1):
        given_, made = planes_of(clip, n), planes_of(out, n)
        assert given_[0].tobytes() == made[0].tobytes()
        assert given_[1].tobytes() != made[1].tobytes()


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("size", "sub"), [((64, 48), 1), ((33, 48), 0), ((64, 21), 0)])
def test_luma_of_gray_is_bit_for_bit(depth, size, sub):
    clip = noise_clip(query(vs.GRAY, *depth), *size)
    out = tiny(clip)
    assert out.format.id == query(vs.YUV, *depth, (sub, sub))
    assert planes_of(clip, 2)[0].tobytes() == planes_of(out, 2)[0].tobytes()


@pytest.mark.parametrize("depth", DEPTHS)
def test_rgb_stays_rgb_and_keeps_its_brightness(depth):
    grey = noise_clip(query(vs.GRAY, *depth))
    grey = grey.std.SetFrameProps(_Range=1)
    rgb = vs.core.std.ShufflePlanes([grey] * 3, [0, 0, 0], vs.RGB)
    out = tiny(rgb)
    assert out.format.id == rgb.format.id
    r, g, b = (p.astype(np.float64) for p in planes_of(out, 0))
    luma = 0.2126 * r + 0.7152 * g + 0.0722 * b
    peak = 1 if depth[0] == vs.FLOAT else 2 ** depth[1] - 1
    assert np.abs(luma - planes_of(grey, 0)[0]).max() / peak < 0.003
    assert np.abs(r - b).max() / peak > 0.05


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(16, 300),
    height=st.integers(16, 300),
    sub=st.sampled_from(YUV_SHAPES),
    batch=st.integers(1, 5),
    data=st.data(),
)
def test_any_size_and_batch(width, height, sub, batch, data):
    width, height = width >> sub[0] << sub[0], height >> sub[1] << sub[1]
    clip = noise_clip(query(vs.YUV, vs.INTEGER, 8, sub), max(width, 16), max(height, 16), 7)
    out = tiny(clip, batch=batch)
    n = data.draw(st.integers(0, 6))
    assert planes_of(clip, n)[0].tobytes() == planes_of(out, n)[0].tobytes()
    assert digest(out, n) == digest(tiny(clip), n)


@pytest.mark.parametrize("threads", [1, 2, 8])
@pytest.mark.parametrize("batch", [1, 4])
def test_frame_n_is_a_function_of_n(threads, batch):
    vs.core.num_threads = threads
    clip = noise_clip(vs.YUV420P8, length=22)
    straight = [digest(f, 0) for f in _single_frames(tiny(clip, batch=batch))]
    orders = {
        "reverse": list(range(22))[::-1],
        "shuffled": random.Random(1).sample(range(22), 22),
        "sub-range": list(range(9, 14)),
        "again and again": [5, 21, 5, 0, 5],
    }
    for order in orders.values():
        fresh = tiny(clip, batch=batch)
        assert [digest(fresh, n) for n in order] == [straight[n] for n in order]
    fresh = tiny(clip, batch=batch)
    waiting = {n: fresh.get_frame_async(n) for n in orders["shuffled"]}
    for n, future in waiting.items():
        with future.result() as frame:
            made = b"".join(np.asarray(frame[p]).tobytes() for p in range(3))
        assert hashlib.sha256(made).hexdigest() == straight[n]


def _single_frames(clip):
    return [clip[n] for n in range(clip.num_frames)]


def test_trimming_before_or_after_makes_no_difference():
    clip = noise_clip(vs.GRAY8, length=20)
    assert digest(tiny(clip, batch=4)[13], 0) == digest(tiny(clip[13:], batch=4), 0)


def test_properties_are_kept_and_completed():
    clip = noise_clip(
        vs.GRAY8, _SARNum=16, _SARDen=15, _SceneChangePrev=1, _Transfer=6, Mine=42, _AbsoluteTime=3
    )
    out = tiny(clip)
    source, props = dict(clip.get_frame(1).props), dict(out.get_frame(1).props)
    assert {k: props[k] for k in source} == source
    assert {k: int(v) for k, v in props.items() if k not in source} == {
        "_Matrix": 6,
        "_Range": 0,
        "_ChromaLocation": 0,
    }
    assert (out.fps, out.num_frames) == (clip.fps, clip.num_frames)


def test_rgb_properties_are_the_sources():
    clip = noise_clip(vs.RGB24, _Matrix=0, _Range=1, Mine=7)
    assert dict(tiny(clip).get_frame(0).props) == dict(clip.get_frame(0).props)


def test_strength_and_saturation():
    clip = noise_clip(vs.YUV444P16)

    def chroma(**settings):
        return np.stack(planes_of(tiny(clip, **settings), 0)[1:]).astype(float) - 32768

    whole = chroma()
    assert (chroma(strength=0) == 0).all()
    assert (chroma(saturation=0) == 0).all()
    assert np.abs(chroma(strength=0.5)).mean() < 0.9 * np.abs(whole).mean()
    assert np.abs(chroma(saturation=1.5)).mean() > np.abs(whole).mean()
    assert (chroma(strength=0.5, saturation=2) == whole).all()


def test_guide_gives_the_colour_and_not_the_luma():
    clip = noise_clip(vs.YUV420P8, seed=1)
    guide = noise_clip(vs.YUV444P16, 128, 96, seed=2, _Range=1)
    guided, plain = tiny(clip, guide=guide), tiny(clip)
    assert planes_of(guided, 0)[0].tobytes() == planes_of(clip, 0)[0].tobytes()
    assert planes_of(guided, 0)[1].tobytes() != planes_of(plain, 0)[1].tobytes()
    assert digest(tiny(clip, guide=clip), 0) == digest(plain, 0)


def test_rgb_guide_is_looked_at_by_its_luma():
    clip = noise_clip(vs.GRAY8)
    rgb = vs.core.std.ShufflePlanes([clip.std.SetFrameProps(_Range=1)] * 3, [0] * 3, vs.RGB)
    full = clip.std.SetFrameProps(_Range=1)
    a, b = (planes_of(tiny(full, guide=g), 0)[1].astype(int) for g in (rgb, full))
    assert np.abs(a - b).max() <= 1


def test_two_clips_do_not_share_colours():
    clips = [noise_clip(vs.GRAY8, seed=s) for s in (1, 2)]
    alone = [digest(tiny(c), 3) for c in clips]
    outs = [tiny(c) for c in clips]
    assert [digest(o, 3) for o in outs] == alone
    assert alone[0] != alone[1]


def blank(format=vs.YUV420P8, width=64, height=48, **props):
    clip = vs.core.std.BlankClip(None, width, height, format, 4)
    return clip.std.SetFrameProps(**props) if props else clip


@pytest.mark.parametrize(
    ("clip", "settings", "words"),
    [
        (blank(_FieldBased=2), {}, ["interlaced", "bwdif", "_FieldBased"]),
        (blank(_Transfer=16), {}, ["transfer 16", "PQ", "tone-map"]),
        (blank(_Transfer=18), {}, ["HLG"]),
        (blank(_Matrix=0), {}, ["matrix 0", "expected"]),
        (blank(_Matrix=10), {}, ["matrix 10"]),
        (blank(vs.GRAY32), {}, ["Gray32", "8 to 16 bits"]),
        (blank(width=14), {}, ["14x48", "16x16"]),
        (blank(vs.GRAY8, 8200, 16), {}, ["8200x16", "8192"]),
        (blank(), {"model": "nope"}, ["model=", "nope", "mini"]),
        (blank(), {"device": "gpu"}, ["device=", "gpu", "cuda:N"]),
        (blank(), {"device": "cuda:x"}, ["device="]),
        (blank(), {"device": 3}, ["device=", "3"]),
        (blank(), {"runtime": "tf"}, ["runtime=", "tf", "onnx, torch"]),
        (blank(), {"size": 63}, ["size=", "63", "64 to 2048"]),
        (blank(), {"size": 2049}, ["size="]),
        (blank(), {"size": 256.0}, ["size=", "whole number"]),
        (blank(), {"batch": 0}, ["batch=", "0", "1 to 64"]),
        (blank(), {"batch": 65}, ["batch="]),
        (blank(), {"strength": 1.1}, ["strength=", "1.1", "0 to 1"]),
        (blank(), {"strength": float("nan")}, ["strength=", "nan"]),
        (blank(), {"strength": "full"}, ["strength=", "'full'"]),
        (blank(), {"saturation": -1}, ["saturation=", "-1"]),
        (blank(), {"format": vs.YUV420P10}, ["format=", "YUV420P10", "YUV420P8"]),
        (blank(), {"guide": blank()[:2]}, ["guide has 2 frames", "expected 4"]),
        (blank(), {"guide": blank(_FieldBased=1)}, ["guide is interlaced"]),
        (blank(), {"guide": 7}, ["guide is int"]),
    ],
)
def test_refusals_say_what_came_and_what_was_expected(clip, settings, words):
    with pytest.raises(vs.Error) as error:
        tiny(clip, **settings) if "model" not in settings else colorize(clip, **settings)
    message = str(error.value)
    assert message.startswith("colorize: ")
    assert "\n" not in message
    for word in words:
        assert word in message


def test_not_a_clip():
    with pytest.raises(vs.Error, match="colorize: clip is str"):
        colorize("film.mkv")


@pytest.mark.parametrize("what", ["format", "size"])
def test_variable_clips_are_refused(what):
    other = blank(vs.YUV444P8) if what == "format" else blank(width=96)
    mixed = vs.core.std.Splice([blank(), other], mismatch=True)
    with pytest.raises(vs.Error, match=r"colorize: clip has a variable format or size"):
        tiny(mixed)


@pytest.mark.parametrize(
    ("props", "word"),
    [
        ({"_Matrix": 9}, "matrix 9"),
        ({"_Range": 1}, "full range"),
        ({"_FieldBased": 1}, "interlaced"),
        ({"_Transfer": 16}, "PQ"),
        ({"_ChromaLocation": 2}, "chroma location 2"),
        ({"_SARNum": 16, "_SARDen": 15}, "pixel aspect 16:15"),
    ],
)
@pytest.mark.parametrize("batch", [1, 3])
def test_a_change_in_mid_clip_is_refused_at_that_frame(props, word, batch):
    clip = noise_clip(vs.YUV420P8, length=8, _Matrix=1, _Range=0)
    changed = clip[:6] + clip[6].std.SetFrameProps(**props) + clip[7]
    out = tiny(changed, batch=batch)
    planes_of(out, 2)
    with pytest.raises(vs.Error, match="colorize: frame 6: ") as error:
        planes_of(out, 6)
    assert word in str(error.value)
    with pytest.raises(vs.Error, match="frame 6"):
        planes_of(tiny(changed, batch=batch, strength=0), 6)


def test_a_change_in_mid_guide_is_refused_at_that_frame():
    clip = noise_clip(vs.YUV420P8, length=8)
    rgb = vs.core.std.BlankClip(None, 64, 48, vs.RGB24, 8).std.SetFrameProps(_Range=1)
    changed = rgb[:6] + rgb[6].std.SetFrameProps(_Range=0) + rgb[7]
    out = tiny(clip, guide=changed)
    planes_of(out, 5)
    with pytest.raises(vs.Error, match=r"colorize: guide frame 6: .* limited range"):
        planes_of(out, 6)


def test_chroma_location_means_nothing_in_rgb():
    clip = noise_clip(vs.RGB24, length=2)
    told = clip[0] + clip[1].std.SetFrameProps(_ChromaLocation=2)
    for a, b in zip(planes_of(tiny(told), 1), planes_of(tiny(clip), 1), strict=True):
        assert np.array_equal(a, b)


def test_rgb_that_names_another_matrix_is_rgb():
    rgb = vs.core.std.BlankClip(None, 64, 48, vs.RGB24, 1, color=[40, 90, 130])
    one, other = (tiny(rgb.std.SetFrameProps(_Matrix=m)) for m in (0, 1))
    for a, b in zip(planes_of(one, 0), planes_of(other, 0), strict=True):
        assert np.array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scenes": 5}, "scenes= is 5, expected frame numbers"),
        ({"scenes": [1, "a"]}, "scenes= has 'a', expected whole numbers"),
        ({"scenes": np.array([2.0])}, "scenes= has .*2.0.*, expected whole numbers"),
        ({"scenes": ""}, "scenes= is '', expected a path"),
        ({"scenes": [2]}, "scenes= does not apply to model mini"),
        ({"references": ""}, "references= is '', expected a path"),
        ({"hints": ""}, "hints= is '', expected a path"),
        ({"format": 999}, "format= is 999, expected a VapourSynth format"),
        ({"format": "none"}, "format= is 'none', expected a VapourSynth format"),
        ({"hints": 5}, "hints= is 5, expected Hints"),
        ({"hints": Hint(0, None, 3, rgb="#ff0000")}, "hints= has x None, expected a number"),
        ({"hints": Hint(0, 1, 3, rgb="#ff0000", radius="5")}, "hints= has radius '5'"),
        ({"references": 5}, "references= is 5"),
        ({"references": Reference(5)}, "reference is 5, expected a picture"),
        ({"references": Reference("a.png", scene="1")}, "reference has scene '1'"),
        ({"references": noise_clip(vs.GRAY8)}, "reference clip is GRAY, expected a coloured"),
        ({"model": ["mini"]}, r"model= is \['mini'\], expected the name of one"),
        ({"model": "mini", "weights": 5}, "weights= is 5, expected the path"),
        ({"model": "mini", "weights": "."}, "is a folder, expected a weight file"),
    ],
)
def test_what_is_of_another_type_is_said(arguments, message):
    with pytest.raises(vs.Error, match=f"colorize: .*{message}"):
        colorize(noise_clip(vs.YUV420P8, length=6), **arguments)


@pytest.mark.parametrize("model", ["mini", "mini-video"])
def test_colours_that_are_no_numbers_are_refused(tmp_path, model):
    """Written as they are the frame would pass through grey."""
    from safetensors.numpy import load_file, save_file

    from vscolor.models.mini.adapter import TORCH_FILE

    state = load_file(str(TORCH_FILE))
    state["head.conv.bias"] = np.full_like(state["head.conv.bias"], np.nan)
    save_file(state, str(tmp_path / "bad.safetensors"))
    given = (
        {"weights": tmp_path / "bad.safetensors"}
        if model == "mini"
        else {"options": {"still": str(tmp_path / "bad.safetensors")}}
    )
    clip = noise_clip(vs.YUV420P8, length=3)
    with pytest.raises(vs.Error, match=r"colorize: .*NaN or infinite colour"):
        colorize(clip, model, size=64, **given).get_frame(0)


def test_a_guide_leaves_the_films_own_cuts():
    film = noise_clip(vs.GRAY8, 96, 64, 20)
    plain = film.std.SetFrameProps(_SceneChangePrev=0)
    marked = plain[:10] + plain[10].std.SetFrameProps(_SceneChangePrev=1) + plain[11:]
    by_props, by_list, without = (
        planes_of(colorize(clip, history=True, guide=film, size=64, **more), 12)
        for clip, more in ((marked, {}), (film, {"scenes": [10]}), (plain, {}))
    )
    assert all(np.array_equal(a, b) for a, b in zip(by_props, by_list, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(by_props, without, strict=True))


def test_numbers_of_numpy_are_numbers():
    clip = noise_clip(vs.YUV420P8, length=6)
    hint = Hint(np.int64(0), 1, 1, rgb=tuple(np.uint8([1, 2, 3])))
    assert np.array_equal(hint.colour(), Hint(0, 1, 1, rgb=(1, 2, 3)).colour())
    ours = tiny(clip, batch=np.int64(2), strength=np.float32(0.5))
    for a, b in zip(
        planes_of(ours, 3), planes_of(tiny(clip, batch=2, strength=0.5), 3), strict=True
    ):
        assert np.array_equal(a, b)
    colorize(clip, history=True, size=64, scenes=np.array([2, 3]))


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"_Matrix": "abc"}, "clip has _Matrix"),
        ({"_FieldBased": "x"}, "clip has _FieldBased"),
        ({"_Transfer": [1, 1]}, "clip has _Transfer"),
        ({"_Range": 2}, "clip has _Range 2, expected 0 or 1"),
        ({"_ChromaLocation": 99}, "clip has _ChromaLocation 99, expected 0 to 5"),
    ],
)
def test_properties_that_mean_nothing_are_refused(said, words):
    with pytest.raises(vs.Error, match=words):
        tiny(noise_clip(vs.YUV420P8).std.SetFrameProps(**said))


def test_rgb_may_say_what_the_resizer_does_not_know():
    clip = noise_clip(vs.RGB24)
    told = clip.std.SetFrameProps(_Transfer=0, _Primaries=0, _ChromaLocation=99)
    assert digest(tiny(told), 0) == digest(tiny(clip), 0)


@pytest.mark.parametrize("name", ["history", "edge_aware"])
@pytest.mark.parametrize("value", ["no", "True", 2])
def test_switches_are_no_words(name, value):
    with pytest.raises(vs.Error, match=f"{name}= is .*, expected True or False"):
        tiny(noise_clip(vs.GRAY8), **{name: value})


def test_a_cpu_has_no_number():
    with pytest.raises(vs.Error, match="device= is 'cpu:9', expected cpu, cuda, cuda:N"):
        tiny(noise_clip(vs.GRAY8), device="cpu:9")

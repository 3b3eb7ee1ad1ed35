"""The merge against the float reference, and the format and size it is made in."""

from fractions import Fraction

import numpy as np
import pytest
import reference
import vapoursynth as vs
from hypothesis import given
from hypothesis import strategies as st

from vscolor import nodes
from vscolor.errors import SettingError
from vscolor.film import Film, inspect
from vscolor.testing import noise_clip, planes_of

W, H = 64, 48


def plane_clip(planes, format):
    """A one-frame clip of given planes."""
    blank = vs.core.std.BlankClip(
        None, planes[0].shape[1], planes[0].shape[0], format, 1, keep=True
    )

    def fill(n, f):
        frame = f.copy()
        for p, values in enumerate(planes):
            np.asarray(frame[p])[...] = values
        return frame

    return blank.std.ModifyFrame(blank, fill)


def random_ab(width, height, spread=80, seed=7):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(-spread, spread, (2, height, width)).astype(np.float32)
    return a, b, plane_clip([np.zeros_like(a), a, b], vs.YUV444PS)


def merged(clip, ab, gain=1.0, format=None):
    film = inspect(clip)
    lines = vs.core.std.StackVertical([ab.std.BlankClip(), ab])
    return nodes.merge(film, film, lines, gain, nodes.merge_format(film, format))


FORMATS_444 = [vs.YUV444P8, vs.YUV444P10, vs.YUV444P12, vs.YUV444P16, vs.YUV444PH, vs.YUV444PS]


@pytest.mark.parametrize("format", FORMATS_444)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", [1, 6, 9])
def test_444_equals_reference(format, full, matrix):
    a, b, ab = random_ab(W, H)
    clip = noise_clip(format, W, H, 1, _Matrix=matrix, _Range=int(full))
    bits, is_float = clip.format.bits_per_sample, clip.format.sample_type == vs.FLOAT
    luma, cb, cr = (p.astype(np.float64) for p in planes_of(merged(clip, ab), 0))
    nominal = luma if is_float else reference.nominal_luma(luma, bits, full)
    for ours, true in zip((cb, cr), reference.chroma(nominal, a, b, matrix), strict=True):
        expected = true if is_float else reference.chroma_code(true, bits, full)
        tolerance = 2e-4 if is_float else 0.51 + 2e-5 * 2**bits
        assert np.abs(ours - np.clip(expected, -1, 2**bits - 1)).max() <= tolerance


@pytest.mark.parametrize("format", FORMATS_444)
def test_no_channel_clips_and_brightness_is_the_films(format):
    _, _, ab = random_ab(W, H, spread=127)
    clip = noise_clip(format, W, H, 1, _Matrix=1, _Range=0)
    bits, is_float = clip.format.bits_per_sample, clip.format.sample_type == vs.FLOAT
    luma, cb, cr = (p.astype(np.float64) for p in planes_of(merged(clip, ab), 0))
    if not is_float:
        luma = reference.nominal_luma(luma, bits, False)
        cb, cr = ((c - 2 ** (bits - 1)) / (224 * 2 ** (bits - 8)) for c in (cb, cr))
    rgb = reference.to_rgb(np.clip(luma, 0, 1), cb, cr, 1)
    one_code = 2e-3 if is_float else 2.0 / 224 / 2 ** (bits - 8)
    assert rgb.min() > -one_code
    assert rgb.max() < 1 + one_code
    outside = (luma <= 0) | (luma >= 1)
    assert not np.abs(cb[outside]).max(initial=0) > one_code


def test_linear_transfer_has_its_own_curve():
    a, b, ab = random_ab(W, H, spread=40)
    clip = noise_clip(vs.YUV444PS, W, H, 1, _Matrix=1, _Transfer=8)
    luma, cb, cr = (p.astype(np.float64) for p in planes_of(merged(clip, ab), 0))
    for ours, true in zip((cb, cr), reference.chroma(luma, a, b, 1, linear=True), strict=True):
        assert np.abs(ours - true).max() < 2e-4


def test_2020_primaries_show_the_same_colour_as_709():
    _, _, ab = random_ab(W, H, spread=15)
    grey = np.full((H, W), 0.5, np.float32)
    linear = {}
    for primaries in (1, 9):
        clip = plane_clip([grey] * 3, vs.YUV444PS)
        clip = clip.std.SetFrameProps(_Matrix=1, _Primaries=primaries)
        rgb = merged(clip, ab).resize.Bicubic(format=vs.RGBS, transfer=8, transfer_in=13)
        linear[primaries] = np.stack(planes_of(rgb, 0), -1)
    to_709 = np.array(
        [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
    )
    moved = linear[9] @ to_709.T
    assert np.abs(moved - linear[1]).max() < 0.02
    assert np.abs(linear[9] - linear[1]).max() > 0.03


@pytest.mark.parametrize("location", range(6))
@pytest.mark.parametrize(
    "format", [vs.YUV420P16, vs.YUV422P16, vs.YUV440P8, vs.YUV411P8, vs.YUV410P8]
)
def test_chroma_lies_where_the_resizer_puts_it(location, format):
    """A picture of two colours, its edge in the middle: the resizer's own siting is the judge."""
    fmt = vs.core.get_video_format(format)
    luma = np.full((H, W), 0.5, np.float32)
    ramp = (
        np.linspace(-30, 30, W, dtype=np.float32)[None]
        + np.linspace(-30, 30, H, dtype=np.float32)[:, None]
    )
    ab = plane_clip([luma, ramp, -ramp], vs.YUV444PS)
    full = merged(plane_clip([luma] * 3, vs.YUV444PS).std.SetFrameProps(_Matrix=1), ab)
    judge = full.resize.Bilinear(format=format, chromaloc=location, range=0)
    source = judge.std.ShufflePlanes(0, vs.GRAY).std.SetFrameProps(_ChromaLocation=location)
    ours = merged(source, ab, format=format)
    inner = (slice(2, -2), slice(2, -2))
    scale = 2 ** (fmt.bits_per_sample - 8)
    for p in (1, 2):
        difference = planes_of(ours, 0)[p][inner].astype(float) - planes_of(judge, 0)[p][inner]
        assert np.abs(difference).max() <= 0.35 * scale + 1


def test_zero_gain_is_exactly_neutral():
    _, _, ab = random_ab(W, H)
    for format, neutral in [(vs.GRAY8, 128), (vs.GRAY10, 512), (vs.GRAYS, 0), (vs.GRAYH, 0)]:
        _, cb, cr = planes_of(merged(noise_clip(format, W, H, 1), ab, gain=0), 0)
        assert (cb == neutral).all()
        assert (cr == neutral).all()


@given(
    width=st.integers(16, 8192),
    height=st.integers(16, 8192),
    size=st.integers(64, 1024),
    sar=st.sampled_from([(1, 1), (16, 15), (8, 9), (64, 45), (32, 27)]),
)
def test_model_size_keeps_the_display_aspect(width, height, size, sar):
    film = Film(vs.core.std.BlankClip(None, width, height, vs.GRAY8, 1), None, 0, Fraction(*sar))
    h, w = nodes.model_size(film, size, 32)
    assert h % 32 == w % 32 == 0
    assert min(h, w) <= max(32, size + 16)
    assert max(h, w) <= nodes.MAX_ASPECT * size + 32
    aspect = width * Fraction(*sar) / height
    if Fraction(1, 4) <= aspect <= 4:
        assert abs(min(h, w) - size) <= 16
        assert abs(max(h, w) - size * max(aspect, 1 / aspect)) <= 17


@pytest.mark.parametrize(
    ("format", "wanted", "result"),
    [
        (vs.GRAY8, None, "YUV420P8"),
        (vs.GRAY10, None, "YUV420P10"),
        (vs.GRAYH, None, "YUV420PH"),
        (vs.GRAY16, vs.YUV444P16, "YUV444P16"),
        (vs.YUV420P8, vs.YUV444P8, "YUV444P8"),
        (vs.YUV411P8, None, "YUV411P8"),
    ],
)
def test_merge_format(format, wanted, result):
    film = inspect(vs.core.std.BlankClip(None, W, H, format, 1))
    assert nodes.merge_format(film, wanted).name == result


def test_odd_gray_becomes_444():
    film = inspect(vs.core.std.BlankClip(None, 33, 21, vs.GRAY8, 1))
    assert nodes.merge_format(film, None).name == "YUV444P8"
    with pytest.raises(SettingError, match="33x21"):
        nodes.merge_format(film, vs.YUV420P8)


@pytest.mark.parametrize("wanted", [vs.YUV420P10, vs.RGB24, vs.GRAY8, vs.YUV444PS, -3, "yuv"])
def test_format_of_another_depth_or_family_is_refused(wanted):
    film = inspect(vs.core.std.BlankClip(None, W, H, vs.GRAY8, 1))
    with pytest.raises(SettingError, match="format="):
        nodes.merge_format(film, wanted)

"""Metrics of clips: frame properties, straight runs, and what is refused."""

import numpy as np
import pytest
import vapoursynth as vs
from films import opened

from vscolor import colorize, report
from vscolor.color import srgb_to_lab
from vscolor.commands.demo import find_clip
from vscolor.errors import MeasureError
from vscolor.metrics import clips, distribution, meters, still, temporal
from vscolor.metrics.table import Table
from vscolor.testing import noise_clip, planes_of

FRAMES, CUT = 10, 6
EVERY = ("psnr", "ssim", "ciede2000", "colourfulness", "cdc", "warp", "pulsing", "chroma", "luma")


@pytest.fixture(scope="module")
def truth():
    """Two shots of a real film, small."""
    film = opened(find_clip()).resize.Bicubic(160, 68)
    return film[:CUT] + film[120 : 120 + FRAMES - CUT].std.FlipHorizontal()


@pytest.fixture(scope="module")
def result(truth):
    """The same with flickering chroma and its luma touched in frame 3."""

    def disturb(n, f):
        frame = f.copy()
        np.asarray(frame[1])[...] += np.uint8(5 * (n % 3))
        np.asarray(frame[2])[...] //= 2
        np.asarray(frame[2])[...] += np.uint8(64)
        if n == 3:
            np.asarray(frame[0])[0, 0] ^= 1
        return frame

    return truth.std.ModifyFrame(truth, disturb)


def rgb(clip, format_id=vs.RGB24):
    whole = clips.to_rgb(clip, format_id)
    return [np.stack(planes_of(whole, n), -1) for n in range(clip.num_frames)]


def measured(result, truth, names=EVERY, **options):
    """A table by a straight run."""
    wanted = meters.chosen(names, truth is not None)
    made = [metric.make() for metric in wanted.values()]
    need = clips.Requirements.of(wanted.values())
    table = Table([c for meter in made for c in meter.columns])
    source = result if truth is None else truth
    for (sample,) in clips.samples([result], truth, source, need, cuts=[CUT], **options):
        table.add([v for meter in made for v in meter.add(sample)], sample.cut)
    return table


@pytest.fixture(scope="module")
def table(result, truth):
    return measured(result, truth, far=True)


def test_a_run_says_what_the_functions_say(result, truth, table):
    ours, true = rgb(result), rgb(truth)
    ab = [srgb_to_lab(f / 65535)[..., 1:] for f in rgb(result, vs.RGB48)]
    lumas = [planes_of(clips.to_luma(truth), n)[0] for n in range(FRAMES)]
    figures = table.figures()
    errors = [still.mean_squared_error(a, b) for a, b in zip(ours, true, strict=True)]
    assert figures["psnr"] == pytest.approx(np.mean([still.psnr_of(e) for e in errors]))
    assert figures["psnr_pooled"] == pytest.approx(still.psnr_of(np.mean(errors)))
    similar = [still.ssim(a, b) for a, b in zip(ours, true, strict=True)]
    assert figures["ssim"] == pytest.approx(np.mean(similar))
    assert figures["cdc"] == pytest.approx(distribution.cdc(ours, {CUT}))
    assert figures["cdc_true"] == pytest.approx(distribution.cdc(true, {CUT}))
    for name, far in (("warp_ab", False), ("far_ab", True)):
        error = temporal.warp_error(ab, lumas, {CUT}, far=far)
        assert figures[name] == pytest.approx(error / temporal.mean_squared_chroma(ab), rel=1e-3), (
            name
        )
    scaled = [f / np.float32(255) for f in ours]
    expected = temporal.warp_error(scaled, lumas, {CUT})
    assert figures["warp_rgb"] == pytest.approx(expected, rel=1e-3)
    assert figures["luma_largest"] == 1
    assert figures["luma_changed"] == pytest.approx(1 / (160 * 68) / FRAMES)
    assert 0 < figures["colour_ratio"] < 1
    assert figures["warp_ab"] > 2 * figures["warp_ab_true"]


def test_scenes_have_their_own_figures(result, truth, table):
    assert table.cuts == [CUT]
    assert table.scenes() == [range(0, CUT), range(CUT, FRAMES)]
    true_ab = [srgb_to_lab(f / 65535)[..., 1:] for f in rgb(truth, vs.RGB48)]
    ab = [srgb_to_lab(f / 65535)[..., 1:] for f in rgb(result, vs.RGB48)]
    parts = [
        temporal.pulsing(ab[s.start : s.stop], true_ab[s.start : s.stop]) for s in table.scenes()
    ]
    for scene, part in zip(table.scenes(), parts, strict=True):
        assert table.figures(scene)["pulsing"] == pytest.approx(part, rel=1e-2)
    whole = np.average(parts, weights=[CUT, FRAMES - CUT])
    assert table.figures()["pulsing"] == pytest.approx(whole, rel=1e-2)
    assert table.figures(table.scenes()[0])["luma_largest"] == 1
    assert table.figures(table.scenes()[1])["luma_largest"] == 0


def test_the_filter_writes_what_a_run_says(result, truth, table):
    node = clips.write_metrics(result, truth, EVERY, scenes=[CUT])
    rows = list(table.rows())
    for n in (9, 0, 6, 3, 7, 1):
        with node.get_frame(n) as frame:
            props = dict(frame.props)
        for name in table.columns:
            expected = rows[n][name]
            if name.startswith("far_") or np.isnan(expected):
                assert clips.PREFIX + name not in props
            else:
                assert props[clips.PREFIX + name] == pytest.approx(expected), (n, name)
    for a, b in zip(planes_of(node, 3), planes_of(result, 3), strict=True):
        assert np.array_equal(a, b)


def test_a_result_alone(result):
    table = measured(result, None, ("colourfulness", "cdc", "warp"))
    assert {"colourfulness", "cdc", "warp_rgb", "warp_ab"} == set(table.figures())


def test_grey_has_no_unsteadiness_to_speak_of(truth):
    grey = truth.std.Expr(["", "128", "128"])
    figures = measured(grey, truth).figures()
    assert figures["colourfulness"] < 0.1
    assert "warp_ab" not in figures
    assert "warp_ab_true" in figures


def test_cuts_are_found(truth):
    need = clips.Requirements(lab=False, motion=False, luma=False)
    cuts = [m.cut for (m,) in clips.samples([truth], None, truth, need)]
    assert [n for n, cut in enumerate(cuts) if cut] == [0, CUT]


YUV = {"format": vs.YUV420P8, "width": 64, "height": 48}
MIXED = vs.core.std.Splice([noise_clip(**YUV), noise_clip(vs.GRAY8, length=1)], mismatch=True)


@pytest.mark.parametrize(
    ("result", "truth", "words"),
    [
        (noise_clip(**YUV), noise_clip(**YUV, length=4), "5 frames and truth 4"),
        (noise_clip(**YUV), noise_clip(**YUV | {"width": 60}), "64x48 and truth 60x48"),
        (noise_clip(**YUV), noise_clip(**YUV | {"format": vs.YUV420P10}), "of one depth"),
        (noise_clip(**YUV), noise_clip(vs.RGB24), "YUV420P8 and truth RGB24"),
        (noise_clip(**YUV | {"width": 8}), None, "8x48"),
        (MIXED, None, "variable format"),
    ],
)
def test_what_cannot_be_measured_is_refused(result, truth, words):
    need = clips.Requirements(lab=False, motion=False, luma=True)
    with pytest.raises(MeasureError, match=words):
        clips.check_pair(result, truth, need)
    names = ["luma"] if truth is not None else ["cdc"]
    with pytest.raises(vs.Error, match=f"write_metrics: .*{words}"):
        clips.write_metrics(result, truth, names)


def test_unknown_and_unpaired_metrics_are_refused():
    clip = noise_clip(**YUV)
    for truth, names, words in (
        (None, ["psnr"], "psnr compares with a true clip"),
        (clip, ["beauty"], "'beauty' is unknown, expected some of psnr"),
        (clip, [], "no metric was named"),
    ):
        with pytest.raises(vs.Error, match=words):
            clips.write_metrics(clip, truth, names)
    with pytest.raises(vs.Error, match="clip is str"):
        clips.write_metrics("film", None, ["cdc"])


def test_nan_is_an_error_at_its_frame():
    good = noise_clip(vs.YUV444PS, 64, 48)
    spoiled = good.std.ModifyFrame(good, lambda n, f: _with_nan(f) if n == 2 else f)
    node = clips.write_metrics(spoiled, good, ["luma"], scenes=[])
    node.get_frame(1).close()
    with pytest.raises(vs.Error, match="frame 2: luma holds NaN"):
        node.get_frame(2)


def _with_nan(f):
    frame = f.copy()
    np.asarray(frame[0])[1, 1] = np.nan
    return frame


def test_a_plane_of_rgb_can_be_looked_at():
    """It names RGB's matrix, which no GRAY may have, and the core's resizer refuses it."""
    rgb_clip = vs.core.std.BlankClip(None, 64, 48, vs.RGB24, 2, color=[40, 90, 200])
    plane = rgb_clip.std.SetFrameProps(_Matrix=0, _Range=1).std.ShufflePlanes(1, vs.GRAY)
    for made in (clips.to_rgb(plane, vs.RGB24), report.as_rgb(plane)):
        assert [int(np.asarray(made.get_frame(0)[p])[0, 0]) for p in range(3)] == [90] * 3
    assert int(np.asarray(clips.to_luma(plane).get_frame(0)[0])[0, 0]) == 90


@pytest.mark.parametrize("format", [vs.YUV420P8, vs.RGB24])
@pytest.mark.parametrize("code", [0, 3])
def test_codes_that_mean_nothing_are_no_hindrance(format, code):
    plain = vs.core.std.BlankClip(None, 64, 48, format, 2, color=[60, 90, 140])
    void = plain.std.SetFrameProps(_Transfer=code, _Primaries=code)
    for a, b in zip(
        *(planes_of(report.as_rgb(clip), 0) for clip in (void, plain)),
        strict=True,
    ):
        assert np.array_equal(a, b)
    clips.write_metrics(void, void).get_frame(0)
    tiny = colorize(void, "tiny", size=64)
    tiny.get_frame(0)

"""PSNR, SSIM and the rest against ffmpeg, scikit-image and known values, on real frames."""

import subprocess

import numpy as np
import pytest
from films import opened
from skimage.color import rgb2lab
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from vscolor.commands.demo import find_clip
from vscolor.errors import MeasureError
from vscolor.media import ffmpeg
from vscolor.metrics import still
from vscolor.report import as_rgb
from vscolor.testing import planes_of

FRAMES = 6


@pytest.fixture(scope="module")
def frames():
    """RGB codes of a real clip."""
    clip = as_rgb(opened(find_clip()))
    return [np.stack(planes_of(clip, 20 * n), axis=-1) for n in range(FRAMES)]


@pytest.fixture(scope="module")
def results(frames):
    """The same, worse from frame to frame."""
    rng = np.random.default_rng(0)
    noisy = [f + rng.normal(0, 1 + 6 * n, f.shape) for n, f in enumerate(frames)]
    return [np.clip(np.rint(f), 0, 255).astype(np.uint8) for f in noisy]


def ffmpeg_psnr(frames, results, folder):
    """What ffmpeg's filter says: of each frame, and of all."""
    height, width, _ = frames[0].shape
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}")
    paths = []
    for name, pictures in (("truth", frames), ("result", results)):
        paths.append(folder / name)
        paths[-1].write_bytes(b"".join(p.tobytes() for p in pictures))
    log = folder / "psnr.log"
    command = [ffmpeg.executable(), "-hide_banner", *raw, "-i", paths[0], *raw, "-i", paths[1]]
    filters = ["-lavfi", f"[0][1]psnr=stats_file={log.name}", "-f", "null", "-"]
    done = subprocess.run(command + filters, cwd=folder, capture_output=True, text=True, check=True)
    each = [float(line.split("psnr_avg:")[1].split()[0]) for line in log.read_text().splitlines()]
    whole = next(line for line in done.stderr.splitlines() if "PSNR r:" in line)
    return each, float(whole.split("average:")[1].split()[0])


def test_psnr_is_ffmpegs(frames, results, tmp_path):
    each, whole = ffmpeg_psnr(frames, results, tmp_path)
    ours = [still.psnr(r, f) for r, f in zip(results, frames, strict=True)]
    assert ours == pytest.approx(each, abs=0.006)  # it prints two digits of a frame
    errors = [still.mean_squared_error(r, f) for r, f in zip(results, frames, strict=True)]
    assert still.psnr_of(np.mean(errors)) == pytest.approx(whole, abs=1e-3)


def test_psnr_is_scikit_images(frames, results):
    for r, f in zip(results, frames, strict=True):
        assert still.psnr(r, f) == pytest.approx(peak_signal_noise_ratio(f, r), abs=1e-6)
        halves = [p / np.float32(255) for p in (r, f)]
        assert still.psnr(*halves) == pytest.approx(still.psnr(r, f), abs=1e-3)


def test_ssim_is_scikit_images(frames, results):
    settings = {
        "channel_axis": -1,
        "gaussian_weights": True,
        "sigma": 1.5,
        "use_sample_covariance": False,
    }
    for r, f in zip(results, frames, strict=True):
        theirs = structural_similarity(f, r, data_range=255, **settings)
        assert still.ssim(r, f) == pytest.approx(theirs, abs=1e-4)
        halves = [p / np.float32(255) for p in (r, f)]
        assert still.ssim(*halves) == pytest.approx(theirs, abs=1e-3)


def test_ssim_near_white(frames):
    """Where single precision would lose the variance."""
    white = np.full_like(frames[0], 250)
    other = white.copy()
    other[::2] -= 1
    theirs = structural_similarity(
        white,
        other,
        channel_axis=-1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert still.ssim(white, other) == pytest.approx(theirs, abs=1e-3)


def test_identical_pictures(frames):
    frame = frames[0]
    assert still.psnr(frame, frame) == still.MAX_PSNR
    assert still.ssim(frame, frame) == pytest.approx(1)
    assert still.changed_luma(frame[..., 0], frame[..., 0]) == (0, 0)


def test_symmetry(frames, results):
    pair = frames[3], results[3]
    for metric in (still.psnr, still.ssim):
        assert metric(*pair) == pytest.approx(metric(*pair[::-1]))


def test_colourfulness_is_the_formula(frames):
    red, green, blue = (frames[0][..., c].astype(np.float64) for c in range(3))
    rg, yb = red - green, (red + green) / 2 - blue
    expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
    assert still.colourfulness(frames[0]) == pytest.approx(expected, rel=1e-4)
    as_float = frames[0] / np.float32(255)
    assert still.colourfulness(as_float) == pytest.approx(expected, rel=1e-4)
    grey = np.repeat(frames[0][..., :1], 3, axis=-1)
    assert still.colourfulness(grey) == pytest.approx(0, abs=1e-5)


def test_ciede2000_of_published_pairs():
    """Sharma et al. 2005, table 1, rows 1, 7 and 25."""
    first = np.array([[50, 2.6772, -79.7751], [50, 0, 0], [60.2574, -34.0099, 36.2677]])
    second = np.array([[50, 0, -82.7485], [50, -1, 2], [60.4626, -34.1751, 39.4387]])
    for one, two, expected in zip(first, second, (2.0425, 2.3669, 1.2644), strict=True):
        assert still.ciede2000(one[None, None], two[None, None]) == pytest.approx(
            expected, abs=1e-4
        )


def test_ciede2000_of_grey(frames):
    lab = rgb2lab(frames[0])
    grey = lab * [1, 0, 0]
    assert still.ciede2000(lab, lab) == 0
    assert still.ciede2000(lab, grey) > 1


def test_changed_luma():
    plane = np.arange(200, dtype=np.uint16).reshape(10, 20)
    other = plane.copy()
    other[0, :4] += 7
    assert still.changed_luma(plane, other) == (0.02, 7)


GOOD = np.zeros((16, 16, 3), np.uint8)
NAN = np.full((16, 16, 3), np.nan, np.float32)


@pytest.mark.parametrize("metric", [still.psnr, still.ssim, still.ciede2000])
@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (GOOD, GOOD[:12], "16x16 and 16x12"),
        (GOOD, GOOD / np.float32(255), "uint8 and float32"),
        (GOOD[..., 0], GOOD, r"\(16, 16\) uint8"),
        (GOOD[:0], GOOD[:0], r"\(0, 16, 3\)"),
        (GOOD.astype(np.int32), GOOD.astype(np.int32), "int32"),
        (NAN, NAN * 0, "NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(metric, first, second, words):
    with pytest.raises(MeasureError, match=words):
        metric(first, second)


def test_other_misuse_is_told():
    with pytest.raises(MeasureError, match="at least 11x11"):
        still.ssim(GOOD[:8], GOOD[:8])
    with pytest.raises(MeasureError, match="NaN"):
        still.colourfulness(NAN)
    with pytest.raises(MeasureError, match="one size and depth"):
        still.changed_luma(GOOD[..., 0], GOOD[..., 0].astype(np.uint16))

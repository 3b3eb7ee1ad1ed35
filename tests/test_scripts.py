"""The example scripts, run as a user runs them: real vspipe, real films, real ffmpeg."""

import os
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import vapoursynth as vs

from vscolor.commands.demo import find_clip
from vscolor.testing import planes_of

SCRIPTS = Path(__file__).parents[1] / "scripts"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
Y4M_FRAME = b"FRAME\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where VapourSynth keeps its settings and bestsource its indexes during the tests."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def environment(home):
    """What vspipe needs on a fresh machine: to be told once which Python is its own."""
    env = os.environ | {"XDG_CONFIG_HOME": str(home), "XDG_CACHE_HOME": str(home)}
    told = subprocess.run(
        [sys.executable, "-m", "vapoursynth", "config"],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    if "Failed" in told.stdout:
        pytest.skip(f"vspipe needs a Python with a shared library: {told.stdout.strip()}")
    return env


@pytest.fixture(scope="module")
def bikes():
    """A film of 640x272 and 250 frames."""
    return find_clip("bikes.mp4")


@pytest.fixture(scope="module")
def interlaced(bikes, tmp_path_factory):
    """The same film with two of its frames woven into each, top field first."""
    path = tmp_path_factory.mktemp("interlaced") / "interlaced.mkv"
    interleave = ["-vf", "tinterlace=interleave_top", "-c:v", "libx264", "-x264-params", "tff=1"]
    run([FFMPEG, "-v", "error", "-i", bikes, "-t", "1", *interleave, path])
    return path


def run(command, **keywords):
    done = subprocess.run(list(map(str, command)), capture_output=True, check=False, **keywords)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def vspipe(script, source, *options):
    program = Path(vs.__file__).with_name("vspipe")
    return [program, "-c", "y4m", "--arg", f"source={source}", *options, SCRIPTS / script, "-"]


def frames_of(stream, width, height, dtype=np.uint8):
    """Luma and both chroma planes of each frame of a 4:2:0 Y4M stream."""
    header, _, body = stream.partition(b"\n")
    assert f"W{width} H{height}".encode() in header
    sizes = [(height, width), (height // 2, width // 2), (height // 2, width // 2)]
    cuts = np.cumsum([h * w for h, w in sizes])[:2]
    length = len(Y4M_FRAME) + np.dtype(dtype).itemsize * sum(h * w for h, w in sizes)
    assert len(body) % length == 0
    for start in range(0, len(body), length):
        assert body[start:].startswith(Y4M_FRAME)
        samples = np.frombuffer(body[start + len(Y4M_FRAME) : start + length], dtype)
        yield [p.reshape(s) for p, s in zip(np.split(samples, cuts), sizes, strict=True)]


def is_coloured(frame, bits=8):
    neutral = 1 << (bits - 1)
    return max(np.abs(p.astype(int) - neutral).mean() for p in frame[1:]) > 2 ** (bits - 8)


def opened(path, home):
    return vs.core.bs.VideoSource(str(path), cachepath=str(home))


@pytest.mark.parametrize("script", ["colorize.vpy", "restore.vpy", "stabilize.vpy"])
def test_is_short(script):
    assert len((SCRIPTS / script).read_text().splitlines()) < 25


def test_colorize_writes_chroma_alone(environment, bikes, home):
    stream = run(vspipe("colorize.vpy", bikes, "-e", "5"), env=environment)
    frames = list(frames_of(stream, 640, 272))
    source = opened(bikes, home)
    assert len(frames) == 6
    for n, frame in enumerate(frames):
        np.testing.assert_array_equal(frame[0], planes_of(source, n)[0])
        assert is_coloured(frame)


@pytest.mark.parametrize("options", [[], ["--arg", "slow=1"], ["--arg", "method=blind"]])
def test_stabilize_writes_chroma_alone(environment, bikes, home, options):
    stream = run(vspipe("stabilize.vpy", bikes, "-e", "3", *options), env=environment)
    source = opened(bikes, home)
    for n, frame in enumerate(frames_of(stream, 640, 272)):
        before = planes_of(source, n)
        np.testing.assert_array_equal(frame[0], before[0])
        assert any(not np.array_equal(a, b) for a, b in zip(frame[1:], before[1:], strict=True))


def test_colorize_takes_options(environment, bikes):
    options = ["--arg", "strength=0", "--arg", "size=128", "-e", "0"]
    (frame,) = frames_of(run(vspipe("colorize.vpy", bikes, *options), env=environment), 640, 272)
    assert all((plane == 128).all() for plane in frame[1:])


def test_a_part_is_the_same_as_in_the_whole(environment, bikes):
    whole = run(vspipe("colorize.vpy", bikes, "-e", "9"), env=environment)
    part = run(vspipe("colorize.vpy", bikes, "-s", "6", "-e", "8"), env=environment)
    frames = list(frames_of(whole, 640, 272))[6:9]
    for a, b in zip(frames, frames_of(part, 640, 272), strict=True):
        for plane in range(3):
            np.testing.assert_array_equal(a[plane], b[plane])


def test_restore_deinterlaces_and_colours(environment, interlaced):
    stream = run(vspipe("restore.vpy", interlaced, "-e", "5"), env=environment)
    frames = list(frames_of(stream, 640, 272, np.uint16))
    assert b" Ip" in stream.split(b"\n", 1)[0]
    assert b"F25:1" in stream.split(b"\n", 1)[0]
    assert len(frames) == 6
    assert all(is_coloured(frame, 10) for frame in frames)


def test_restore_keeps_the_grain(environment, bikes, home):
    stream = run(vspipe("restore.vpy", bikes, "-s", "20", "-e", "22"), env=environment)
    source = opened(bikes, home)
    for n, frame in enumerate(frames_of(stream, 640, 272, np.uint16), 20):
        original = planes_of(source, n)[0].astype(int) * 4
        assert np.abs(frame[0] - original).mean() < 2  # in ten bits: half a code of the film's
        assert is_coloured(frame, 10)


def test_through_ffmpeg_without_loss(environment, bikes, home, tmp_path):
    target = tmp_path / "coloured.mkv"
    command = list(map(str, vspipe("colorize.vpy", bikes, "-e", "9")))
    encode = ["-v", "error", "-i", "-", "-c:v", "libx264", "-qp", "0", "-preset", "veryfast"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as source:
        run([FFMPEG, *encode, target], stdin=source.stdout)
    assert source.returncode == 0
    before, after = opened(bikes, home), opened(target, home)
    assert after.num_frames == 10
    assert after.fps == before.fps
    for n in range(10):
        np.testing.assert_array_equal(planes_of(after, n)[0], planes_of(before, n)[0])
        assert is_coloured(planes_of(after, n))

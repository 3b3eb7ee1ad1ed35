"""`vscolor pipe`: the stream it writes is what `colorize` makes of the same frames."""

import io
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
import vapoursynth as vs

from vscolor import colorize
from vscolor.commands import pipe
from vscolor.commands.treatment import ColorizeSettings
from vscolor.errors import SettingError
from vscolor.media.y4m import Header, Y4MError, format_header, parse_header
from vscolor.testing import noise_clip, planes_of

HEADERS = {
    "C420jpeg": (vs.YUV420P8, {"_ChromaLocation": 1}),
    "C420mpeg2": (vs.YUV420P8, {"_ChromaLocation": 0}),
    "C420paldv": (vs.YUV420P8, {"_ChromaLocation": 2}),
    "C420": (vs.YUV420P8, {"_ChromaLocation": 1}),
    "": (vs.YUV420P8, {"_ChromaLocation": 1}),
    "C411": (vs.YUV411P8, {}),
    "C422": (vs.YUV422P8, {}),
    "C444": (vs.YUV444P8, {}),
    "C420p10": (vs.YUV420P10, {}),
    "C422p10": (vs.YUV422P10, {}),
    "C444p16": (vs.YUV444P16, {}),
    "Cmono": (vs.GRAY8, {}),
    "Cmono10": (vs.GRAY10, {}),
    "Cmono16": (vs.GRAY16, {}),
}


def raw(clip, numbers):
    """Frames as Y4M has them."""
    return b"".join(
        b"FRAME\n" + b"".join(plane.tobytes() for plane in planes_of(clip, n)) for n in numbers
    )


def sent_through(data, **options):
    out = io.BytesIO()
    pipe.run(ColorizeSettings(model="tiny", size=64, **options), io.BytesIO(data), out)
    line, _, frames = out.getvalue().partition(b"\n")
    return line.decode(), frames


@pytest.mark.parametrize("tag", HEADERS)
@pytest.mark.parametrize("width", [64, 72])
def test_bytes_equal_colorize(tag, width):
    fmt, props = HEADERS[tag]
    clip = noise_clip(fmt, width, 48, 5)
    data = f"YUV4MPEG2 W{width} H48 F24000:1001 Ip A8:9 {tag}\n".encode() + raw(clip, range(5))
    line, frames = sent_through(data)
    told = clip.std.SetFrameProps(_FieldBased=0, _SARNum=8, _SARDen=9, **props)
    want = colorize(told, "tiny", size=64)
    assert frames == raw(want, range(5))
    assert line.startswith(f"YUV4MPEG2 W{width} H48 F24000:1001 Ip A8:9 C")


@pytest.mark.parametrize("length", [1, 3, 4, 5, 9])
@pytest.mark.parametrize("batch", [1, 4])
def test_a_broken_batch_at_the_end_is_filled_as_colorize_fills_it(length, batch):
    clip = noise_clip(vs.GRAY8, 64, 48, length)
    data = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 Cmono\n" + raw(clip, range(length))
    want = colorize(clip.std.SetFrameProps(_FieldBased=0, _SARNum=1, _SARDen=1), "tiny", size=64)
    assert sent_through(data, batch=batch)[1] == raw(want, range(length))


def test_full_range_and_words_of_frames_go_through():
    clip = noise_clip(vs.YUV420P8, 64, 48, 2)
    first, second = raw(clip, [0]), raw(clip, [1])
    head = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg XCOLORRANGE=FULL XHELLO\n"
    data = head + first + second.replace(b"FRAME\n", b"FRAME Ip XMARK\n", 1)
    line, frames = sent_through(data)
    assert line.endswith("C420jpeg XCOLORRANGE=FULL XHELLO")
    assert b"FRAME Ip XMARK\n" in frames
    told = clip.std.SetFrameProps(_FieldBased=0, _SARNum=1, _SARDen=1, _ChromaLocation=1, _Range=1)
    want = raw(colorize(told, "tiny", size=64), [0, 1])
    assert frames.replace(b"FRAME Ip XMARK\n", b"FRAME\n") == want


def test_memory_is_bounded_and_input_is_read_as_output_is_taken():
    """A reader that stops reading stops the source too, whatever the length of the film."""
    header = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 Cmono\n"
    frame = b"FRAME\n" + bytes(64 * 48)
    served = 0

    class Endless(io.RawIOBase):
        left = header

        def readable(self):
            return True

        def readinto(self, view):
            nonlocal served
            if not self.left:
                self.left = frame
                served += 1
            taken, self.left = self.left[: len(view)], self.left[len(view) :]
            view[: len(taken)] = taken
            return len(taken)

    class Enough:
        taken = 0

        def write(self, data):
            self.taken += len(data)
            if self.taken > 400 * 64 * 48:
                raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        pipe.run(
            ColorizeSettings(model="tiny", size=64),
            io.BufferedReader(Endless(), len(frame)),
            Enough(),
        )
    assert served < 400


@pytest.mark.parametrize("cut", [0, 5, 60, 5000])
def test_a_stream_that_breaks_off_is_an_error_after_its_whole_frames(cut):
    clip = noise_clip(vs.GRAY8, 64, 48, 3)
    data = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 Cmono\n" + raw(clip, range(3))
    size = 6 + 64 * 48
    out = io.BytesIO()
    with pytest.raises(Y4MError, match=r"stdin|no frame|breaks off|starts with"):
        pipe.run(ColorizeSettings(model="tiny", size=64), io.BytesIO(data[:cut]), out)
    whole = max(0, (cut - 38) // size)
    assert out.getvalue().count(b"FRAME\n") == whole


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"RIFF....AVI LIST", "expected a Y4M stream"),
        (b"YUV4MPEG2 H48 F25:1", "W is ''"),
        (b"YUV4MPEG2 W64 H0", "H is '0'"),
        (b"YUV4MPEG2 W64 H48 C444alpha", "C is '444alpha'"),
        (b"YUV4MPEG2 W64 H48 C420p11", "C is '420p11'"),
        (b"YUV4MPEG2 W64 H48 Ffast", "F is 'fast'"),
        (b"YUV4MPEG2 W64 H48 A1", "A is '1'"),
    ],
)
def test_a_bad_header_says_what_came(line, said):
    with pytest.raises(Y4MError) as caught:
        parse_header(line)
    assert said in str(caught.value)


@pytest.mark.parametrize("tag", HEADERS)
def test_header_round_trip(tag):
    header = parse_header(f"YUV4MPEG2 W64 H48 F30000:1001 Ip A4:3 {tag} XHELLO".encode())
    again = parse_header(format_header(header).rstrip())
    assert again == header


def test_header_of_an_unknown_rate_and_shape():
    header = Header(64, 48, None, vs.YUV, 8, (1, 1))
    assert format_header(header) == b"YUV4MPEG2 W64 H48 F0:0 I? A0:0 C420mpeg2\n"
    assert parse_header(b"YUV4MPEG2 W64 H48 F0:0 I? A0:0 C420mpeg2").rate is None


@pytest.mark.parametrize(
    "colorizing",
    [
        ColorizeSettings(model="mini-video"),
        ColorizeSettings(model="instcolor"),
        ColorizeSettings(model="instcolor", options=("radius=3",)),
    ],
)
def test_models_that_look_around_are_refused(colorizing):
    """They would wait for ever for frames that the ring has no room for."""
    with pytest.raises(SettingError, match="needs neighbouring frames"):
        pipe.run(colorizing, io.BytesIO(b"YUV4MPEG2 W64 H48 F25:1 Cmono\n"), io.BytesIO())
    assert not ColorizeSettings(model="instcolor", options=("radius=0",)).needs_neighbours
    assert not ColorizeSettings(model="mini").needs_neighbours


def test_a_batch_out_of_range_is_refused_before_the_stream_is_read():
    """The ring would hold as many frames."""
    stream = io.BytesIO(b"YUV4MPEG2 W64 H48 F25:1 Cmono\n" + b"FRAME\n" + bytes(64 * 48))
    with pytest.raises(SettingError, match="batch= is 1000000, expected a whole"):
        pipe.run(ColorizeSettings(model="mini", batch=1000000), stream, io.BytesIO())


def test_odd_sizes_of_subsampled_streams_are_refused_in_words():
    with pytest.raises(Y4MError, match="161x97 in 420jpeg, which VapourSynth holds in even sizes"):
        parse_header(b"YUV4MPEG2 W161 H97 F25:1 C420jpeg")
    with pytest.raises(Y4MError, match="mixed interlacing"):
        parse_header(b"YUV4MPEG2 W160 H96 F25:1 Im C420jpeg")
    assert parse_header(b"YUV4MPEG2 W161 H97 F25:1 C444").width == 161


def test_interlaced_streams_are_refused():
    clip = noise_clip(vs.GRAY8, 64, 48, 1)
    data = b"YUV4MPEG2 W64 H48 F25:1 It A1:1 Cmono\n" + raw(clip, [0])
    with pytest.raises((vs.Error, Y4MError), match="interlaced"):
        sent_through(data)


class TestProcess:
    """The command itself, between two others."""

    HEAD = b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 Cmono\n"
    COMMAND = (sys.executable, "-m", "vscolor", "pipe", "--device", "cpu")

    def test_stdout_holds_the_stream_and_nothing_else(self):
        clip = noise_clip(vs.GRAY8, 64, 48, 4)
        data = self.HEAD + raw(clip, range(4))
        done = subprocess.run(self.COMMAND, input=data, capture_output=True, check=True)
        told = clip.std.SetFrameProps(_FieldBased=0, _SARNum=1, _SARDen=1)
        want = raw(colorize(told, device="cpu"), range(4))
        assert done.stdout == b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420mpeg2\n" + want
        assert done.stderr == b""

    def test_rubbish_is_one_line_on_stderr(self):
        done = subprocess.run(self.COMMAND, input=b"hello", capture_output=True, check=False)
        assert done.returncode == 1
        assert done.stdout == b""
        assert done.stderr.count(b"\n") == 1

    @pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
    def test_a_reader_that_leaves_ends_it_quietly(self):
        process = subprocess.Popen(
            self.COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        gone = threading.Event()

        def feed():
            try:
                process.stdin.write(self.HEAD)
                while not gone.is_set():
                    process.stdin.write(b"FRAME\n" + bytes(64 * 48))
            except BrokenPipeError:
                pass

        feeder = threading.Thread(target=feed)
        feeder.start()
        process.stdout.read(10_000)
        process.stdout.close()
        assert process.wait(timeout=20) == 1
        gone.set()
        feeder.join(timeout=5)
        assert process.stderr.read() == b""

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_memory_does_not_grow_with_length(self):
        """Resident memory between frame 200 and frame 1200, for 320x240 frames."""
        head = b"YUV4MPEG2 W320 H240 F25:1 Ip A1:1 Cmono\n"
        process = subprocess.Popen(
            (*self.COMMAND, "--size", "64"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        noise = np.random.default_rng(1).integers(0, 255, 320 * 240, np.uint8).tobytes()
        frame = 6 + 320 * 240 * 3 // 2

        def feed():
            process.stdin.write(head)
            for _ in range(1200):
                process.stdin.write(b"FRAME\n" + noise)
            process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        process.stdout.readline()
        process.stdout.read(200 * frame)
        early = resident(process.pid)
        process.stdout.read(900 * frame)
        late = resident(process.pid)
        process.stdout.read()
        feeder.join()
        assert process.wait(timeout=10) == 0
        assert late < early + 40_000


def resident(pid):
    """Kilobytes in memory."""
    with open(f"/proc/{pid}/status") as status:  # noqa: PTH123
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))

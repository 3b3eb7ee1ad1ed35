"""`vscolor colorize`: what of the source arrives in the new file."""

import json
import subprocess
from fractions import Fraction

import films
import numpy as np
import pytest
import vapoursynth as vs
from films import MILLISECOND, assert_same_times, colorize, digests
from PIL import Image

from vscolor import cli
from vscolor.media import ffmpeg
from vscolor.testing import planes_of

TAGS = ("_Matrix", "_Transfer", "_Primaries", "_Range", "_ChromaLocation", "_SARNum", "_SARDen")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


class TestTimes:
    @pytest.mark.parametrize("container", ["mkv", "mp4"])
    @pytest.mark.parametrize("made_in", ["mkv", "mp4"])
    def test_uneven_times_are_kept(self, tmp_path, made_in, container):
        source = films.make(tmp_path / f"in.{made_in}", chain=films.UNEVEN)
        steps = {b - a for a, b in zip(films.times(source), films.times(source)[1:], strict=False)}
        assert len(steps) > 2
        target = tmp_path / f"out.{container}"
        assert colorize(source, target) == 0
        assert_same_times(target, source)

    def test_uneven_times_from_the_middle(self, tmp_path):
        source = films.make(tmp_path / "in.mkv", chain=films.UNEVEN)
        target = tmp_path / "out.mp4"
        assert colorize(source, target, "--start", "12") == 0
        assert_same_times(target, source, films.times(source)[12])

    @pytest.mark.parametrize("container", ["mkv", "mp4"])
    def test_film_rate_that_milliseconds_cannot_say(self, tmp_path, container):
        source = films.make(tmp_path / "in.mkv", rate="24000/1001")
        target = tmp_path / f"out.{container}"
        assert colorize(source, target) == 0
        assert_same_times(target, source)
        assert "23.98 fps" in films.listing(target)

    @pytest.mark.parametrize("container", ["mkv", "mp4", "ts"])
    def test_a_late_start_is_kept(self, tmp_path, container):
        source = films.make(tmp_path / "in.ts", "-muxdelay", "0.7")
        assert films.times(source)[0] > Fraction(1, 2)
        target = tmp_path / f"out.{container}"
        assert colorize(source, target) == 0
        assert_same_times(target, source)


class TestTags:
    @pytest.mark.parametrize(
        ("pix_fmt", "said"),
        [
            ("yuv420p", "range=tv:colorspace=bt709:color_trc=bt709:color_primaries=bt709"),
            (
                "yuv420p",
                "range=pc:colorspace=smpte170m:color_trc=smpte170m:color_primaries=smpte170m",
            ),
            (
                "yuv422p10le",
                "range=tv:colorspace=bt2020nc:color_trc=bt2020-10:color_primaries=bt2020",
            ),
            ("yuv420p", "range=tv"),
            ("yuv420p", ""),
        ],
    )
    @pytest.mark.parametrize("container", ["mkv", "mp4"])
    def test_tags_and_shape_are_the_sources(self, tmp_path, pix_fmt, said, container):
        tagged = f"setparams={said}," if said else ""
        marks = ("-vf", f"{tagged}setsar=16/15")
        source = films.make(tmp_path / "in.mkv", *marks, pix_fmt=pix_fmt, frames=3)
        target = tmp_path / f"out.{container}"
        assert colorize(source, target) == 0
        old, new = (films.opened(path).get_frame(0).props for path in (source, target))
        assert not said or old["_Range"] == int("pc" in said)
        assert "colorspace" not in said or old["_Matrix"] in (1, 6, 9)
        assert {tag: new.get(tag) for tag in TAGS} == {tag: old.get(tag) for tag in TAGS}

    @pytest.mark.parametrize("codec", ["h264", "ffv1"])
    @pytest.mark.parametrize("said", ["tv", "pc", "unknown"])
    def test_matroska_says_the_range_only_where_the_source_does(self, tmp_path, codec, said):
        # Matroska made by ffmpeg would say one anyway, and MP4 would not say "tv" alone.
        container = "mp4" if said == "unknown" else "mkv"
        marks = ("-vf", f"setparams=range={said}")
        source = films.make(tmp_path / f"in.{container}", *marks, frames=3)
        marked = {"tv": "tv,", "pc": "pc,", "unknown": None}[said]
        target = tmp_path / "out.mkv"
        assert colorize(source, target, "--codec", codec) == 0
        told = films.listing(target)
        assert [word for word in ("(tv,", "(pc,") if word in told] == [f"({marked}"] * bool(marked)
        assert digests(target, "a:0") == digests(source, "a:0")
        assert_same_times(target, source)

    def test_chroma_location_is_kept(self, tmp_path):
        source = films.make(tmp_path / "in.mkv", "-chroma_sample_location", "topleft", frames=3)
        assert films.opened(source).get_frame(0).props["_ChromaLocation"] == 2
        target = tmp_path / "out.mkv"
        assert colorize(source, target) == 0
        assert films.opened(target).get_frame(0).props["_ChromaLocation"] == 2


class TestPicture:
    @pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
    @pytest.mark.parametrize("lossless", [("--codec", "ffv1"), ("--crf", "0")])
    def test_luma_is_identical_through_a_lossless_encode(self, tmp_path, pix_fmt, lossless):
        source = films.make(tmp_path / "in.mkv", pix_fmt=pix_fmt, frames=4)
        target = tmp_path / "out.mkv"
        assert colorize(source, target, *lossless) == 0
        old, new = films.opened(source), films.opened(target)
        assert new.format.id == old.format.id
        for n in range(4):
            before, after = planes_of(old, n), planes_of(new, n)
            assert np.array_equal(before[0], after[0])
            assert not np.array_equal(before[1], after[1])

    @pytest.mark.parametrize("full", [False, True])
    def test_luma_and_range_are_kept_by_encoders_that_name_no_range(self, tmp_path, capsys, full):
        said = f"setparams=range={'pc' if full else 'tv'}:colorspace=bt709"
        source = films.make(tmp_path / "in.mkv", "-vf", said, frames=2)
        target = tmp_path / "out.mkv"
        assert colorize(source, target, "--codec", "ffv1") == 0
        old, new = films.opened(source), films.opened(target)
        assert old.get_frame(0).props["_Range"] == new.get_frame(0).props["_Range"] == int(full)
        for n in range(2):
            assert np.array_equal(planes_of(old, n)[0], planes_of(new, n)[0])
        assert "written as limited" not in capsys.readouterr().err

    @pytest.mark.parametrize("full", [False, True])
    @pytest.mark.parametrize(
        ("codec", "name"), [("prores", "out.mov"), ("mpeg2video", "out.mpg"), ("mpeg4", "out.avi")]
    )
    def test_full_range_is_made_limited_where_the_file_cannot_say_it(
        self, tmp_path, capsys, full, codec, name
    ):
        """Players take such files for limited, and contrast would be stretched."""
        said = f"setparams=range={'pc' if full else 'tv'}:colorspace=bt709"
        source = films.make(tmp_path / "in.mkv", "-vf", said, frames=2, sound=False)
        assert colorize(source, tmp_path / name, "--codec", codec) == 0
        assert ("written as limited" in capsys.readouterr().err) == full
        new = films.opened(tmp_path / name)
        assert new.get_frame(0).props.get("_Range", 0) == 0
        mean = planes_of(new, 1)[0].astype(float).mean() / 2 ** (new.format.bits_per_sample - 8)
        codes = planes_of(films.opened(source), 1)[0].mean()
        assert abs(mean - (16 + codes * 219 / 255 if full else codes)) < 1

    def test_a_codec_without_colour_is_refused(self, tmp_path, capsys):
        source = films.make(tmp_path / "in.mkv", frames=2, sound=False)
        assert colorize(source, tmp_path / "out.gif", "--codec", "gif") == 2
        assert "codec gif takes no colour" in capsys.readouterr().err
        assert not (tmp_path / "out.gif").exists()

    def test_rgb_is_written_limited_without_a_word(self, tmp_path, capsys):
        Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(tmp_path / "in.png")
        assert colorize(tmp_path / "in.png", tmp_path / "out.mov", "--codec", "prores") == 0
        assert "cannot signal full range" not in capsys.readouterr().err

    def test_a_format_the_encoder_lacks_is_converted_with_a_notice(self, tmp_path, capsys):
        source = tmp_path / "in.mkv"
        films.make(source, "-c:v", "ffv1", "-strict", "-1", pix_fmt="yuv422p16le", frames=2)
        assert colorize(source, tmp_path / "out.mkv") == 0
        assert "libx264 does not take YUV422P16: written as yuv422p10le" in capsys.readouterr().err
        assert films.opened(tmp_path / "out.mkv").format.id == vs.YUV422P10

    def test_pix_fmt_is_obeyed_or_refused_by_name(self, tmp_path, capsys):
        source = films.make(tmp_path / "in.mkv", frames=2)
        assert colorize(source, tmp_path / "a.mkv", "--pix-fmt", "yuv444p10") == 0
        assert films.opened(tmp_path / "a.mkv").format.id == vs.YUV444P10
        assert colorize(source, tmp_path / "b.mkv", "--pix-fmt", "yuv411p") == 2
        assert "--pix-fmt is 'yuv411p'" in capsys.readouterr().err

    def test_rotation_is_applied_once(self, tmp_path):
        plain = films.make(tmp_path / "plain.mp4", frames=2, sound=False)
        source = tmp_path / "in.mp4"
        # The first is how ffmpeg 6 and later are told, the second how earlier ones are.
        turn = ("-display_rotation", "90", "-i", plain, "-c", "copy")
        if ffmpeg.run("-v", "error", *map(str, (*turn, source))).returncode:
            films.run("-i", plain, "-c", "copy", "-metadata:s:v", "rotate=90", source)
        assert films.opened(source).width == 64
        assert colorize(source, tmp_path / "out.mp4") == 0
        turned = films.opened(tmp_path / "out.mp4", apply_rotation=False)
        assert (turned.width, turned.height) == (64, 96)

    def test_grey_becomes_yuv(self, tmp_path):
        source = tmp_path / "in.mkv"
        films.make(source, "-c:v", "ffv1", pix_fmt="gray", frames=2)
        assert colorize(source, tmp_path / "out.mkv") == 0
        assert films.opened(tmp_path / "out.mkv").format.id == vs.YUV420P8


class TestScripts:
    def test_a_script_is_an_input(self, tmp_path):
        script = tmp_path / "in.vpy"
        script.write_text(
            "import vapoursynth as vs\n"
            "clip = vs.core.std.BlankClip(format=vs.GRAY8, width=64, height=48, length=9,"
            " color=90, fpsnum=30000, fpsden=1001)\n"
            "clip.set_output()\n"
        )
        assert colorize(script, tmp_path / "out.mp4") == 0
        assert len(films.times(tmp_path / "out.mp4")) == 9
        assert "29.97 fps" in films.listing(tmp_path / "out.mp4")

    def test_a_script_of_variable_rate_keeps_its_durations(self, tmp_path):
        script = tmp_path / "in.vpy"
        script.write_text(
            "import vapoursynth as vs\n"
            "part = vs.core.std.BlankClip(format=vs.GRAY8, width=64, height=48, length=3)\n"
            "fast, slow = (part.std.AssumeFPS(fpsnum=n) for n in (50, 10))\n"
            "vs.core.std.Splice([fast, slow], mismatch=True).set_output()\n"
        )
        assert colorize(script, tmp_path / "out.mkv") == 0
        wanted = [0, 20, 40, 60, 160, 260]
        assert films.times(tmp_path / "out.mkv") == [n * MILLISECOND for n in wanted]

    @pytest.mark.parametrize(
        "body",
        [
            "syntax error here",
            "1 / 0",
            "import nothing_such",
            "pass",
            "assert False, 'no film'",
            "raise SystemExit",
            "raise type('Own', (Exception,), {})('no film')",
        ],
    )
    def test_a_broken_script_is_one_line(self, tmp_path, capsys, body):
        script = tmp_path / "in.vpy"
        script.write_text(body)
        assert colorize(script, tmp_path / "out.mkv") == 1
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "in.vpy" in told

    def test_what_a_script_prints_is_not_among_the_numbers(self, tmp_path, capfd):
        script = tmp_path / "in.vpy"
        script.write_text(
            "import vapoursynth as vs\nprint('hello')\n"
            "vs.core.std.BlankClip(format=vs.YUV420P8, width=64, height=64, length=3).set_output()"
        )
        assert cli.run(["metrics", str(script), "--json", "-", "--quiet"]) == 0
        said = capfd.readouterr()
        assert json.loads(said.out)
        assert "hello" in said.err


@pytest.mark.parametrize(("name", "tag"), [("out.mp4", "hvc1"), ("out.mov", "hvc1")])
def test_h265_in_mp4_is_what_apples_players_know(tmp_path, name, tag):
    source = films.make(tmp_path / "in.mkv", frames=2, sound=False)
    assert colorize(source, tmp_path / name, "--codec", "h265", *films.FAST) == 0
    assert f"({tag} " in films.listing(tmp_path / name)


def test_a_grey_pix_fmt_is_refused_for_colour(tmp_path, capsys):
    source = films.make(tmp_path / "in.mkv", frames=2, sound=False)
    assert colorize(source, tmp_path / "out.mkv", "--pix-fmt", "gray") == 2
    assert "gray10le" not in capsys.readouterr().err


@pytest.mark.parametrize("option", [("--crf", "20"), ("--preset", "slow")])
@pytest.mark.parametrize("codec", [("ffv1", "out.mkv"), ("png", "out_%d.png")])
def test_quality_that_an_encoder_does_not_have_is_refused(tmp_path, capsys, option, codec):
    source = films.make(tmp_path / "in.mkv", frames=2, sound=False)
    named = () if codec[0] == "png" else ("--codec", codec[0])
    assert colorize(source, tmp_path / codec[1], *named, *option) == 2
    assert f"{option[0]} is" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


def test_ffmpeg_of_either_age_reads_every_layout():
    """The FourCC are FFmpeg's: each format survives the way into ffmpeg and out as raw video."""
    from vscolor.media import rawvideo

    for layout in rawvideo.LAYOUTS:
        clip = vs.core.std.BlankClip(format=layout.format_id, width=64, height=48, length=1)
        written = []

        class Sink:
            def write(self, data, sink=written):
                sink.append(bytes(data))

        written.append(rawvideo.ivf_header(layout, 64, 48, Fraction(1, 25)))
        rawvideo.write_frame(Sink(), clip.get_frame(0), layout, 0)
        done = subprocess.run(
            [
                *(ffmpeg.executable(), "-v", "error", "-f", "ivf", "-c:v", "rawvideo"),
                *("-i", "pipe:0", "-f", "rawvideo", "-pix_fmt", layout.pix_fmt, "pipe:1"),
            ],
            input=b"".join(written),
            capture_output=True,
            check=True,
        )
        assert done.stdout == b"".join(written)[44:], layout.pix_fmt

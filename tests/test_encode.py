"""`vscolor colorize`: what of the source arrives in the new file."""

import subprocess
from fractions import Fraction

import films
import numpy as np
import pytest
import vapoursynth as vs
from films import colorize
from PIL import Image

from vscolor import cli, encode, ffmpeg
from vscolor.testing import planes_of

MILLISECOND = Fraction(1, 1000)
TAGS = ("_Matrix", "_Transfer", "_Primaries", "_Range", "_ChromaLocation", "_SARNum", "_SARDen")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def digests(path, stream):
    return [packet.digest for packet in films.packets(path, stream)]


def assert_same_times(path, source, since=Fraction(0)):
    new, old = films.times(path), [t - since for t in films.times(source) if t >= since]
    assert len(new) == len(old)
    assert max(abs(a - b) for a, b in zip(new, old, strict=True)) <= MILLISECOND


@pytest.fixture(scope="module")
def rich(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rich")
    return films.rich_film(folder / "rich.mkv", folder)


def script_of(film, folder):
    """A script that opens a film and puts it out."""
    script = folder / "film.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        f"clip = vs.core.bs.VideoSource({str(film)!r}, cachemode=0)\n"
        "clip.set_output()\n"
    )
    return script


class TestStreams:
    def test_all_streams_go_along_in_their_order(self, rich, tmp_path):
        target = tmp_path / "out.mkv"
        assert colorize(rich, target) == 0
        for stream in ("a:0", "s:0"):
            assert digests(target, stream) == digests(rich, stream)
            assert films.times(target, stream) == films.times(rich, stream)
        told = films.listing(target)
        kinds = [line.split(": ")[1] for line in told.splitlines() if "Stream #" in line]
        assert kinds == ["Audio", "Video", "Subtitle", "Attachment"]
        for word in ("A film", "(fra)", "font/ttf", "one", "two"):
            assert word in told
        assert_same_times(target, rich)

    def test_a_cut_keeps_sound_in_step_and_its_packets_whole(self, rich, tmp_path):
        target = tmp_path / "out.mkv"
        assert colorize(rich, target, "--start", "10", "--end", "0:00:00.8") == 0
        begin = films.times(rich)[10]
        assert films.times(target) == [t - begin for t in films.times(rich)[10:20]]
        old = {p.digest: p.pts for p in films.packets(rich, "a:0")}
        sound = films.packets(target, "a:0")
        assert len(sound) > 5
        assert all(abs(p.pts - (old[p.digest] - begin)) <= MILLISECOND for p in sound)
        frame = Fraction(1024, 44100)
        assert sound[0].pts < frame
        assert Fraction(4, 10) - sound[-1].pts < frame * 2

    def test_sound_before_the_picture_does_not_move_it(self, tmp_path):
        source = films.make(tmp_path / "in.mp4")
        assert films.times(source, "a:0")[0] < 0
        for suffix in ("mkv", "mp4"):
            target = tmp_path / f"out.{suffix}"
            assert colorize(source, target) == 0
            assert_same_times(target, source)
            assert digests(target, "a:0") == digests(source, "a:0")

    def test_a_stream_the_container_refuses_is_named(self, rich, tmp_path, capsys):
        target = tmp_path / "out.mp4"
        assert colorize(rich, target) == 1
        told = capsys.readouterr().err
        assert "#2 (subtitle, subrip)" in told
        assert ".mkv" in told
        assert told.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        assert colorize(rich, target, "--copy", "audio") == 0
        assert "Subtitle:" not in films.listing(target)

    def test_text_of_mp4_becomes_text_of_matroska(self, rich, tmp_path, capsys):
        source = tmp_path / "in.mp4"
        films.run("-i", rich, "-map", "0:v", "-map", "0:a", "-map", "0:s", *MP4_COPY, source)
        assert colorize(source, tmp_path / "out.mkv") == 0
        assert "written as subrip: stream #2 (subtitle, mov_text)" in capsys.readouterr().err
        for word in ("Subtitle: subrip", "Chapter #0:1", "A film"):
            assert word in films.listing(tmp_path / "out.mkv")

    def test_a_script_takes_along_what_its_film_has(self, rich, tmp_path, capsys):
        script, target = script_of(rich, tmp_path), tmp_path / "out.mkv"
        assert colorize(script, target) == 0
        assert "--streams-from FILE" in capsys.readouterr().err
        assert "Audio" not in films.listing(target)
        assert colorize(script, target, "-y", "--streams-from", rich) == 0
        assert capsys.readouterr().err.count("\n") == 1
        for word in ("Audio", "Subtitle", "Chapter #0:1", "A film"):
            assert word in films.listing(target)
        assert digests(target, "a:0") == digests(rich, "a:0")
        assert_same_times(target, rich)
        kept = rich.read_bytes()
        assert colorize(script, rich, "-y", "--streams-from", rich) == 2
        assert rich.read_bytes() == kept
        assert colorize(rich, target, "-y", "--streams-from", script) == 2
        assert "expected a film with streams" in capsys.readouterr().err
        still = tmp_path / "still.png"
        Image.new("RGB", (96, 64)).save(still)
        assert colorize(rich, target, "-y", "--streams-from", still) == 2

    def test_a_script_of_a_film_of_variable_rate(self, tmp_path, capsys):
        film = films.make(tmp_path / "in.mkv", chain=films.UNEVEN)
        script, target = script_of(film, tmp_path), tmp_path / "out.mkv"
        assert colorize(script, target) == 0
        assert "say that they last unequally" in capsys.readouterr().err
        assert colorize(script, target, "-y", "--streams-from", film) == 0
        assert "unequally" not in capsys.readouterr().err
        assert_same_times(target, film)
        script.write_text(script.read_text().replace(".set_output", "[:20].set_output"))
        assert colorize(script, target, "-y", "--streams-from", film) == 0
        told = capsys.readouterr().err
        assert "keeps its own times, for it has 20 frames" in told
        assert "unequally" not in told

    def test_a_script_that_keeps_its_times_begins_with_its_film(self, tmp_path):
        """Transport streams begin somewhere; a script that doubles their frames begins at zero."""
        film, target = tmp_path / "in.ts", tmp_path / "out.mkv"
        films.make(tmp_path / "in.mkv")
        films.run("-i", tmp_path / "in.mkv", "-c", "copy", "-muxdelay", "1.5", film)
        script = script_of(film, tmp_path)
        apart = films.times(film)[0] - films.times(film, "a:0")[0]
        assert films.times(film)[0] > 1
        text = script.read_text()
        for change, more in (
            ("", ()),
            ("clip = vs.core.std.Interleave([clip, clip])\n", ()),
            ("clip = vs.core.std.Interleave([clip, clip])\n", ("--start", "20")),
            ("clip = clip[:20].std.AssumeFPS(fpsnum=24)\n", ()),
        ):
            script.write_text(text.replace("clip.set_output", f"{change}clip.set_output"))
            assert colorize(script, target, "-y", "--streams-from", film, *more) == 0
            if more:
                assert abs(films.times(target, "a:0")[0] - films.times(target)[0]) < 0.03
            else:
                made = films.times(target)[0] - films.times(target, "a:0")[0]
                assert abs(made - apart) <= MILLISECOND

    def test_a_script_without_a_rate_takes_its_films_times(self, tmp_path):
        film = films.make(tmp_path / "in.mkv", chain=films.UNEVEN)
        script, target = script_of(film, tmp_path), tmp_path / "out.mkv"
        bare = "clip = clip.std.RemoveFrameProps(['_DurationNum', '_DurationDen'])\n"
        halves = "clip = clip[:9].std.AssumeFPS(fpsnum=30) + clip[9:].std.AssumeFPS(fpsnum=20)\n"
        text = script.read_text()
        script.write_text(text.replace("clip.set_output", f"{halves}{bare}clip.set_output"))
        assert colorize(script, target, "--streams-from", film) == 0
        assert_same_times(target, film)

    def test_a_cover_picture_goes_along(self, tmp_path):
        plain, cover = films.make(tmp_path / "plain.mp4", frames=4), tmp_path / "cover.png"
        films.run("-f", "lavfi", "-i", "testsrc2=s=32x32", "-frames:v", "1", cover)
        source, target = tmp_path / "in.mp4", tmp_path / "out.mp4"
        pictured = ("-map", "1", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic")
        films.run("-i", plain, "-i", cover, *pictured, source)
        assert colorize(source, target) == 0
        assert "png" in films.listing(target)
        assert "(attached pic)" in films.listing(target)
        assert digests(target, "v:1") == digests(cover, "v:0")
        assert len(films.times(target)) == 4

    @pytest.mark.parametrize("words", [(), ("--start", "2")])
    def test_a_cover_is_attached_in_matroska(self, rich, tmp_path, words):
        """As a track of video it would be a second film, which ffmpeg takes where it is larger."""
        cover, source, target = (tmp_path / n for n in ("c.jpg", "in.mkv", "out.mkv"))
        films.run("-f", "lavfi", "-i", "testsrc2=s=320x320", "-frames:v", "1", cover)
        named = ("-metadata:s:t:1", "filename=cover_land.jpg")
        picture = ("-attach", cover, "-metadata:s:t:1", "mimetype=image/jpeg", *named)
        films.run("-i", rich, "-map", "0", "-c", "copy", *picture, source)
        for film in (source, target):
            listing = films.listing(film)
            assert "Video: mjpeg" in listing
            assert "(attached pic)" in listing
            assert "cover_land.jpg" in listing
            assert "Attachment:" in listing
            if film == source:
                assert colorize(source, target, *words) == 0
        assert digests(target, "v:1") == digests(cover, "v:0")
        again = tmp_path / "again.mkv"
        assert colorize(target, again) == 0
        assert digests(again, "v:1") == digests(cover, "v:0")
        assert sorted(p.name for p in tmp_path.iterdir()) == [
            "again.mkv",
            "c.jpg",
            "in.mkv",
            "out.mkv",
        ]

    def test_a_cover_does_not_go_along_with_a_later_start(self, tmp_path, capsys):
        cover = tmp_path / "cover.png"
        films.run("-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", cover)
        film = films.make(tmp_path / "film.mp4", frames=12, sound=False)
        films.run(
            *("-i", film, "-i", cover, "-map", "0", "-map", "1", "-c", "copy"),
            *("-disposition:v:1", "attached_pic", tmp_path / "in.mp4"),
        )
        for words, kept in (((), True), (("--start", "6"), False)):
            target = tmp_path / f"out{kept}.mp4"
            assert colorize(tmp_path / "in.mp4", target, *words) == 0
            kinds = vs.core.bs.TrackInfo(str(target))["tracktypestr"]
            assert (not isinstance(kinds, str) and len(kinds) == 2) == kept
            assert ("left out: stream #1" in capsys.readouterr().err) != kept

    def test_copy_none_leaves_only_the_picture(self, rich, tmp_path):
        target = tmp_path / "out.mkv"
        assert colorize(rich, target, "--copy", "none") == 0
        assert films.listing(target).count("Stream #") == 1


MP4_COPY = ("-c", "copy", "-c:s", "mov_text")


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
        assert "does not say full range" not in capsys.readouterr().err

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


def test_ffmpeg_of_either_age_reads_every_layout():
    """The FourCC are FFmpeg's: each format survives the way into ffmpeg and out as raw video."""
    from vscolor import rawvideo

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


def test_a_file_that_comes_to_be_meanwhile_is_kept(tmp_path, capsys, monkeypatch):
    source, target = films.make(tmp_path / "in.mkv", frames=2), tmp_path / "out [1].mkv"
    finish = encode._judge

    def slow(*given):
        target.write_bytes(b"of another run")
        return finish(*given)

    monkeypatch.setattr(encode, "_judge", slow)
    assert colorize(source, target) == 1
    assert target.read_bytes() == b"of another run"
    made = next(p for p in tmp_path.glob("out*.mkv") if p != target)
    assert made.name in capsys.readouterr().err
    assert len(films.times(made)) == 2


def test_what_a_run_left_that_was_cut_off_is_named(tmp_path, capsys):
    source, target = films.make(tmp_path / "in.mkv", frames=2), tmp_path / "out [1].mkv"
    left = tmp_path / ".out [1].0a1b2c3d.part.mkv"
    left.write_bytes(b"half")
    (tmp_path / ".other.0a1b2c3d.part.mkv").write_bytes(b"half")
    (tmp_path / ".out [1].b.0a1b2c3d.part.mkv").write_bytes(b"of another target")
    assert colorize(source, target) == 0
    told = capsys.readouterr().err
    assert told.count("cut off") == 1
    assert left.name in told
    assert left.read_bytes() == b"half"


def test_the_index_is_kept_away_from_the_film(tmp_path):
    source = films.make(tmp_path / "in.mkv", frames=2)
    assert colorize(source, tmp_path / "out.mkv") == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.mkv", "out.mkv"]


TWIN = "is another file of this command too"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stabilize", "IN", "OUT", "--sheet", "OUT.png"), None),
        (("stabilize", "IN", "OUT", "--sheet", "OUT"), "is no PNG"),
        (
            ("stabilize", "IN", "SAME.png", "--sheet", "SAME.png"),
            TWIN,
        ),
        (("scenes", "IN", "--sheet", "IN", "--overwrite"), "is no PNG"),
        (
            ("scenes", "PICTURE", "--sheet", "PICTURE", "--overwrite"),
            TWIN,
        ),
        (("timeline", "PICTURE", "PICTURE", "--overwrite"), TWIN),
        (
            ("metrics", "IN", "IN", "--json", "X", "--csv", "X"),
            TWIN,
        ),
        (
            ("metrics", "IN", "--csv", "IN", "--json", "-", "--overwrite"),
            TWIN,
        ),
        (("colorize", "SERIES_1", "SERIES", "--overwrite"), TWIN),
        (("colorize", "SERIES", "SHORT", "--overwrite"), TWIN),
        (("colorize", "IN", "GUIDE", "--guide", "GUIDE", "--overwrite"), TWIN),
        (("colorize", "SERIES", "SERIES", "--guide", "SERIES", "-y"), TWIN),
        (("stabilize", "IN", "OUT", "--sheet", "PICTURE", "--scenes", "PICTURE", "-y"), TWIN),
        (("colorize", "IN", "CUTS", "--scenes", "CUTS", "--history", "-y"), TWIN),
        (("colorize", "SERIES_1", "PICTURE", "--reference", "PICTURE", "-y"), TWIN),
        (("colorize", "IN", "FOLDER", "--overwrite"), "is a folder"),
        (("colorize", "IN", "OUT", "--encoder-args", '"unclosed'), "No closing quotation"),
    ],
)
def test_nothing_is_written_over_by_something_else(tmp_path, capsys, words, said):
    film = films.make(tmp_path / "in.mkv", frames=4, sound=False)
    picture = tmp_path / "in.png"
    Image.fromarray(np.full((64, 96, 3), (200, 80, 30), np.uint8)).save(picture)
    folder = tmp_path / "folder.mkv"
    folder.mkdir()
    names = {"IN": film, "PICTURE": picture, "FOLDER": folder, "OUT": tmp_path / "out.mkv"}
    names |= {"OUT.png": tmp_path / "out.png", "SAME.png": tmp_path / "same.png"}
    names |= {"X": tmp_path / "x", "SERIES_1": tmp_path / "s_001.png"}
    names |= {"SERIES": tmp_path / "s_%03d.png", "SHORT": tmp_path / "s_00%d.png"}
    for number in (1, 2):
        picture.with_name(f"s_00{number}.png").write_bytes(picture.read_bytes())
    guide = films.make(tmp_path / "guide.mkv", frames=4, sound=False)
    cuts = tmp_path / "cuts.mkv"
    cuts.write_text("2\n")
    names |= {"GUIDE": guide, "CUTS": cuts}
    kept = (film, picture, guide, cuts)
    before = [path.read_bytes() for path in kept]
    code = cli.run([str(names.get(word, word)) for word in words])
    told = capsys.readouterr().err
    assert [path.read_bytes() for path in kept] == before
    if said is None:
        assert code == 0
    else:
        assert code == 2
        assert said in " ".join(told.split())
        assert not (tmp_path / "out.mkv").exists()

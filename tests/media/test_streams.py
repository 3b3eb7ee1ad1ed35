"""What a film has beside its picture, and what a script takes along of its film."""

from fractions import Fraction

import films
import pytest
import vapoursynth as vs
from films import MILLISECOND, assert_same_times, colorize, digests
from PIL import Image


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


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
        assert colorize(rich, tmp_path / "out.webm") == 1
        told = capsys.readouterr().err
        assert "cannot hold stream #" in told
        assert ".mkv" in told
        assert told.count("\n") == 1
        assert list(tmp_path.iterdir()) == []
        target = tmp_path / "out.mp4"
        assert colorize(rich, target, "--copy", "audio") == 0
        assert "Subtitle:" not in films.listing(target)

    def test_text_of_matroska_becomes_text_of_mp4(self, rich, tmp_path, capsys):
        source = tmp_path / "in.mkv"
        films.run("-i", rich, "-map", "0:v", "-map", "0:a", "-map", "0:s", "-c", "copy", source)
        assert colorize(source, tmp_path / "out.mp4") == 0
        assert "written as mov_text: stream #2 (subtitle, subrip)" in capsys.readouterr().err
        assert "Subtitle: mov_text" in films.listing(tmp_path / "out.mp4")
        assert colorize(source, tmp_path / "part.mp4", "--start", "5") == 1, "it would come late"
        assert "cannot hold stream #2" in capsys.readouterr().err

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
        assert "frame durations vary" in capsys.readouterr().err
        assert colorize(script, target, "-y", "--streams-from", film) == 0
        assert "durations vary" not in capsys.readouterr().err
        assert_same_times(target, film)
        script.write_text(script.read_text().replace(".set_output", "[:20].set_output"))
        assert colorize(script, target, "-y", "--streams-from", film) == 0
        told = capsys.readouterr().err
        assert "20 frames" in told
        assert "durations vary" not in told

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

"""The command line as a whole: errors, exit codes, interruption, what it prints."""

import os
import resource
import signal
import subprocess
import sys
import time

import films
import pytest

from vscolor import cli, device
from vscolor.commands import doctor
from vscolor.media import ffmpeg
from vscolor.models.registry import registry


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return films.make(tmp_path_factory.mktemp("film") / "in.mkv")


def start(*words, **options):
    """The command in a process of its own."""
    command = [sys.executable, "-m", "vscolor", *map(str, words)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options)


def refused(capsys, *words):
    """Exit code and message of a command that must fail in one line."""
    code = cli.run([str(word) for word in words])
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert told.err.startswith("vscolor: ")
    return code, told.err


class TestUsage:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), None),
            (("colorize",), "IN"),
            (("nothing",), "nothing"),
            (("colorize", "a", "b", "--size", "x"), "--size"),
            (("colorize", "a", "b", "--nope"), "--nope"),
        ],
    )
    def test_wrong_usage_is_2(self, capsys, words, said):
        if said is None:
            assert cli.run(list(words)) == 2
            assert "Usage" in capsys.readouterr().out
            return
        code, told = refused(capsys, *words)
        assert code == 2
        assert said in told

    def test_help_and_version_are_0(self, capsys):
        for words in (["--help"], ["--version"], ["colorize", "-h"], ["pipe", "-h"]):
            assert cli.run(words) == 0
        told = capsys.readouterr().out
        for word in ("colorize", "pipe", "demo", "models", "doctor", "--start", "--guide"):
            assert word in told

    @pytest.mark.parametrize(
        ("options", "code", "said"),
        [
            (("--start", "40"), 2, "30, the number of frames"),
            (("--start", "1:00"), 2, "30, the number of frames"),
            (("--start", "5", "--end", "5"), 2, "--start below --end"),
            (("--start", "soon"), 2, "--start is 'soon', expected a frame number (120) or a time"),
            (("--model", "nope"), 2, "colorize: model= is 'nope', expected one of"),
            (("--size", "7"), 2, "colorize: size= is 7"),
            (("--format", "PINK"), 2, "format= is 'PINK'"),
            (("--fps", "24"), 2, "--fps is for a numbered series"),
            (("--fps", "x"), 2, "--fps is 'x', expected a rate"),
            (("--codec", "nope"), 1, "codec 'nope' is not a video encoder"),
            (("--codec", "aac"), 1, "codec 'aac' is not a video encoder"),
            (("--preset", "nope"), 1, "refuses to write"),
            (("--encoder-args", "-no_such_thing 1"), 1, "refuses to write"),
            (("--encoder-args", "-tune grain other.mkv"), 2, "has 'other.mkv', expected options"),
            (("--encoder-args", "other.mkv"), 2, "has 'other.mkv', expected options"),
            (("--guide", "absent.mkv"), 1, "absent.mkv is not a file"),
        ],
    )
    def test_a_bad_option_says_what_came(self, capsys, film, tmp_path, options, code, said):  # noqa: PLR0917
        got, told = refused(capsys, "colorize", film, tmp_path / "out.mkv", *options)
        assert said in told
        assert got == code
        assert list(tmp_path.iterdir()) == []


class TestInput:
    def test_a_missing_file(self, capsys, tmp_path):
        code, told = refused(capsys, "colorize", tmp_path / "none.mkv", tmp_path / "out.mkv")
        assert (code, "none.mkv is not a file" in told) == (1, True)

    def test_no_video_in_it(self, capsys, tmp_path):
        text = tmp_path / "in.mkv"
        text.write_text("not a film at all " * 100)
        assert refused(capsys, "colorize", text, tmp_path / "out.mkv")[0] == 1
        sound = tmp_path / "in.wav"
        films.run("-f", "lavfi", "-i", "sine=d=1", sound)
        code, told = refused(capsys, "colorize", sound, tmp_path / "out.mkv")
        assert code == 1
        assert "holds no video, only #0 (audio, pcm_s16le)" in told

    def test_interlaced_film_reaches_the_user_in_one_line(self, capsys, tmp_path):
        source = tmp_path / "in.mkv"
        marks = ("-vf", "setfield=tff", "-flags", "+ilme+ildct", "-x264opts", "tff=1")
        films.make(source, *marks, frames=4)
        code, told = refused(capsys, "colorize", source, tmp_path / "out.mkv", "--model", "tiny")
        assert code != 0
        assert "interlaced" in told
        assert not (tmp_path / "out.mkv").exists()

    def test_a_guide_of_another_length(self, capsys, film, tmp_path):
        guide = films.make(tmp_path / "guide.mkv", frames=4)
        target = tmp_path / "out.mkv"
        code, told = refused(capsys, "colorize", film, target, "--guide", guide)
        assert (code, "guide has 4 frames, expected 30" in told) == (2, True)


class TestOutput:
    def test_an_existing_file_is_kept_unless_told(self, capsys, film, tmp_path):
        target = tmp_path / "out.mkv"
        target.write_text("precious")
        code, told = refused(capsys, "colorize", film, target, "--model", "tiny")
        assert (code, "--overwrite" in told) == (2, True)
        assert target.read_text() == "precious"
        fast = ("--model", "tiny", "--preset", "ultrafast")
        assert cli.run(["colorize", str(film), str(target), "--overwrite", *fast]) == 0
        assert len(films.times(target)) == films.FRAMES

    def test_the_input_is_never_the_output(self, capsys, tmp_path):
        source = films.make(tmp_path / "in.mkv", frames=2)
        before = source.read_bytes()
        alias = tmp_path / "sub" / ".." / "in.mkv"
        (tmp_path / "sub").mkdir()
        code, told = refused(capsys, "colorize", source, alias, "--overwrite")
        assert (code, "is the input" in told) == (2, True)
        assert source.read_bytes() == before

    def test_a_folder_that_is_not_there(self, capsys, film, tmp_path):
        code, told = refused(capsys, "colorize", film, tmp_path / "no" / "out.mkv")
        assert (code, "is not a folder" in told) == (2, True)

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
    def test_a_folder_that_may_not_be_written(self, capsys, film, tmp_path):
        tmp_path.chmod(0o500)
        code, told = refused(capsys, "colorize", film, tmp_path / "out.mkv", "--model", "tiny")
        tmp_path.chmod(0o700)
        assert code == 1
        assert "ermission denied" in told

    def test_a_container_nobody_knows(self, capsys, film, tmp_path):
        code, told = refused(capsys, "colorize", film, tmp_path / "out.xyz", "--model", "tiny")
        assert code == 1
        assert "out.xyz" in told

    def test_names_that_look_like_something_else(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        films.make(tmp_path / "a b%d:1.mkv", frames=2, sound=False)
        fast = ("--model", "tiny", "--preset", "ultrafast")
        assert cli.run(["colorize", *fast, "--", "a b%d:1.mkv", "-out:50%.mkv"]) == 0
        assert len(films.times(tmp_path / "-out:50%.mkv")) == 2


LONG = ("--model", "mini", "--device", "cpu")


@pytest.fixture(scope="module")
def long_film(tmp_path_factory):
    return films.make(tmp_path_factory.mktemp("long") / "in.mp4", size="320x240", frames=2000)


@pytest.mark.skipif(os.name != "posix", reason="POSIX signals and limits")
class TestTrouble:
    def test_a_full_disk_is_an_error(self, long_film, tmp_path):
        def little_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

        process = start(
            *("colorize", long_film, tmp_path / "out.mkv", *LONG, "--codec", "ffv1"),
            preexec_fn=little_room,
        )
        told = process.communicate(timeout=60)[1]
        assert process.returncode == 1
        assert "ffmpeg" in told
        assert told.count("\n") == 1
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGTERM])
    def test_interrupted_it_leaves_nothing(self, long_film, tmp_path, blow):
        target = tmp_path / "out.mp4"
        process = start("colorize", long_film, target, *LONG)
        await_file(tmp_path)
        process.send_signal(blow)
        told = process.communicate(timeout=20)[1]
        assert process.returncode == 130
        assert told == "vscolor: interrupted\n"
        assert list(tmp_path.iterdir()) == []

    def test_ffmpeg_killed_in_mid_film_is_an_error(self, long_film, tmp_path):
        process = start("colorize", long_film, tmp_path / "out.mp4", *LONG)
        await_file(tmp_path)
        children = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(process.pid)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        os.kill(int(children[0]), signal.SIGKILL)
        told = process.communicate(timeout=30)[1]
        assert process.returncode == 1
        assert "ffmpeg failed after" in told
        assert list(tmp_path.iterdir()) == []


def await_file(folder, seconds=30):
    """Wait until ffmpeg has something on disk under its provisional name."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if any(".part" in path.name and path.stat().st_size for path in folder.iterdir()):
            return
        time.sleep(0.05)
    raise AssertionError("ffmpeg never wrote anything")


class TestJudgement:
    """ffmpeg's word is checked against the number of frames, whatever its exit code."""

    def test_success_with_frames_missing_is_failure(self, film, tmp_path, monkeypatch, capsys):
        script = tmp_path / "ffmpeg"
        real = ffmpeg.executable()
        script.write_text(
            "#!/bin/sh\n"
            'case "$*" in *pipe:0*) cat >/dev/null; echo frame=7; exit 0;; esac\n'
            f'exec "{real}" "$@"\n'
        )
        script.chmod(0o755)
        monkeypatch.setattr(ffmpeg, "executable", lambda: str(script))
        target = tmp_path / "out.mkv"
        code, told = refused(capsys, "colorize", film, target, "--model", "tiny")
        assert code == 1
        assert "ffmpeg wrote 7 of 30 frames" in told
        assert not target.exists()


class TestReports:
    def test_models_lists_what_the_registry_has(self, capsys):
        assert cli.run(["models"]) == 0
        told = capsys.readouterr().out
        for name in registry.names():
            assert name in told
        for word in ("MIT", "plausible", "references"):  # whole, on a terminal of 80 characters
            assert word in told

    def test_models_loses_no_word_on_a_narrow_terminal(self, capsys, monkeypatch):
        monkeypatch.setenv("COLUMNS", "50")
        assert cli.run(["models"]) == 0
        told = capsys.readouterr().out.split()
        for entry in registry:
            assert set(entry.card.summary.split()) <= set(told), entry.card.name

    def test_a_model_s_files_can_be_copied_from_what_is_shown(self, capsys):
        assert cli.run(["models", "show", "instcolor"]) == 0
        told = capsys.readouterr().out.split()
        for kept in registry.get("instcolor").sets:
            for file in kept.files:
                assert str(kept.path(file)) in told
                assert file.source.split()[-1] in told

    def test_doctor_is_content_with_a_whole_installation(self, capsys):
        assert cli.run(["doctor"]) == 0
        told = capsys.readouterr().out
        for word in ("VapourSynth", "bestsource", "onnxruntime", "ffmpeg", "device", "mini"):
            assert word in told

    def test_doctor_names_the_folders_that_the_environment_names(self, capsys, monkeypatch):
        monkeypatch.setenv("VSCOLOR_CACHE", "/tmp/of-fits")
        monkeypatch.setenv("VSCOLOR_WEIGHTS", "/tmp/of-weights")
        cli.run(["doctor"])
        told = "".join(capsys.readouterr().out.split())
        assert "/tmp/of-fits/fits" in told
        assert "/tmp/of-weights" in told

    def test_doctor_tells_of_a_runtime_that_cannot_be_imported(self, capsys, monkeypatch):
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
        assert cli.run(["doctor"]) == 1
        told = " ".join(capsys.readouterr().out.split())
        assert "onnxruntime cannot be imported" in told
        assert "pip install --upgrade onnxruntime" in told

    def test_doctor_says_what_to_do(self, capsys, monkeypatch):
        monkeypatch.setattr(doctor, "PLUGINS", {"nope": ("vapoursynth-nope", "to test")})
        monkeypatch.setattr(doctor, "NEEDED_PLUGINS", ("nope",))
        monkeypatch.setattr(device, "why_no_torch_cuda", lambda index=0: "no driver here")
        assert cli.run(["doctor"]) == 1
        told = capsys.readouterr().out
        assert "pip install vapoursynth-nope" in told

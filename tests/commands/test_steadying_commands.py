"""The commands `stabilize` and `scenes`, and `colorize --stabilize`."""

import films
import numpy as np
import pytest
import vapoursynth as vs
from films import opened, two_shots

from vscolor import cli, colorize, stabilize
from vscolor.commands.treatment import StabilizeSettings
from vscolor.testing import planes_of


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def vscolor(*words):
    return cli.run([str(word) for word in words])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots of twelve frames, in colour, with a tone."""
    return two_shots(tmp_path_factory.mktemp("shots"))


def lossless(source, target, *arguments):
    assert vscolor(*arguments, source, target, "--codec", "ffv1", "--quiet") == 0
    return opened(target)


def test_stabilize_writes_what_the_filter_makes(film, tmp_path):
    made = lossless(film, tmp_path / "out.mkv", "stabilize", "--radius", "2")
    ours = stabilize(opened(film), radius=2)
    assert made.num_frames == ours.num_frames == 24
    for n in (0, 11, 12, 23):
        for a, b in zip(planes_of(made, n), planes_of(ours, n), strict=True):
            assert np.array_equal(a, b)


def test_colorize_and_stabilize_in_one(film, tmp_path):
    made = lossless(film, tmp_path / "out.mkv", "colorize", "--size", "64", "--stabilize", "motion")
    ours = stabilize(colorize(opened(film), size=64))
    for a, b in zip(planes_of(made, 5), planes_of(ours, 5), strict=True):
        assert np.array_equal(a, b)


def test_blind_writes_what_the_filter_makes_and_a_sheet(film, tmp_path):
    sheet = tmp_path / "sheet.png"
    settings = ("--method", "blind", "--size", "64", "--sheet", sheet)
    made = lossless(film, tmp_path / "out.mkv", "stabilize", *settings)
    ours = stabilize(opened(film), "blind", size=64)
    for n in (0, 11, 12, 23):
        for a, b in zip(planes_of(made, n), planes_of(ours, n), strict=True):
            assert np.array_equal(a, b)
    picture = vs.core.bs.VideoSource(str(sheet), cachemode=0)
    assert (picture.width, picture.height) == (320, 720)


@pytest.mark.parametrize("grey", [True, False])
def test_a_film_without_colour_is_named(film, tmp_path, capfd, grey):
    source = tmp_path / "in.mkv"
    drained = "format=gray,format=yuv420p" if grey else "null"
    films.run("-i", film, "-vf", drained, "-c:v", "ffv1", source)
    assert vscolor("stabilize", source, tmp_path / "out.mkv", "--end", "2") == 0
    assert ("has no colour: there is nothing to steady" in capfd.readouterr().err) == grey


def test_only_frames_that_are_written_are_looked_at(tmp_path, capfd):
    script = tmp_path / "in.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        "clip = vs.core.std.BlankClip(None, 64, 64, vs.YUV420P8, 100, color=[90, 128, 128])\n"
        "def late(n, f):\n    assert n < 50\n    return f\n"
        "clip.std.ModifyFrame(clip, late).set_output()\n"
    )
    assert vscolor("stabilize", script, tmp_path / "out.mkv", "--end", "10") == 0
    assert "no colour" in capfd.readouterr().err
    script.write_text(
        "import vapoursynth as vs\n"
        "clips = [vs.core.std.BlankClip(None, 64, 64, f, 5) for f in (vs.YUV420P8, vs.YUV444P8)]\n"
        "vs.core.std.Splice(clips, mismatch=True).set_output()\n"
    )
    assert vscolor("stabilize", script, tmp_path / "no.mkv") != 0
    assert "variable format" in capfd.readouterr().err


def test_scenes_are_told_in_times_that_start_takes(tmp_path, capfd):
    """Captures of television begin anywhere; `--start` counts from the first frame."""
    film = films.two_shots(tmp_path)
    late = tmp_path / "late.mkv"
    films.run("-i", film, "-c", "copy", "-output_ts_offset", "0.5", late)
    assert vscolor("scenes", late) == 0
    said = capfd.readouterr()
    assert said.out == "12\n"
    assert "frame 0 at 0.000 s" in said.err
    assert "frame 12 at 0.480 s" in said.err


def test_an_interlaced_film_is_named(film, tmp_path, capfd):
    script = tmp_path / "in.vpy"
    script.write_text(
        f"import vapoursynth as vs\nclip = vs.core.bs.VideoSource({str(film)!r}, cachemode=0)\n"
        "clip.std.SetFrameProps(_FieldBased=2).set_output()\n"
    )
    assert vscolor("scenes", script) == 0
    assert "is interlaced" in capfd.readouterr().err
    assert vscolor("keyframes", script, tmp_path / "keys") == 0
    assert len(list((tmp_path / "keys").iterdir())) == 2


def test_the_sheet_is_of_what_was_written(film, tmp_path):
    """A script's own clip has no times beforehand; those of its film serve the sheet too."""
    script = tmp_path / "in.vpy"
    script.write_text(
        f"import vapoursynth as vs\nclip = vs.core.bs.VideoSource({str(film)!r}, cachemode=0)\n"
        "fast, slow = clip[:12].std.AssumeFPS(fpsnum=50), clip[12:].std.AssumeFPS(fpsnum=10)\n"
        "vs.core.std.Splice([fast, slow], mismatch=True).set_output()\n"
    )
    sheet = tmp_path / "sheet.png"
    named = (script, tmp_path / "out.mkv", "--streams-from", film, "--sheet", sheet)
    assert vscolor("stabilize", *named, "--start", "0.5s", "--quiet") == 0
    assert sheet.is_file()


@pytest.mark.parametrize("command", ["stabilize", "colorize"])
def test_dvp_fits_what_is_written_and_says_nothing_when_told_so(
    film, tmp_path, monkeypatch, capfd, command
):
    from vscolor.models.dvp import fitting as loops
    from vscolor.steadying.fits import Store

    monkeypatch.setenv("VSCOLOR_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(loops, "MAX_STEPS", 8)
    monkeypatch.setattr(loops, "MIN_STEPS", 8)
    monkeypatch.setattr(loops, "EPOCHS", 1)
    scenes = tmp_path / "scenes.txt"
    scenes.write_text("12\n")
    words = {"stabilize": ("--method", "dvp"), "colorize": ("--size", "64", "--stabilize", "dvp")}
    span = ("--scenes", scenes, "--start", "14", "--end", "16")
    made = lossless(film, tmp_path / "out.mkv", command, *words[command], *span)
    assert made.num_frames == 2
    assert vscolor(command, film, tmp_path / "a_%02d.png", *words[command], *span, "--quiet") == 0
    if command == "stabilize":
        sheet = ("--sheet", tmp_path / "sheet.png", "--overwrite", "--quiet")
        assert vscolor(command, film, tmp_path / "out.mkv", *words[command], *span, *sheet) == 0
    lists = list((tmp_path / "cache" / "fits" / "clips").glob("*.json"))
    assert [(s.first, s.stop) for s in Store().read_clip(lists[0].stem)] == [(12, 24)]
    told = capfd.readouterr()
    assert (told.out, told.err) == ("", "")


def test_a_wrong_strength_is_refused_before_a_fit(film, tmp_path, monkeypatch, capfd):
    from vscolor.steadying import fitting

    monkeypatch.setattr(fitting, "fit_with_bar", None)  # a fit would fail
    words = ("stabilize", film, tmp_path / "out.mkv", "--method", "dvp", "--strength", "5")
    assert vscolor(*words) == cli.MISUSED
    assert "strength= is 5.0, expected 0 to 1" in capfd.readouterr().err


@pytest.mark.parametrize(
    "words_and_said",
    [
        ("stabilize --method dvp", "give --overwrite"),
        ("colorize --stabilize dvp --codec nonsense -y", "nonsense"),
        ("stabilize --method dvp --pix-fmt nope -y", "--pix-fmt"),
    ],
)
def test_what_cannot_be_written_is_refused_before_a_fit(
    film, tmp_path, monkeypatch, capfd, words_and_said
):
    from vscolor.steadying import fitting

    words, said = words_and_said

    monkeypatch.setattr(fitting, "fit_with_bar", None)  # a fit would fail
    target = tmp_path / "out.mkv"
    target.write_bytes(b"kept")
    command, *more = words.split()
    assert vscolor(command, film, target, *more) != 0
    assert said in capfd.readouterr().err
    assert target.read_bytes() == b"kept"


def test_steadying_runs_where_colour_is_made(film, tmp_path, capfd):
    words = ("colorize", film, tmp_path / "out.mkv", "--runtime", "torch", "--device", "cpu")
    assert vscolor(*words, "--stabilize", "blind", "--size", "64", "--quiet") == 0
    assert capfd.readouterr().err == ""
    looks = []
    for method in ("motion", "blind", "dvp"):
        stabilizing = StabilizeSettings.after(method, None, "cpu", "torch")
        looks.append((stabilizing.options.device, stabilizing.options.runtime))
    assert looks == [(None, None), ("cpu", "torch"), ("cpu", None)]
    assert StabilizeSettings.after("dvp", None, "dml", None).options.device is None
    assert StabilizeSettings.after("blind", None, "dml", None).options.device == "dml"


def test_a_published_network_is_not_run_on_another_runtime(film):
    with pytest.raises(vs.Error, match=r"runtime= is 'onnx', but lai\.pth runs on torch"):
        stabilize(opened(film), "blind", weights="lai.pth", runtime="onnx")
    with pytest.raises(vs.Error, match="weights= is 5, expected the path"):
        stabilize(opened(film), "blind", weights=5)


def test_scenes_prints_numbers_that_can_be_read_back(film, tmp_path, capsys):
    sheet = tmp_path / "scenes.png"
    assert vscolor("scenes", film, "--sheet", sheet) == 0
    told = capsys.readouterr()
    assert told.out.split() == ["12"]
    assert "scene 2: frame 12 at 0.480 s, 12 frames" in told.err
    assert vs.core.bs.VideoSource(str(sheet), cachemode=0).width == 480
    (tmp_path / "cuts.txt").write_text(told.out)
    made = lossless(film, tmp_path / "out.mkv", "stabilize", "--scenes", tmp_path / "cuts.txt")
    assert np.array_equal(
        planes_of(made, 12)[1], planes_of(stabilize(opened(film), scenes=[12]), 12)[1]
    )
    assert vscolor("scenes", film, "--sheet", sheet) == cli.MISUSED
    assert "--overwrite" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("stabilize", "--method", "magic"), ["stabilize: method=", "'magic'"]),
        (("stabilize", "--radius", "9"), ["stabilize: radius=", "1 to 5"]),
        (("stabilize", "--seed", "3"), ["stabilize: seed=", "does not apply to method motion"]),
        (
            ("stabilize", "--method", "blind", "--slow"),
            ["stabilize: slow=", "does not apply to method blind"],
        ),
        (("colorize", "--stabilize", "magic"), ["stabilize: method="]),
        (("colorize", "--scenes", "cuts.txt"), ["--scenes", "--stabilize"]),
    ],
)
def test_misuse(film, tmp_path, capsys, arguments, words):
    assert vscolor(*arguments, film, tmp_path / "out.mkv") == cli.MISUSED
    told = capsys.readouterr().err
    assert len(told.strip().splitlines()) == 1
    for word in words:
        assert word in told
    assert not list(tmp_path.iterdir())


def test_a_frame_that_fails_is_told_in_one_line(tmp_path, capsys):
    script = tmp_path / "film.vpy"
    script.write_text(
        "import vapoursynth as vs\n"
        "clip = vs.core.std.BlankClip(format=vs.YUV420P8, width=64, height=64, length=9)\n"
        "(clip[:5] + clip[5:].std.SetFrameProps(_FieldBased=2)).set_output()\n"
    )
    words = ("--size", "64", "--copy", "none")
    assert vscolor("colorize", script, tmp_path / "out.mkv", *words) == cli.FAILED
    told = capsys.readouterr().err
    assert told.startswith("vscolor: colorize: frame 5: frame is interlaced")
    assert told.count("\n") == 1
    assert not (tmp_path / "out.mkv").exists()

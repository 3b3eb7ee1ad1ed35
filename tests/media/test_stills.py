"""Photographs and numbered series of them, in and out of `vscolor colorize`."""

from fractions import Fraction

import films
import numpy as np
import pytest
import vapoursynth as vs
from films import colorize
from PIL import Image, ImageOps

ONE = ("-frames:v", "1")


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
@pytest.mark.parametrize("pix_fmt", ["gray", "rgb24"])
def test_one_picture(tmp_path, suffix, pix_fmt):
    source = tmp_path / "in.png"
    films.run("-f", "lavfi", "-i", "testsrc2=s=64x48", "-pix_fmt", pix_fmt, *ONE, source)
    target = tmp_path / f"out.{suffix}"
    assert colorize(source, target) == 0
    grey, coloured = (films.opened(path).get_frame(0) for path in (source, target))
    assert (coloured.width, coloured.height) == (64, 48)
    assert coloured.format.color_family == (vs.YUV if suffix == "jpg" else vs.RGB)
    assert grey.props["_Range"] == coloured.props.get("_Range", 1) == 1
    assert list(tmp_path.glob(".*")) == []


@pytest.mark.parametrize("kept", [0.5, 0.999])
def test_a_jpeg_that_breaks_off_is_refused(tmp_path, capsys, kept):
    """FFmpeg decodes it, and fills what is missing."""
    whole = tmp_path / "whole.jpg"
    picture = Image.effect_noise((96, 64), 60)
    exif = Image.Exif()
    exif[0x010E] = "a note"
    picture.save(whole, exif=exif)
    data = whole.read_bytes()
    (tmp_path / "part.jpg").write_bytes(data[: int(len(data) * kept)])
    (tmp_path / "more.jpg").write_bytes(data + b"a film that a telephone added")
    assert colorize(tmp_path / "part.jpg", tmp_path / "out.png") == 1
    assert "part.jpg breaks off" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()
    for name in ("whole", "more"):
        assert colorize(tmp_path / f"{name}.jpg", tmp_path / f"{name}.png") == 0


def test_what_a_longer_series_left_is_told(tmp_path, capsys):
    source = tmp_path / "in.mkv"
    films.run("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-c:v", "ffv1", source)
    pattern = tmp_path / "50%" / "out_%04d.png"
    pattern.parent.mkdir()
    assert colorize(source, pattern, "--end", "3") == 0
    assert "remain" not in capsys.readouterr().err
    assert colorize(source, pattern, "--end", "2", "-y") == 0
    assert "out_0003.png and what follows it remain" in capsys.readouterr().err


@pytest.mark.parametrize("first", [0, 7])
def test_a_series_in_and_out_keeps_its_numbers(tmp_path, first):
    films.run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-start_number", str(first)),
        tmp_path / "in_%03d.png",
    )
    pattern = tmp_path / "out_%04d.png"
    assert colorize(tmp_path / "in_%03d.png", pattern) == 0
    assert [p.name for p in sorted(tmp_path.glob("out_*"))] == [
        f"out_{n:04d}.png" for n in range(first, first + 5)
    ]
    assert colorize(tmp_path / "in_%03d.png", tmp_path / "out.mkv", "--fps", "24") == 0
    assert films.times(tmp_path / "out.mkv")[-1] == Fraction(167, 1000)


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path):
        folder = tmp_path / "photos"
        folder.mkdir()
        for name in ("Grandma 1931.jpg", "house.png"):
            films.run(
                "-f", "lavfi", "-i", "testsrc2=s=64x48", "-vf", "format=gray", *ONE, folder / name
            )
        (folder / "list.txt").write_text("Grandma and the house")
        return folder

    def test_each_picture_is_coloured_as_alone(self, folder, tmp_path, capsys):
        target = tmp_path / "new" / "coloured"
        assert colorize(folder, target) == 0
        assert "2 pictures" in capsys.readouterr().err
        assert sorted(p.name for p in target.iterdir()) == ["Grandma 1931.jpg", "house.png"]
        for path in target.iterdir():
            alone = tmp_path / path.name
            assert colorize(folder / path.name, alone) == 0
            assert alone.read_bytes() == path.read_bytes()

    def test_names_are_no_patterns(self, folder, tmp_path):
        first = min(folder.glob("*.png"))
        first.rename(folder / "50%discount.png")
        assert colorize(folder, tmp_path / "out", "--quiet") == 0
        assert (tmp_path / "out" / "50%discount.png").is_file()

    def test_settings_are_tried_on_a_picture_of_the_folder(self, tmp_path):
        folder = tmp_path / "deep"
        folder.mkdir()
        grey = ("-f", "lavfi", "-i", "testsrc2=s=64x48", "-vf", "format=gray16be", *ONE)
        films.run(*grey, folder / "a.png")
        (folder / "_bad.png").write_bytes(b"no picture")
        films.run("-f", "lavfi", "-i", "testsrc2=s=8x8", *ONE, folder / "_small.png")
        (folder / "._a.png").write_bytes(b"what macOS leaves")
        assert colorize(folder, tmp_path / "out", "--quiet", "--format", "YUV444P16") == 1
        assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.png"]

    def test_a_picture_that_fails_is_named_and_the_rest_goes_on(self, folder, tmp_path, capsys):
        (folder / "bad.png").write_bytes(b"no picture")
        assert colorize(folder, tmp_path / "out", "--quiet") == 1
        told = capsys.readouterr().err
        assert "bad.png: " in told
        assert "1 of 3 pictures" in told
        assert told.count("\n") == 2
        assert len(list((tmp_path / "out").iterdir())) == 2

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (("photos", "photos", "-y"), "is a file or the folder of the pictures"),
            (("photos", "out", "--hints", "photos/list.txt"), "--hints is for films"),
            (("photos", "photos/list.txt"), "is a file or the folder of the pictures"),
            (("photos", "out.mp4"), "is the name of a film"),
            (("empty", "out"), "holds no picture"),
            (("photos", "out", "--start", "1"), "--start is for films"),
            (("photos", "out", "--strength", "2"), "strength= is 2"),
            (("photos", "out", "--model", "no"), "'no'"),
        ],
    )
    def test_misuse_is_said_once_and_changes_nothing(self, folder, tmp_path, capsys, words, said):
        (tmp_path / "empty").mkdir()
        before = {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()}
        given, target, *more = words
        assert colorize(tmp_path / given, tmp_path / target, *more) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
        assert {p: p.read_bytes() for p in tmp_path.rglob("*.*") if p.is_file()} == before
        assert not (tmp_path / "out").exists()

    def test_pictures_that_are_there_stay_and_the_rest_is_made(self, folder, tmp_path, capsys):
        target = tmp_path / "out"
        target.mkdir()
        (target / "house.png").write_bytes(b"of before")
        assert colorize(folder, target) == 0
        told = capsys.readouterr().err
        assert "1 picture there already" in told
        assert "left out 1 file" in told  # list.txt
        assert (target / "house.png").read_bytes() == b"of before"
        assert len(list(target.iterdir())) == 2
        assert colorize(folder, target, "-y") == 0
        assert (target / "house.png").read_bytes() != b"of before"


def test_a_percent_sign_beside_the_number_is_part_of_the_name(tmp_path):
    source = films.make(tmp_path / "in.mkv", frames=2, sound=False)
    assert colorize(source, tmp_path / "50%_%02d.png") == 0
    assert sorted(p.name for p in tmp_path.glob("50*")) == ["50%_01.png", "50%_02.png"]
    folder = tmp_path / "100%d"
    folder.mkdir()
    for path in tmp_path.glob("50*"):
        path.rename(folder / path.name)
    assert colorize(folder / "50%_%02d.png", tmp_path / "out.mkv") == 0
    assert len(films.times(tmp_path / "out.mkv")) == 2


def test_a_percent_sign_in_the_folder_of_a_series_to_write(tmp_path):
    source = films.make(tmp_path / "in.mkv", frames=3, sound=False)
    folder = tmp_path / "50% grey %d"
    folder.mkdir()
    assert colorize(source, folder / "f_%02d.png") == 0
    assert sorted(p.name for p in folder.iterdir()) == ["f_01.png", "f_02.png", "f_03.png"]


def test_only_names_that_the_pattern_makes_are_of_the_series(tmp_path, capsys):
    films.run("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.08", tmp_path / "f_%d.png")
    (tmp_path / "f_01.png").write_bytes((tmp_path / "f_1.png").read_bytes())
    assert colorize(tmp_path / "f_%d.png", tmp_path / "out.mkv") == 0
    assert len(films.times(tmp_path / "out.mkv")) == 2
    assert colorize(tmp_path / "f_%03d.png", tmp_path / "none.mkv") == 1
    assert "no file matches" in capsys.readouterr().err


def test_a_gap_in_a_series_is_named(tmp_path, capsys):
    films.run("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", tmp_path / "in_%d.png")
    (tmp_path / "in_3.png").unlink()
    assert colorize(tmp_path / "in_%d.png", tmp_path / "out.mkv") == 1
    assert "has 1 to 5 but not 3" in capsys.readouterr().err


def test_one_picture_for_a_film_is_refused(tmp_path, capsys):
    source = films.make(tmp_path / "in.mkv", frames=2)
    assert colorize(source, tmp_path / "out.png") == 2
    assert "out_%04d.png" in capsys.readouterr().err


def test_deep_pictures_stay_deep(tmp_path):
    source = tmp_path / "in.png"
    films.run("-f", "lavfi", "-i", "testsrc2=s=64x48", "-pix_fmt", "gray16be", *ONE, source)
    assert colorize(source, tmp_path / "out.png") == 0
    assert films.opened(tmp_path / "out.png").format.id == vs.RGB48


@pytest.mark.parametrize("suffix", [".jpg", ".tif", ".png"])
def test_grey_stills_have_the_full_range(tmp_path, suffix):
    luma = np.tile(np.arange(256, dtype=np.uint8), (64, 1))
    still = tmp_path / f"in{suffix}"
    Image.fromarray(luma).save(still)
    assert colorize(still, tmp_path / "out.png") == 0
    with Image.open(tmp_path / "out.png") as made:
        shown = np.asarray(made.convert("L")).astype(float)
    assert abs(shown.mean(axis=0) - luma[0]).max() < 6


@pytest.mark.parametrize("turned", range(1, 9))
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_photographs_are_turned_as_they_were_held(tmp_path, turned, subsampling):
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    photo = Image.fromarray(coarse.repeat(16, 0).repeat(16, 1))
    exif = Image.Exif()
    exif[0x0112] = turned
    still = tmp_path / "in.jpg"
    photo.save(still, exif=exif, quality=95, subsampling=subsampling)
    assert colorize(still, tmp_path / "out.png") == 0
    with Image.open(still) as image, Image.open(tmp_path / "out.png") as made:
        wanted = np.asarray(ImageOps.exif_transpose(image).convert("L")).astype(float)
        shown = np.asarray(made.convert("L")).astype(float)
    assert shown.shape == wanted.shape
    assert np.abs(shown - wanted).mean() < 12


def test_a_png_is_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.zeros((64, 96, 3), np.uint8)).save(tmp_path / "in.png", exif=exif)
    assert colorize(tmp_path / "in.png", tmp_path / "out.png") == 0
    with Image.open(tmp_path / "out.png") as made:
        assert made.size == (64, 96)


def test_a_part_of_a_series_keeps_its_numbers(tmp_path):
    films.run(
        *("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-start_number", "3"),
        tmp_path / "in_%03d.png",
    )
    pattern = tmp_path / "out_%03d.png"
    assert colorize(tmp_path / "in_%03d.png", pattern, "--start", "2", "--end", "4") == 0
    assert [p.name for p in sorted(tmp_path.glob("out_*"))] == ["out_005.png", "out_006.png"]
    again = tmp_path / "." / "elsewhere" / ".." / "in_%03d.png"
    (tmp_path / "elsewhere").mkdir()
    assert colorize(tmp_path / "in_%03d.png", again, "--overwrite") == 2

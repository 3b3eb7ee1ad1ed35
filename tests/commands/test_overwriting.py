"""No command writes over what it reads, or over what it was not told to replace."""

import films
import numpy as np
import pytest
from films import colorize
from PIL import Image

from vscolor import cli
from vscolor.media import encode


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


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


def test_a_picture_of_a_series_that_comes_to_be_meanwhile_is_kept(tmp_path, capsys, monkeypatch):
    source, target = films.make(tmp_path / "in.mkv", frames=3), tmp_path / "out_2.png"
    finish = encode._judge

    def slow(*given):
        target.write_bytes(b"of another run")
        return finish(*given)

    monkeypatch.setattr(encode, "_judge", slow)
    assert colorize(source, tmp_path / "out_%d.png") == 1
    assert target.read_bytes() == b"of another run"
    (made,) = [p for p in tmp_path.iterdir() if p.is_dir()]
    assert made.name in capsys.readouterr().err
    assert sorted(p.name for p in made.iterdir()) == ["1.png", "2.png", "3.png"]
    assert not (tmp_path / "out_1.png").exists()


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


TWIN = "is read or written by this command already"


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

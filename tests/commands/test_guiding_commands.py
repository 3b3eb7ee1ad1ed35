"""The command `keyframes`, and history, references and hints on `colorize`."""

import json

import cv2
import films
import numpy as np
import pytest
from films import opened, two_shots

from vscolor import Hint, Reference, cli, colorize
from vscolor.history import keyframes
from vscolor.testing import planes_of


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def vscolor(*words):
    return cli.run([str(word) for word in words])


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Two shots of twelve frames."""
    return two_shots(tmp_path_factory.mktemp("shots"))


def coloured(film, target, *words):
    arguments = ("--size", "64", "--codec", "ffv1", "--quiet", *words)
    assert vscolor("colorize", film, target, *arguments) == 0
    return opened(target)


def assert_same(made, ours):
    assert made.num_frames == ours.num_frames
    for n in (0, 11, 12, 23):
        for a, b in zip(planes_of(made, n), planes_of(ours, n), strict=True):
            assert np.array_equal(a, b)


def test_keyframes_go_out_and_come_back(film, tmp_path):
    folder = tmp_path / "keys"
    assert vscolor("keyframes", film, folder, "--quiet") == 0
    names = sorted(p.name for p in folder.iterdir())
    assert names == [f"ref_{n:06d}.png" for n in (keyframes.DELAY, 12 + keyframes.DELAY)]
    assert cv2.imread(str(folder / names[0])).shape == (120, 160, 3)
    assert vscolor("keyframes", film, folder, "--quiet") == 2, "nothing is overwritten unasked"
    made = coloured(film, tmp_path / "out.mkv", "--reference", folder)
    assert_same(made, colorize(opened(film), size=64, references=folder))


def test_keyframes_of_a_scene_that_is_faded_in_lie_later(film, tmp_path):
    faded = tmp_path / "faded.mkv"
    films.run("-i", film, "-vf", "fade=in:0:24", "-c:v", "ffv1", faded)
    (tmp_path / "none.txt").write_text("")
    assert vscolor("keyframes", faded, tmp_path, "--scenes", tmp_path / "none.txt", "-q") == 0
    assert (tmp_path / "ref_000023.png").is_file()


def test_keyframes_come_coloured_and_those_left_grey_do_not_count(film, tmp_path, capfd):
    grey, folder, some = tmp_path / "grey.mkv", tmp_path / "keys", tmp_path / "some"
    films.run("-i", film, "-vf", "format=gray", "-c:v", "ffv1", grey)
    assert vscolor("keyframes", grey, folder, "--model", "mini") == 0
    first, second = sorted(folder.iterdir())
    assert np.ptp(cv2.imread(str(first)).astype(int), axis=2).max() > 10
    assert vscolor("keyframes", grey, some, "--quiet") == 0
    cv2.imwrite(str(some / first.name), cv2.imread(str(first)))
    capfd.readouterr()
    made = coloured(grey, tmp_path / "out.mkv", "--reference", some)
    assert capfd.readouterr().err == ""
    ours = colorize(opened(grey), size=64, references=Reference(first, frame=keyframes.DELAY))
    assert_same(made, ours)
    assert vscolor("keyframes", grey, tmp_path / "n", "--device", "cpu") == 2
    assert "--device needs --model" in capfd.readouterr().err
    words = ("colorize", grey, tmp_path / "b.mkv", "--size", "64", "--reference", some)
    assert vscolor(*words, "--end", "2") == 0
    assert f"left out: reference {second.name} has no colour" in capfd.readouterr().err


def test_history_references_hints_and_scenes_reach_the_filter(film, tmp_path):
    picture = tmp_path / "still.png"
    cv2.imwrite(str(picture), np.full((120, 160, 3), (40, 90, 200), np.uint8))
    hints = tmp_path / "hints.json"
    hints.write_text(json.dumps([{"frame": 2, "x": 10, "y": 10, "rgb": "#20a040"}]))
    scenes = tmp_path / "scenes.txt"
    scenes.write_text("12\n")
    words = ("--reference", f"{picture}@3", "--hints", hints, "--scenes", scenes)
    made = coloured(film, tmp_path / "out.mkv", *words, "--still-strength", "0.5")
    ours = colorize(
        opened(film),
        size=64,
        references=Reference(picture, frame=3),
        hints=Hint(2, 10, 10, rgb="#20a040"),
        scenes=[12],
        still_strength=0.5,
    )
    assert_same(made, ours)


def test_debug_reaches_the_filter(film, tmp_path):
    made = coloured(film, tmp_path / "out.mkv", "--history", "--debug", "marks")
    assert_same(made, colorize(opened(film), size=64, history=True, debug="marks"))


def test_keyframes_want_a_folder_before_cuts_are_looked_for(film, tmp_path, capfd, monkeypatch):
    from vscolor.commands import scenes

    monkeypatch.setattr(scenes, "find_cuts", None)
    place = tmp_path / "taken"
    place.write_text("mine")
    assert vscolor("keyframes", film, place) == cli.MISUSED
    assert "taken is no folder" in " ".join(capfd.readouterr().err.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--debug", "marks"), "debug= is marks, but model mini has no history"),
        (("--history", "--debug", "maps"), "debug= is 'maps', expected one of marks, sources"),
        (("--reference", "nowhere.png@3"), "nowhere.png does not exist"),
        (("--reference", f"{__file__}@3"), "is a script, expected a picture"),
        (("--history", "--model", "mini"), "model mini takes no history"),
        (("--hints", "nowhere.json"), "nowhere.json cannot be read"),
        (("--history-strength", "11"), "history_strength= is 11"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(film, tmp_path, capfd, words, message):
    assert vscolor("colorize", film, tmp_path / "out.mkv", "--quiet", *words) == cli.MISUSED
    assert message in " ".join(capfd.readouterr().err.split())
    assert not (tmp_path / "out.mkv").exists()

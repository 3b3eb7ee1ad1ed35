"""The command `metrics`: table, JSON and CSV of a real clip and a spoiled copy of it."""

import csv
import json
import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from films import make, opened

from vscolor import cli
from vscolor.metrics import clips, still
from vscolor.testing import planes_of

FRAMES = 24


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Two shots of twelve frames, and the same paler."""
    folder = tmp_path_factory.mktemp("films")
    cut = "split[a][b];[b]hue=h=120,hflip,negate[c];[a][c]concat"
    options = {"frames": FRAMES // 2, "sound": False, "size": "160x120"}
    truth = make(folder / "true.mkv", "-crf", "0", chain=cut, **options)
    result = make(folder / "pale.mkv", "-crf", "0", chain=f"{cut},hue=s=0.5", **options)
    return result, truth


def vscolor(*words):
    return cli.run([str(word) for word in words])


def test_table_of_a_clip(films, capsys):
    result, truth = films
    assert vscolor("metrics", result, truth, "--quiet") == 0
    told = capsys.readouterr()
    assert not told.err
    lines = dict(line.rsplit("  ", 1)[0].rsplit(maxsplit=1) for line in told.out.splitlines())
    ours, true = (clips.to_rgb(opened(p), vs.RGB24) for p in (result, truth))
    pairs = [[np.stack(planes_of(c, n), -1) for c in (ours, true)] for n in range(FRAMES)]
    expected = np.mean([still.psnr(*pair) for pair in pairs])
    assert float(lines["PSNR"]) == pytest.approx(expected, abs=0.006)
    assert 0.3 < float(lines["of the true"]) < 0.7
    assert float(lines["luma changed"]) == 0


def test_json_has_clip_scenes_and_frames(films, tmp_path, capsys):
    result, truth = films
    target = tmp_path / "all.json"
    assert vscolor("metrics", result, truth, "--json", target, "--size", "64", "--far") == 0
    assert "PSNR" in capsys.readouterr().out
    told = json.loads(target.read_text())
    assert told["frames"] == FRAMES
    assert [s["first"] for s in told["scenes"]] == [0, 12]
    assert [row["frame"] for row in told["by_frame"]] == list(range(FRAMES))
    assert "warp_rgb" not in told["by_frame"][12]
    assert told["clip"]["far_ab"] > 0
    each = [row["ssim"] for row in told["by_frame"]]
    assert told["clip"]["ssim"] == pytest.approx(np.mean(each))
    assert told["settings"]["size"] == 64
    assert list(tmp_path.iterdir()) == [target]


def test_csv_by_frame_scene_and_clip(films, tmp_path, capsys):
    result, _ = films
    assert vscolor("metrics", result, "--csv", "-", "--metrics", "cdc", "--quiet") == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert len(rows) == FRAMES
    assert rows[12]["cdc_1"] == ""
    assert float(rows[13]["cdc_1"]) >= 0
    target = tmp_path / "scenes.csv"
    assert vscolor("metrics", result, "--csv", target, "--per", "scene", "--quiet") == 0
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["first"] for row in rows] == ["0", "12"]
    table = capsys.readouterr().out.splitlines()
    assert table[0].split()[:3] == ["scene", "first", "frames"]
    assert len(table) == 3
    assert vscolor("metrics", result, "--per", "frame", "--metrics", "colourfulness", "-q") == 0
    assert len(capsys.readouterr().out.splitlines()) == FRAMES + 1


def test_a_part_and_given_cuts(films, tmp_path, capsys):
    result, truth = films
    cuts = tmp_path / "cuts.txt"
    cuts.write_text("4\n9\n18\n")
    part = ("--start", "6", "--end", "16", "--scenes", cuts)
    assert vscolor("metrics", result, truth, "--json", "-", *part, "-q") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["frames"], told["first_frame"]) == (10, 6)
    assert [s["first"] for s in told["scenes"]] == [6, 9]
    assert told["by_frame"][0]["frame"] == 6
    assert not any(math.isnan(v) for row in told["by_frame"] for v in row.values())


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--metrics", "beauty"), cli.MISUSED, "'beauty' is unknown"),
        (("--metrics", "lpips"), cli.FAILED, "vscolor models fetch lpips-alex"),
        (("--lpips", "nowhere.pth"), cli.FAILED, "nowhere.pth is not a file, expected alexnet"),
        (("--flow", "nowhere.pth"), cli.FAILED, "nowhere.pth is not a file, expected raft_large"),
        (("--flow", "raft"), cli.FAILED, "vscolor models fetch raft"),
        (("--metrics", "lpips", "--lpips-net", "x"), cli.MISUSED, "expected one of alex"),
        (("--metrics", "fid"), cli.FAILED, "weights-inception"),
        (("--json", "-", "--csv", "-"), cli.MISUSED, "both -"),
        (("--json", "no/such/folder/x.json"), cli.MISUSED, "not a folder"),
    ],
)
def test_misuse_is_one_line(films, capsys, arguments, code, words):
    assert vscolor("metrics", *films, *arguments) == code
    told = capsys.readouterr()
    assert told.err.count("\n") == 1
    assert words in told.err
    assert not told.out


@pytest.mark.parametrize("command", ["metrics", "timeline"])
def test_cuts_of_another_film_are_refused(films, tmp_path, capsys, command):
    cuts = tmp_path / "cuts.csv"
    cuts.write_text("12\n5000\n")
    target = () if command == "metrics" else (tmp_path / "out.png",)
    words = (command, films[0], *target, "--scenes", cuts)
    assert vscolor(*words) == cli.MISUSED
    assert "frame 5000, expected 0 to 23" in capsys.readouterr().err
    cuts.write_text("12\n")
    assert vscolor(*words, "--start", "4", "--end", "10") == 0


def test_clips_that_do_not_fit_are_refused(films, tmp_path, capsys):
    result, truth = films
    short = make(tmp_path / "short.mkv", frames=20, sound=False, size="160x120")
    small = make(tmp_path / "small.mkv", frames=24, sound=False)
    for other, words in ((short, "24 frames and truth 20"), (small, "160x120 and truth 96x64")):
        assert vscolor("metrics", result, other) == cli.FAILED
        assert words in capsys.readouterr().err
    assert vscolor("metrics", result, "--metrics", "psnr") == cli.MISUSED
    assert "compares with a true clip" in capsys.readouterr().err
    target = tmp_path / "taken.json"
    target.write_text("mine")
    assert vscolor("metrics", result, truth, "--json", target) == cli.MISUSED
    assert target.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_flat():
    script = Path(__file__).parents[2] / "scripts" / "bench" / "measuring.py"
    done = subprocess.run(
        [sys.executable, str(script), "--frames", "300"], capture_output=True, text=True, check=True
    )
    marks = re.search(r"at the end \| (\d+) and (\d+) MB", done.stdout)
    early, late = int(marks[1]), int(marks[2])
    assert late < early + 40, done.stdout

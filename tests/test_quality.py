"""The benchmark suite on a few frames: what stands in its tables."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs
from PIL import Image
from skimage import data

from vscolor.commands.demo import find_clip
from vscolor.testing import planes_of

BENCH = Path(__file__).parents[1] / "scripts" / "bench"


@pytest.fixture(scope="module")
def quality():
    # Both this folder and that one have a module `films`.
    ours = sys.modules.pop("films", None)
    sys.path.insert(0, str(BENCH))
    try:
        import quality

        yield quality
    finally:
        sys.path.remove(str(BENCH))
        sys.modules.pop("films", None)
        if ours is not None:
            sys.modules["films"] = ours


@pytest.fixture
def cut_film(quality):
    """Two shots of three frames."""
    film = quality.small(find_clip(), 123).resize.Bicubic(160, 64)
    return film[:3] + film[120:]


def test_baselines_are_clips_of_the_true_lightness(quality, cut_film):
    true = quality.labs(cut_film)
    for method in quality.methods(["tiny"], ["motion"], moving=True):
        made = method.apply(cut_film)
        assert made.num_frames == cut_film.num_frames
        # 8 bits of luma apart, colour may be clipped to the gamut.
        gap = np.abs(quality.labs(made)[2][..., 0] - true[2][..., 0])
        assert np.median(gap) < 0.6, method.name
    assert [m.name for m in quality.methods(["tiny"], [], moving=False)] == ["grey", "tiny"]


def test_flow_begins_with_the_truth(quality, cut_film):
    flow = next(m for m in quality.methods([], [], moving=True) if "direct" in m.name)
    true = quality.clips.to_rgb(cut_film, vs.RGB48)
    for a, b in zip(planes_of(flow.apply(cut_film), 0), planes_of(true, 0), strict=True):
        assert np.abs(a.astype(int) - b).max() < 40


def test_the_mean_stops_at_cuts(quality, cut_film):
    mean = next(m for m in quality.methods(["tiny"], [], moving=True) if "mean of 15" in m.name)
    ab = [lab[..., 1:].mean() for lab in quality.labs(quality.coloured(cut_film, "tiny"))]
    made = [lab[..., 1:].mean() for lab in quality.labs(mean.apply(cut_film))]
    assert made[0] == pytest.approx(np.mean(ab[:3]), abs=0.5)
    assert made[5] == pytest.approx(np.mean(ab[3:]), abs=0.5)


def test_every_installed_model_takes_part_history_included(quality, cut_film):
    names = [entry.card.name for entry in quality.installed()]
    assert {"mini", "mini-video"} <= set(names)
    method = next(m for m in quality.methods(names, [], moving=True) if m.name == "mini-video")
    with_history = quality.colorize(quality.drained(cut_film), history=True)
    for made, wanted in zip(
        planes_of(method.apply(cut_film), 5), planes_of(with_history, 5), strict=True
    ):
        np.testing.assert_array_equal(made, wanted)


def test_table_marks_the_best(quality):
    rows = {
        "grey": {"psnr": 99.0, "warp_ab": 0.0},
        "flow direct": {"psnr": 50.0, "warp_ab": 0.01},
        "one": {"psnr": 20.0, "warp_ab": 0.5},
        "two": {"psnr": 21.0},
    }
    lines = quality.table(rows).splitlines()
    assert lines[0] == "| method | PSNR | warp ab |"
    assert lines[2:] == [
        "| grey | 99.00 | 0.00000 |",
        "| flow direct | 50.00 | 0.01000 |",
        "| one | 20.00 | **0.50000** |",
        "| two | **21.00** | - |",
    ]
    both = quality.means([rows, {**rows, "one": {"psnr": 30.0}}])
    assert both["one"] == {"psnr": 25.0, "warp_ab": 0.5}


def test_command(quality, tmp_path, monkeypatch, capsys):
    photos = tmp_path / "photos"
    photos.mkdir()
    Image.fromarray(data.coffee()[::2, ::2]).save(photos / "coffee.png")
    Image.fromarray(data.chelsea()[::2, ::2]).save(photos / "chelsea.jpg")
    target = tmp_path / "all.json"
    words = ["--photos", str(photos), "--models", "tiny", "--json", str(target)]
    monkeypatch.setattr(sys, "argv", ["quality", *words])
    quality.main()
    out = capsys.readouterr().out
    assert out.startswith("2 photographs\n\n| method | PSNR |")
    told = json.loads(target.read_text())["photographs"]
    assert set(told) == {"coffee", "chelsea"}
    assert told["coffee"]["grey"]["colour_ratio"] == pytest.approx(0, abs=0.01)
    monkeypatch.setattr(sys, "argv", ["quality", "--clips", str(tmp_path)])
    with pytest.raises(SystemExit, match="holds no"):
        quality.main()

"""The score of perfect, absent and real predictions."""

import json
import sys

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.color import rgb2lab

from vscolor.models.mini.adapter import TORCH_FILE
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE
from vscolor.training import evaluate


def half_size(name):
    return getattr(data, name)()[::2, ::2] / np.float32(255.0)


def test_perfect_prediction_scores_as_such():
    rgb = half_size("astronaut")
    ab = rgb2lab(rgb)[..., 1:].transpose(2, 0, 1)[None].astype(np.float32)
    judged = evaluate.judge(rgb, lambda luma: ab, 256)
    score = evaluate.score([judged])
    assert score.psnr > 40
    assert score.colourfulness == pytest.approx(1, abs=0.02)
    assert score.below_grey > 0.9


def test_no_colour_scores_as_grey():
    nothing = np.zeros((1, 2, 64, 64), np.float32)
    score = evaluate.score([evaluate.judge(half_size("coffee"), lambda luma: nothing, 256)])
    assert score.gain == 0
    assert score.below_grey == pytest.approx(0, abs=0.02)


def test_model_size():
    assert evaluate.model_size(1080, 1920, 256) == (256, 448)
    assert evaluate.model_size(500, 100, 64) == (320, 64)
    assert evaluate.model_size(10, 10, 16) == (32, 32)


def test_command(tmp_path, monkeypatch, capsys):
    Image.fromarray(data.coffee()[:128, :192]).save(tmp_path / "coffee.png")
    Image.fromarray(data.chelsea()[:128, :128]).save(tmp_path / "chelsea.png")
    sheet = tmp_path / "out" / "sheet.png"
    sheet.parent.mkdir()
    given = [str(TORCH_FILE), str(tmp_path), "--size", "128", "--json", "--sheet", str(sheet)]
    monkeypatch.setattr(sys, "argv", ["evaluate", *given])
    evaluate.main()
    assert json.loads(capsys.readouterr().out)["pictures"] == 2
    with Image.open(sheet) as image:
        assert image.size == (3 * 240 + 3 * 160, 164)


@pytest.mark.parametrize(
    ("weights", "folder", "said"),
    [
        (TORCH_FILE, ".", "no picture"),
        (TORCH_FILE, "none", "is not a folder"),
        ("none.safetensors", ".", r"none\.safetensors"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, monkeypatch, weights, folder, said):
    words = ["evaluate", str(weights), str(tmp_path / folder)]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match=f"evaluate: .*{said}"):
        evaluate.main()


def test_colour_is_believable():
    predict = evaluate.predictor(TORCH_FILE, DEFAULT_TEMPERATURE)
    names = ("astronaut", "chelsea", "coffee", "rocket")
    rows = [evaluate.judge(half_size(name), predict, 192) for name in names]
    score = evaluate.score(rows)
    assert score.gain > 0.5
    assert score.below_grey > 0.05
    assert 0.3 < score.colourfulness < 1.2
    # The astronaut is at 1.3: her orange suit is taken for blue. The others are well below grey.
    assert all(row.numbers[4] < 1.4 * row.numbers[5] for row in rows), "none far worse than grey"
    assert sum(row.numbers[4] < 0.85 * row.numbers[5] for row in rows) >= 3

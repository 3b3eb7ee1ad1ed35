"""The command `timeline`: the picture is there and shows cuts and flicker."""

import cv2
import numpy as np
import pytest
from films import make

from vscolor import cli, plot
from vscolor.commands import timeline
from vscolor.metrics.table import Table


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    cut = "split[a][b];[b]hue=h=120,hflip,negate[c];[a][c]concat"
    return make(
        tmp_path_factory.mktemp("film") / "film.mkv",
        frames=12,
        chain=cut,
        sound=False,
        size="160x120",
    )


def vscolor(*words):
    return cli.run([str(word) for word in words])


def test_picture_has_strip_plots_and_cut(film, tmp_path, capsys):
    target = tmp_path / "out.png"
    assert vscolor("timeline", film, target) == 0
    assert "24 frames, 1 cut\n" in capsys.readouterr().err
    drawn = cv2.imread(str(target))
    assert drawn.shape == (timeline.STRIP_HEIGHT + 2 * plot.HEIGHT, plot.WIDTH, 3)
    strip = drawn[: timeline.STRIP_HEIGHT, plot.LEFT : plot.WIDTH - plot.RIGHT]
    assert strip.std() > 20
    x = round(plot.LEFT + 12 / 23 * (plot.WIDTH - plot.LEFT - plot.RIGHT))
    top = timeline.STRIP_HEIGHT + plot.TOP + 2
    column = drawn[top : top + 12, x - 1 : x + 2]
    assert (column == plot.CUT).all(-1).any()


def test_steps_stop_at_cuts_and_show_flicker():
    table = Table(("mean_a", "mean_b", "chroma_step"), first=100)
    for n, step in enumerate([np.nan, 0.1, 6, 0.1, np.nan, 0.1]):
        table.add((n, -n, step), cut=n == 4)
    colour, steps = timeline.panels(table)
    assert colour.cuts == steps.cuts == [104]
    assert steps.places[np.nanargmax(steps.lines[0].values)] == 102


@pytest.mark.parametrize(
    ("target", "words"), [("out.jpg", "no PNG"), ("no/such/out.png", "not a folder")]
)
def test_misuse(film, tmp_path, capsys, target, words):
    assert vscolor("timeline", film, tmp_path / target) == cli.MISUSED
    assert words in capsys.readouterr().err

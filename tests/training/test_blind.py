"""Training of `blind`: batches, flicker, and a run that resumes where it stopped."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import load_file  # noqa: E402

from vscolor.training import flicker  # noqa: E402
from vscolor.training.blind import Recipe, Trainer, make_batch, train  # noqa: E402
from vscolor.training.footage import Shot, load_shots, save_shots, split  # noqa: E402
from vscolor.training.photographs import Photographs  # noqa: E402

RECIPE = Recipe(minutes=10, steps=3, pieces=2, frames=4, side=32)


@pytest.fixture(scope="module")
def photographs():
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (2, 12, 16, 3), dtype=np.uint8)
    pictures = coarse.repeat(8, axis=1).repeat(8, axis=2)
    places = np.array([[i * pictures[0].size, 96, 128] for i in range(2)])
    return Photographs(pictures.reshape(-1), places, ("a", "b"), np.full(2, 9, np.float32))


@pytest.fixture(scope="module")
def shots():
    rgb = np.random.default_rng(1).integers(0, 256, (9, 48, 64, 3), dtype=np.uint8)
    return [Shot(rgb), Shot(rgb, coloured=rgb, steadied=rgb[::-1].copy())]


def test_a_batch_is_a_function_of_the_step(photographs, shots):
    one, same, other = (make_batch(photographs, shots, RECIPE, n) for n in (5, 5, 6))
    for a, b in zip(one, same, strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.given, other.given)
    assert one.luma.shape == (4, 2, 1, 32, 32)
    assert one.given.shape == one.steady.shape == (4, 2, 2, 8, 8)


def test_luma_and_chroma_are_bt709s():
    red = np.zeros((1, 4, 4, 3), np.uint8)
    red[..., 0] = 255
    luma, chroma = split(red)
    assert luma[0, 0, 0] == pytest.approx(0.2126)
    assert chroma[0, :, 0, 0] == pytest.approx([-0.2126 / 1.8556 * 224, 112], abs=0.02)


@pytest.mark.parametrize("kind", flicker.KINDS)
def test_every_kind_of_flicker_changes_colour_in_time(kind):
    still = np.random.default_rng(2).normal(0, 20, (1, 2, 12, 12)).astype(np.float32)
    still = still.repeat(12, axis=0)
    made = kind(still, np.random.default_rng(3))
    assert made.shape == still.shape
    assert made.dtype == np.float32
    assert np.abs(np.diff(made, axis=0)).max() > 0.5


def test_shots_survive_the_disk(tmp_path, shots):
    save_shots(tmp_path / "none.npz", [])
    assert load_shots(tmp_path / "none.npz") == []
    save_shots(tmp_path / "shots.npz", shots)
    first, second = load_shots(tmp_path / "shots.npz")
    assert first.coloured is None
    assert np.array_equal(first.rgb, shots[0].rgb)
    assert np.array_equal(second.steadied, shots[1].steadied)


def test_a_resumed_run_ends_in_the_same_weights(tmp_path, photographs, shots):
    whole, part = tmp_path / "whole", tmp_path / "part"
    train(RECIPE, photographs, shots, whole)
    half = Trainer(RECIPE)
    for _ in range(2):
        half.learn(make_batch(photographs, shots, RECIPE, half.progress.step), half.share)
    part.mkdir()
    half.save(part / "checkpoint.pt")
    train(RECIPE, photographs, shots, part, resume=True)
    a, b = (load_file(folder / "blind.safetensors") for folder in (whole, part))
    assert len((part / "log.jsonl").read_text().splitlines()) == 1
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)

"""Training of the video model: scenes, targets, and that a few steps help."""

import numpy as np
import pytest
import torch
from skimage import data

from vscolor.models.mini.adapter import TORCH_FILE as MINI
from vscolor.models.mini_video import motion
from vscolor.training.episodes import EpisodeBatches, Episodes, EpisodeSettings, NetworkFiles
from vscolor.training.photographs import open_folder, shares
from vscolor.training.scenery import film_scene, make_scene
from vscolor.training.targets import turned, warp
from vscolor.training.video import VideoRecipe, VideoTrainer, publish


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    from PIL import Image

    folder = tmp_path_factory.mktemp("photographs")
    for name in ("astronaut", "coffee", "chelsea", "rocket"):
        Image.fromarray(getattr(data, name)()).resize((213, 160)).save(folder / f"{name}.png")
    return open_folder(folder, folder / "cache")


def batches(pictures, **settings):
    chosen = EpisodeSettings(size=2, frames=2, **settings)
    return EpisodeBatches(pictures, shares(pictures, {}), chosen, NetworkFiles(MINI))


def test_a_scene_knows_where_its_places_were(pictures):
    """Colours looked up in the reference at the told places are the frame's own."""
    chances = shares(pictures, {})
    errors = []
    for seed in range(6):
        scene = make_scene(pictures, chances, (96, 128), 2, np.random.default_rng(seed))
        places, seen = torch.from_numpy(scene.places[3]), scene.visible[3] > 0.5
        planes = torch.from_numpy(scene.ab[0].transpose(2, 0, 1).copy())[None]
        grid = places.permute(2, 0, 1)[None]
        moved = warp(
            planes,
            grid - torch.from_numpy(np.stack(np.meshgrid(range(128), range(96))))[None].float(),
        )
        error = np.abs(moved[0].numpy().transpose(1, 2, 0) - scene.ab[3]).sum(axis=-1)
        errors.append(np.median(error[seen]))
    assert np.mean(errors) < 1.5


@pytest.fixture(scope="module")
def shots():
    """A picture that slides two pixels a frame, too small for the largest scene by nothing."""
    wide = np.asarray(data.rocket())[:168, :400]
    return [np.stack([wide[:, 2 * t : 2 * t + 200] for t in range(40)])]


def test_a_film_scene_shows_the_film_and_claims_no_places(shots):
    for seed in range(8):
        rng = np.random.default_rng(seed)
        scene = film_scene(shots, (128, 160), 3, rng)
        assert scene.luma.shape == (5, 128, 160)
        assert scene.ab.shape == (5, 128, 160, 2)
        assert not scene.visible.any()
        later = [motion.find_motion(scene.luma[n], scene.luma[n - 1]).flow for n in (2, 3, 4)]
        speed = np.median(np.abs(np.stack(later)[..., 0]))
        assert 1 < speed < 4, "two pixels a frame, or a little less or more by the scale"


def test_films_come_into_batches_and_are_trained_on(pictures, shots):
    settings = EpisodeSettings(size=2, frames=2, film_share=1.0)
    chances = shares(pictures, {})
    batch = EpisodeBatches(pictures, chances, settings, NetworkFiles(MINI), shots)[0]
    assert not batch.visible.any()
    trainer = VideoTrainer(VideoRecipe(batches=settings))
    lesson = trainer.prepare(batch)
    truth = batch.ab
    turned_back = (lesson.wanted - truth).abs().amax(dim=(1, 2, 3, 4))
    assert (lesson.weight > 0).all()
    assert torch.isfinite(turned_back).all()
    scores = trainer.step(Episodes(*batch), 0.1)
    assert np.isfinite(scores["loss"])
    assert scores["places"] == 0


def test_a_batch_is_a_function_of_its_number(pictures):
    one, two = (batches(pictures)[7] for _ in range(2))
    for a, b in zip(one[:9], two[:9], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(one.luma[0, 0], batches(pictures, seed=1)[7].luma[0, 0])


def test_following_is_the_filters_own():
    rng = np.random.default_rng(0)
    planes = rng.random((2, 20, 30), np.float32)
    flow = rng.normal(0, 2, (20, 30, 2)).astype(np.float32)
    ours = motion.warp(planes, flow)
    turned_flow = torch.from_numpy(flow.transpose(2, 0, 1).copy())[None]
    theirs = warp(torch.from_numpy(planes)[None], turned_flow)[0].numpy()
    assert np.abs(ours - theirs).max() < 0.05  # OpenCV interpolates in 32nds of a pixel


def test_hue_is_turned():
    ab = torch.tensor([3.0, 4.0]).view(1, 1, 2, 1, 1)
    same = turned(ab, torch.zeros(1), torch.ones(1))
    half = turned(ab, torch.full((1,), torch.pi), torch.full((1,), 0.5))
    assert torch.allclose(same, ab)
    assert torch.allclose(half, -0.5 * ab, atol=1e-5)


def test_steps_lower_the_loss_and_a_run_goes_on_where_it_stopped(pictures, tmp_path):
    torch.manual_seed(0)
    source = batches(pictures)
    fixed = Episodes(*source[0])
    trainer = VideoTrainer(VideoRecipe(rate=3e-3))

    def loss():
        step, trainer.progress.step = trainer.progress.step, 0
        with torch.no_grad():
            found = trainer.unroll(fixed, trainer.prepare(fixed)).weighted(trainer.recipe.weights)
        trainer.progress.step = step
        return found.item()

    before = loss()
    for _ in range(6):
        trainer.progress.step = 0
        trainer.step(fixed, 0.2)
    assert loss() < before
    trainer.save(tmp_path / "checkpoint.pt")
    again = VideoTrainer(VideoRecipe(rate=3e-3))
    again.restore(tmp_path / "checkpoint.pt")
    assert again.step(fixed, 0.2) == trainer.step(fixed, 0.2)
    publish(again, tmp_path / "w.safetensors")
    assert VideoTrainer(VideoRecipe(), tmp_path / "w.safetensors").model.temperature > 0

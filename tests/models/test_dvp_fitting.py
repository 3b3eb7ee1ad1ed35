"""Fits of Deep Video Prior: what reweighting is for, when a fit stops, and that it can go on."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from vscolor.models.dvp import fitting  # noqa: E402
from vscolor.models.dvp.fitting import PriorFit, ReferenceFit, Scene, robust  # noqa: E402
from vscolor.models.dvp.network import PriorNet, select_mode  # noqa: E402

CPU = torch.device("cpu")
FRAMES, HEIGHT, WIDTH = 20, 64, 96
MINORITY = 6
JUMP = 30 / 224


def wandering_luma():
    """A coarse pattern that slides to the left, two pixels a frame."""
    rng = np.random.default_rng(4)
    wide = rng.random((8, 20)).repeat(8, 0).repeat(8, 1)
    rows = [wide[:, 2 * n : 2 * n + WIDTH] for n in range(FRAMES)]
    return torch.from_numpy(np.stack(rows)[:, None].astype(np.float32))


def two_modes():
    """All frames of one colour, but in `MINORITY` of them the left half is of another."""
    chroma = np.full((FRAMES, 2, HEIGHT // 2, WIDTH // 2), 0.05, np.float32)
    other = np.random.default_rng(5).permutation(FRAMES)[:MINORITY]
    chroma[other, :, :, : WIDTH // 4] += JUMP
    return Scene(wandering_luma(), torch.from_numpy(chroma)), other


def fitted(scene, *, irt, seed=0):
    fit = PriorFit(scene, irt=irt, seed=seed, device=CPU)
    while not fit.done:
        fit.advance()
    return fit


def left_of(fit, scene, *, irt):
    """How far the left half is on its way from the majority's colour, 0, to the minority's, 1."""
    network = PriorNet(irt=irt)
    network.load_state_dict({k: v.float() for k, v in fit.result().items()})
    with torch.inference_mode():
        made = select_mode(network(scene.luma))
    return float((made[:, :, 4:-4, 4 : WIDTH // 4 - 4].mean() - 0.05) / JUMP)


def test_with_reweighting_a_jump_ends_in_the_majority_and_without_it_between(monkeypatch):
    monkeypatch.setattr(fitting, "MAX_STEPS", 360)
    scene, _ = two_modes()
    share = MINORITY / FRAMES
    assert abs(left_of(fitted(scene, irt=True), scene, irt=True)) < 0.1
    plain = left_of(fitted(scene, irt=False), scene, irt=False)
    assert 0.5 * share < plain < 1.5 * share


def test_a_fit_stops_by_the_frames_held_out(monkeypatch):
    """Colour that is another in every frame cannot be told from luma by frames held out."""
    monkeypatch.setattr(fitting, "MAX_STEPS", 5000)
    noise = 0.05 * np.random.default_rng(6).standard_normal((FRAMES, 2, 1, 1))
    chroma = np.broadcast_to(noise, (FRAMES, 2, HEIGHT // 2, WIDTH // 2)).astype(np.float32)
    fit = fitted(Scene(wandering_luma(), torch.from_numpy(chroma.copy())), irt=False)
    assert fitting.MIN_STEPS <= fit.step < 2000


def test_a_scene_too_short_to_hold_frames_out_is_fitted_for_a_while(monkeypatch):
    monkeypatch.setattr(fitting, "MIN_STEPS", 30)
    scene = two_modes()[0]
    fit = fitted(Scene(scene.luma[:3], scene.chroma[:3]), irt=True)
    assert fit.step == fitting.MIN_STEPS


def advanced(fit, steps):
    for _ in range(steps):
        fit.advance()
    return fit


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def ours(seed=0):
    return PriorFit(two_modes()[0], irt=True, seed=seed, device=CPU)


def theirs(seed=0):
    scene = two_modes()[0]
    rgb = scene.luma.expand(-1, 3, -1, -1)[:2, :, :32, :32]
    return ReferenceFit(scene.luma[:2, :, :32, :32], rgb, irt=True, seed=seed, device=CPU)


@pytest.mark.parametrize("made", [ours, theirs])
def test_a_fit_goes_on_as_if_it_had_not_stopped(tmp_path, made):
    whole = advanced(made(), 32)
    part = advanced(made(), 30)
    torch.save(part.state(), tmp_path / "state.pt")
    resumed = made()
    resumed.restore(torch.load(tmp_path / "state.pt", weights_only=True))
    advanced(resumed, 2)
    assert resumed.step == whole.step == 32
    assert same(whole.state()["network"], resumed.state()["network"])
    assert same(whole.result(), resumed.result())


@pytest.mark.parametrize("made", [ours, theirs])
def test_the_seed_decides(made):
    one, again, other = (advanced(made(seed), 2).state()["network"] for seed in (0, 0, 1))
    assert same(one, again)
    assert not same(one, other)


def test_the_reference_begins_with_the_first_frame_alone():
    """Five epochs of it, then all frames: 25 in all."""
    fit = theirs()
    assert fit.steps == 50
    changed = theirs()
    changed._rgb = torch.cat([changed._rgb[:1], 1 - changed._rgb[1:]])
    for _ in range(10):
        fit.advance()
        changed.advance()
    assert same(fit.result(), changed.result())
    advanced(fit, 2)
    advanced(changed, 2)
    assert not same(fit.result(), changed.result())


def test_small_errors_count_by_their_square():
    small, large = (float(robust(torch.tensor(levels / fitting.LEVELS))) for levels in (0.4, 400))
    assert small == pytest.approx(0.005, rel=0.01)
    assert large == pytest.approx(99, rel=0.01)

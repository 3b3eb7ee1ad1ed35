"""Training: data, objective and loop, on scikit-image's photographs."""

import json
import math
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from skimage import data
from skimage.color import rgb2lab

from vscolor.errors import SettingError, WeightsError
from vscolor.models.mini import bins, network
from vscolor.models.mini.adapter import TORCH_FILE
from vscolor.models.mini.architecture import TAPS
from vscolor.training import lab
from vscolor.training.batches import BatchSettings, crop, make_batch
from vscolor.training.degrade import degrade, film_weights
from vscolor.training.objective import (
    distillation_loss,
    frequencies,
    rebalancing,
    soft_table,
    terms,
)
from vscolor.training.photographs import open_folder, shares, source_of
from vscolor.training.run import Progress, rate_at
from vscolor.training.still import (
    TUNING,
    Recipe,
    Trainer,
    encoder_rate_at,
    publish,
    release,
    rough_blocks,
    train,
)

TINY = Recipe(
    samples=8,
    frozen_share=0.5,
    batches=BatchSettings(size=2, seed=3, shapes=((32, 64),)),
)


@pytest.fixture(autouse=True)
def keep_threads():
    """More threads than the caller allows, left on, stall the tests after it on a busy machine."""
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight small colour photographs and one grey one."""
    where = tmp_path_factory.mktemp("photographs")
    for name in ("astronaut", "chelsea", "coffee", "rocket"):
        picture = getattr(data, name)()
        Image.fromarray(picture[:160, :200]).save(where / f"{name}_001.png")
        Image.fromarray(picture[-150:, -220:]).save(where / f"{name}_002.png")
    Image.fromarray(data.camera()[:160, :200]).save(where / "camera_001.png")
    return where


@pytest.fixture(scope="module")
def pictures(folder, tmp_path_factory):
    return open_folder(folder, tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def table():
    return soft_table(bins.centres())


def test_lab_is_lab():
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    expected = rgb2lab(rgb)
    linear = lab.linear_of(rgb)
    assert np.abs(lab.ab_of(linear) - expected[..., 1:]).max() < 0.05
    assert np.abs(lab.lightness(linear @ lab.LUMINANCE) - expected[..., 0]).max() < 0.02


def test_cache_keeps_the_pictures(folder, pictures):
    assert len(pictures) == 9
    assert pictures.names == tuple(sorted(p.name for p in folder.iterdir()))
    assert pictures.picture(0).shape == (160, 200, 3)
    assert min(pictures.picture(1).shape[:2]) == 150
    with Image.open(folder / pictures.names[0]) as image:
        assert np.array_equal(pictures.picture(0), np.asarray(image))


def test_grey_pictures_are_not_drawn(pictures):
    chances = shares(pictures, {"coffee": 3.0})
    by_name = dict(zip(pictures.names, chances, strict=True))
    assert by_name["camera_001.png"] == 0
    assert math.isclose(by_name["coffee_001.png"], 3 * by_name["rocket_002.png"])
    assert math.isclose(chances.sum(), 1)
    assert (shares(pictures, {}, least_spread=0.0) > 0).all()


def test_empty_and_grey_folders_are_refused(tmp_path):
    with pytest.raises(SettingError, match="no picture"):
        open_folder(tmp_path, tmp_path / "cache")
    Image.fromarray(data.camera()[:64, :64]).save(tmp_path / "grey.png")
    with pytest.raises(SettingError, match="grey, toned"):
        shares(open_folder(tmp_path, tmp_path / "cache"), {})


@pytest.mark.parametrize(
    ("name", "source"),
    [("intel_00012.webp", "intel"), ("kodak.png", "kodak"), ("a_b_1.jpg", "a_b")],
)
def test_source_of(name, source):
    assert source_of(name) == source


def test_batch_is_a_function_of_its_number(pictures):
    chances, settings = shares(pictures, {}), BatchSettings(size=4, shapes=((64, 96),))
    first, again, other = (make_batch(pictures, chances, settings, n) for n in (5, 5, 6))
    assert first.luma.shape == (4, 1, 64, 96)
    assert first.ab.shape == (4, 2, 16, 24)
    assert torch.equal(first.luma, again.luma)
    assert torch.equal(first.ab, again.ab)
    assert not torch.equal(first.ab, other.ab)
    assert 0 <= first.luma.min() <= first.luma.max() <= 100


def test_crop_stays_inside_and_fills(pictures):
    rng = np.random.default_rng(0)
    for shape in ((64, 64), (160, 96), (320, 320)):
        assert crop(pictures.picture(0), shape, rng).shape == (*shape, 3)


def test_degradation_harms_only_what_it_is_told_to(pictures):
    luma = lab.lightness(lab.linear_of(np.stack([pictures.picture(0)] * 4)) @ lab.LUMINANCE)
    kept = luma.copy()
    light = degrade(luma, np.random.default_rng(0), 0.0)
    harmed = degrade(luma, np.random.default_rng(0), 3.0)
    assert np.array_equal(luma, kept)
    assert 0 <= harmed.min() <= harmed.max() <= 100
    assert np.abs(light - luma).mean() < np.abs(harmed - luma).mean()


def test_film_weights_sum_to_one():
    weights = film_weights(64, np.random.default_rng(0), 0.5)
    assert np.allclose(weights.sum(axis=1), 1)
    plain = np.isclose(weights, lab.LUMINANCE).all(axis=1)
    assert 10 < plain.sum() < 54


def test_table_is_soft_encoding(table):
    colours = np.random.default_rng(0).uniform(-90, 90, (200, 2)).round() // 2 * 2
    centres = bins.centres()
    index, share = table.encode(torch.from_numpy(colours.astype(np.float32)))
    for colour, row, weights in zip(colours, index.numpy(), share.numpy(), strict=True):
        squared = ((centres - colour) ** 2).sum(axis=1)
        five = np.sort(squared)[:5]
        gauss = np.exp(-five / (2 * 5.0**2))
        assert np.allclose(squared[row], five)
        assert np.allclose(weights, gauss / gauss.sum(), atol=1e-5)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_rebalancing_has_expectation_one(table, power):
    colours = np.random.default_rng(0).normal(0, 15, (5000, 2)).astype(np.float32)
    prior = frequencies(table, colours)
    weights = rebalancing(prior, power=power)
    assert math.isclose(prior.sum(), 1, rel_tol=1e-5)
    assert math.isclose((prior * weights).sum(), 1, rel_tol=1e-5)
    assert (weights[prior.argmin()] >= weights[prior.argmax()]).item()


def test_terms_are_least_at_the_truth(table):
    centres = torch.from_numpy(bins.centres().copy())
    true = torch.tensor([[20.0, 30.0], [0.0, 0.0], [-31.0, 12.0]])
    index, share = table.encode(true)
    right = torch.full((3, bins.COUNT), -20.0).scatter(1, index, share.log())
    flat = torch.zeros(3, bins.COUNT)
    weights = torch.ones(bins.COUNT)
    best, worst = (
        terms(x, torch.softmax(x, 1) @ centres, true, table, weights) for x in (right, flat)
    )
    entropy = -(share * share.log()).sum(dim=1).mean()
    assert math.isclose(best.classes, entropy, abs_tol=1e-4)
    assert math.isclose(worst.classes, math.log(bins.COUNT), rel_tol=1e-5)
    assert best.mean < worst.mean
    assert best.gain > 0


def test_rates():
    recipe = Recipe(warm_up=0.1, final_rate=0.02, frozen_share=0.3, encoder_rate=0.1)
    assert rate_at(0.05, recipe) == pytest.approx(0.5)
    assert rate_at(0.1, recipe) == pytest.approx(1.0)
    assert rate_at(1.0, recipe) == pytest.approx(0.02)
    assert encoder_rate_at(0.2, recipe) == 0
    assert encoder_rate_at(0.6, recipe) == pytest.approx(0.1 * rate_at(0.6, recipe))


def test_schedule_follows_the_clock_when_it_is_ahead():
    recipe = replace(TINY, samples=400, hours=1.0)
    assert Progress(step=2, seconds=0.0).share(recipe) == pytest.approx(0.01)
    assert Progress(step=2, seconds=1800.0).share(recipe) == pytest.approx(0.5)


def test_frozen_encoder_stays_and_deeper_blocks_learn(pictures):
    trainer = Trainer(TINY, pictures)
    batch = make_batch(pictures, trainer.chances, TINY.batches, 0)
    before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
    trainer.step(batch, 0.1)
    changed = {k for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert "head.conv.weight" in changed
    assert not any(k.startswith(("encoder", "stem")) for k in changed)
    trainer.step(batch, 0.8)
    changed = {k for k, v in trainer.model.state_dict().items() if not torch.equal(v, before[k])}
    assert "encoder.9.expand.conv.weight" in changed
    assert not any(k.startswith(("stem", "encoder.0", "encoder.4.")) for k in changed)


def test_resumed_run_equals_an_uninterrupted_one(folder, tmp_path):
    torch.set_num_threads(1)  # spinning threads stall each other on a busy machine
    straight, halves = tmp_path / "straight", tmp_path / "halves"
    cache = tmp_path / "cache"
    pictures = open_folder(folder, cache)
    train(TINY, pictures, straight, workers=0)
    half = Trainer(TINY, pictures)
    for _ in range(2):
        share = half.progress.share(TINY)
        half.step(make_batch(pictures, half.chances, TINY.batches, half.progress.step), share)
    halves.mkdir()
    half.save(halves / "checkpoint.pt")
    told = []
    train(TINY, pictures, halves, resume=True, workers=0, tell=told.append)
    assert [(now.step, now.share) for now in told] == [(3, 0.5), (4, 0.75)]
    ends = [torch.load(p / "checkpoint.pt", weights_only=True) for p in (straight, halves)]
    for part in ("model", "average"):
        assert all(torch.equal(v, ends[1][part][k]) for k, v in ends[0][part].items())
    lines = (straight / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]
    assert not list(straight.glob("*.part"))


def test_a_run_notes_what_it_depends_on(pictures, tmp_path):
    run = tmp_path / "run"
    train(TINY, pictures, run, workers=0)
    record = json.loads((run / "recipe.json").read_text())
    assert record["model"] == "mini"
    assert record["recipe"]["batches"]["seed"] == 3
    assert record["pictures"]["count"] == 9
    rows = [line.split("\t") for line in (run / "pictures.tsv").read_text().splitlines()]
    assert rows[1][0] == "astronaut_001.png"
    assert sum(float(chance) for _, chance in rows[1:]) == pytest.approx(1, abs=1e-4)
    with pytest.raises(SettingError, match="resume that run"):
        train(TINY, pictures, run, workers=0)
    with pytest.raises(SettingError, match=r"begun with recipe\.rate 0\.002, not 0\.1"):
        train(replace(TINY, rate=0.1), pictures, run, resume=True, workers=0)
    with pytest.raises(SettingError, match="nothing to resume"):
        train(TINY, pictures, tmp_path / "other", resume=True, workers=0)
    (run / "checkpoint.pt").write_bytes(b"no checkpoint at all")
    with pytest.raises(WeightsError, match="cannot be gone on from"):
        train(TINY, pictures, run, resume=True, workers=0)


def test_pictures_stand_upright(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6  # the camera was held upright
    Image.fromarray(data.coffee()[:160, :200]).save(tmp_path / "a.tif", exif=turned)
    picture = open_folder(tmp_path, tmp_path / "cache").picture(0)
    assert np.array_equal(picture, np.rot90(data.coffee()[:160, :200], -1))


def test_a_folder_that_changed_is_decoded_anew(folder, tmp_path):
    here, cache = tmp_path / "pictures", tmp_path / "cache"
    here.mkdir()
    for path in sorted(folder.iterdir())[:2]:
        (here / path.name).write_bytes(path.read_bytes())
    assert len(open_folder(here, cache)) == 2
    (here / "coffee_9.png").write_bytes((folder / "coffee_001.png").read_bytes())
    assert open_folder(here, cache).names[-1] == "coffee_9.png"
    (here / "broken.png").write_bytes((folder / "coffee_001.png").read_bytes()[:3000])
    with pytest.raises(OSError, match=r"broken\.png is no whole picture"):
        open_folder(here, cache)
    (here / "broken.png").unlink()
    assert len(open_folder(here, cache)) == 3
    (cache / "names.json").write_text('[["cof')
    assert len(open_folder(here, cache)) == 3


def test_an_interrupted_run_is_saved_and_goes_on(pictures, tmp_path):
    run = tmp_path / "run"
    handlers = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)]

    def interrupt(now):
        if now.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(TINY, pictures, run, workers=0, tell=interrupt)
    assert [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)] == handlers
    steps = torch.load(run / "checkpoint.pt", weights_only=True)["progress"]["step"]
    assert steps == 2
    assert (run / "mini.safetensors").is_file()
    told = []
    train(TINY, pictures, run, resume=True, workers=0, tell=told.append)
    assert [now.step for now in told] == [3, 4]


def test_tuning_leaves_what_mini_video_takes(pictures, tmp_path):
    tuned = replace(TUNING, samples=8, batches=TINY.batches)
    made = load_file(train(tuned, pictures, tmp_path / "run", workers=0, initial=TORCH_FILE))
    before = load_file(TORCH_FILE)
    changed = {name for name, value in made.items() if not torch.equal(value, before[name])}
    blocks = {int(name.split(".")[1]) for name in changed if name.startswith("encoder.")}
    assert "head.conv.weight" in changed
    assert not any(name.startswith("stem") for name in changed)
    assert blocks == set(range(TAPS[-1] + 1, 16))


def test_published_weights_can_be_tuned_further(pictures, tmp_path):
    trainer = Trainer(TINY, pictures)
    published = tmp_path / "mini.safetensors"
    publish(trainer.averaged(), published)
    tuned = Trainer(TINY, pictures, initial=published)
    scores = tuned.step(make_batch(pictures, tuned.chances, TINY.batches, 0), 0.8)
    assert math.isfinite(scores["loss"])
    assert network.load(published).logits(torch.full((1, 1, 32, 32), 50.0)).shape == (1, 313, 8, 8)


def test_teachers_alone_answer_when_teaching_is_all(pictures):
    """The picture's own colours then count for nothing, and the teachers' for all."""
    recipe = replace(TINY, teaching=1.0)
    batch = make_batch(pictures, Trainer(recipe, pictures).chances, recipe.batches, 0)
    other = batch._replace(ab=batch.ab.flip(0) + 20.0)
    alone, taught_one = (
        [Trainer(recipe, pictures, teachers=told).loss(b)[0].item() for b in (batch, other)]
        for told in ([], [TORCH_FILE])
    )
    assert alone[0] != pytest.approx(alone[1], rel=1e-3)
    assert taught_one[0] == pytest.approx(taught_one[1], rel=1e-6)
    twice = Trainer(recipe, pictures, teachers=[TORCH_FILE] * 2).loss(batch)[0].item()
    assert twice == pytest.approx(taught_one[0], rel=1e-5)


def test_a_student_comes_nearer_to_its_teacher(pictures):
    recipe = replace(TINY, teaching=1.0, frozen_share=1.0)
    trainer = Trainer(recipe, pictures, teachers=[TORCH_FILE])
    batch = make_batch(pictures, trainer.chances, recipe.batches, 0)
    losses = [trainer.step(batch, 0.5)["loss"] for _ in range(8)]
    assert losses[-1] < losses[0]


def test_taught_is_least_at_the_teachers_answer():
    told = torch.randn(50, 313, generator=torch.Generator().manual_seed(1))
    colour = torch.zeros(50, 2)
    at = [
        distillation_loss(told + shift, colour, told.softmax(1), colour)
        for shift in (0, torch.eye(50, 313))
    ]
    assert at[0][0] < at[1][0]
    assert at[0][1] == 0


@pytest.mark.parametrize("rough", [11, 16])
def test_rough_blocks_say_nearly_the_same(rough):
    """bfloat16 has eight bits; what follows runs in single precision again."""
    model = network.load(TORCH_FILE)
    luma = 100 * torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    exact, taps = model.taps(luma), model.taps(luma, rough)
    assert taps.keys() == exact.keys()
    for index, tap in taps.items():
        assert tap.dtype == torch.float32
        off = (tap - exact[index]).square().mean() / exact[index].square().mean()
        assert 0 < off < 0.01


@pytest.mark.parametrize("units", [True, False])
def test_only_blocks_that_stay_are_rough_and_only_where_it_is_faster(monkeypatch, units):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": units}, raising=False)
    model = network.load(TORCH_FILE)
    expected = {None: 16, 11: 11, 0: 0}
    for frozen, rough in expected.items():
        release(model, frozen)
        assert rough_blocks(model) == (rough if units else 0)


def test_a_step_on_rough_blocks_learns_the_same(pictures, monkeypatch):
    batch = make_batch(pictures, Trainer(TINY, pictures).chances, TINY.batches, 0)
    losses = []
    for units in (True, False):
        monkeypatch.setattr(
            torch.cpu, "get_capabilities", lambda units=units: {"amx_bf16": units}, raising=False
        )
        losses.append(Trainer(TINY, pictures, TORCH_FILE).step(batch, 0.1)["loss"])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.02)


def test_a_run_that_ran_away_writes_nothing(pictures, tmp_path):
    run = tmp_path / "run"
    wild = replace(TINY, samples=40, rate=1e12, frozen_share=0.0)
    with pytest.raises(SettingError, match=r"a lower --rate|lower --rate"):
        train(wild, pictures, run, workers=0)
    assert not (run / "mini.safetensors").exists()


def test_pictures_of_another_folder_are_decoded_anew(folder, tmp_path):
    """Of the same names, as numbered stills have them, in one cache."""
    for name, source in (("one", "coffee_001.png"), ("two", "rocket_001.png")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "001.png").write_bytes((folder / source).read_bytes())
    one, two = (
        np.array(open_folder(tmp_path / name, tmp_path / "cache").picture(0))
        for name in ("one", "two")
    )
    assert not np.array_equal(one, two)


def test_equal_weights_are_equal_files(tmp_path):
    model = network.load(TORCH_FILE)
    for n in range(6):
        publish(model, tmp_path / f"{n}.safetensors")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1

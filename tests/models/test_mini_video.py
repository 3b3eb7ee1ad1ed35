"""The embedded video model: ONNX against torch, training's arithmetic against the filter's."""

from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import vapoursynth as vs
from safetensors.numpy import load_file, save_file

from vscolor import colorize
from vscolor.device import Device
from vscolor.models.blind.adapter import TORCH_FILE as BLIND
from vscolor.models.mini.adapter import TORCH_FILE as MINI
from vscolor.models.mini_video import adapter, graph, matching, model, motion, network
from vscolor.models.mini_video import architecture as arch
from vscolor.models.mini_video.spreading import spread
from vscolor.models.video import Exemplar, ScaledHint, Strengths
from vscolor.testing import noise_clip, planes_of
from vscolor.training import video as training

WEIGHTS = adapter.TORCH_FILE
SHAPE = (64, 96)
OPTIONS = {"still": None}


def picture(seed, shape=SHAPE):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(10, 90, (shape[0] // 8, shape[1] // 8)).astype(np.float32)
    return np.kron(coarse, np.ones((8, 8), np.float32)) + rng.normal(0, 1, shape).astype(np.float32)


def colours(seed, shape=SHAPE):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(-60, 60, (2, shape[0] // 8, shape[1] // 8)).astype(np.float32)
    return coarse.repeat(8, axis=1).repeat(8, axis=2)


@pytest.fixture(scope="module")
def video():
    return adapter.load(Device("onnx", "cpu"), None, OPTIONS, Strengths())


def exemplar_of(video, luma, ab, *, weight=1.0, same_shot=True, confidence=None):
    features = video.encode(luma[None, None])[0]
    confidence = np.ones(ab.shape[1:], np.float32) if confidence is None else confidence
    return Exemplar(luma, ab, confidence, features, weight, same_shot)


def test_onnx_and_torch_agree():
    onnx_model = adapter.load(Device("onnx", "cpu"), None, OPTIONS, Strengths())
    torch_model = adapter.load(Device("torch", "cpu"), None, OPTIONS, Strengths())
    now, before, ab = picture(0), picture(1), colours(2)
    results = []
    for one in (onnx_model, torch_model):
        given = exemplar_of(one, before, ab)
        features = one.encode(now[None, None])[0]
        state = None
        for _ in range(3):
            found = one.match(now, before, features, [given])
            result, state = one.step(found, state, *SHAPE)
        results.append(result)
    assert np.abs(results[0] - results[1]).max() < 0.5


def test_the_installed_graphs_are_of_these_weights():
    for name, expected in graph.build(WEIGHTS).items():
        built = onnx.load(adapter.ONNX_FILES[name])
        assert built == expected, "run python scripts/build_onnx.py"


def test_the_graphs_need_no_vscolor_to_be_built(tmp_path):
    import subprocess
    import sys

    package = tmp_path / "vscolor"
    package.mkdir()
    (package / "models").symlink_to(Path(adapter.__file__).parents[1])
    code = (
        "import sys; sys.modules['vscolor'] = None; sys.modules['torch'] = None; "
        f"sys.path.insert(0, {str(package)!r}); from models.mini_video import graph; "
        f"print(sorted(graph.build({str(WEIGHTS)!r})))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == "['attend', 'embed', 'fuse', 'nearest']"


def test_weights_stay_within_their_limit():
    files = [MINI, WEIGHTS]
    assert sum(f.stat().st_size for f in files) < 20_000_000


def test_training_matches_as_the_filter_does(video):
    """One exemplar through both: the same candidates and the same cues."""
    now, then, ab = picture(3), picture(4), colours(5)
    given = exemplar_of(video, then, ab)
    seen = model.feature_parts(*SHAPE).unpack(video.encode(now[None, None])[0])
    keys = model.feature_parts(*SHAPE).unpack(given.features)["vectors"]
    ours = matching.match(video._networks, now, seen["vectors"], [given], [keys])
    as_rows = lambda v: torch.from_numpy(v.copy()).flatten(1).T[None]  # noqa: E731
    pool = torch.nn.functional.avg_pool2d
    luma = torch.from_numpy(then)[None, None]
    values = training.reference_values(pool(luma, 8), pool(torch.from_numpy(ab)[None], 8))
    found, cosine = network.attend(
        as_rows(seen["vectors"]),
        as_rows(keys),
        values,
        torch.zeros(1, 1, values.shape[1]),
        video._networks.temperature,
    )
    grid = (SHAPE[0] // 8, SHAPE[1] // 8)
    theirs = training.read_match(
        found.transpose(1, 2).unflatten(2, grid),
        cosine.transpose(1, 2).unflatten(2, grid),
        pool(torch.from_numpy(now)[None, None], 8),
    )
    assert np.abs(ours.ab - theirs.ab[0].numpy()).max() < 0.05
    assert np.abs(ours.cues - theirs.cues[0].numpy()).max() < 0.05


def test_motion_is_found_and_followed():
    wide = picture(6, (64, 112))
    wide = torch.nn.functional.avg_pool2d(torch.from_numpy(wide)[None, None], 5, 1, 2)[0, 0].numpy()
    then, now = wide[:, 8:104].copy(), wide[:, 4:100].copy()
    found = motion.find_motion(now, then)
    middle = found.flow[16:-16, 16:-16]
    assert np.median(middle[..., 0]) == pytest.approx(-4, abs=0.6)
    assert abs(np.median(middle[..., 1])) < 0.6
    assert np.median(found.residual) < 1.5
    plane = np.arange(48, dtype=np.float32)[None].repeat(32, 0)
    flow = np.zeros((32, 48, 2), np.float32)
    flow[..., 0] = 3
    moved = motion.warp([plane, 2 * plane], flow)
    assert np.array_equal(moved[:, :, :40], np.stack([plane, 2 * plane])[:, :, 3:43])
    again = motion.warp([plane + 1], flow)
    assert np.array_equal(moved[:, :, :40], np.stack([plane, 2 * plane])[:, :, 3:43]), "kept"
    assert np.array_equal(again[0, :, :40], plane[:, 3:43] + 1)
    assert np.array_equal(motion.coarser(flow, 4), flow[::4, ::4] / 4)


@pytest.mark.parametrize("near", [True, False])
def test_a_pixel_that_moves_by_itself_is_seen_at_full_size(near):
    """The finest scale is for frame to frame: a thing of a few pixels that goes its own way."""
    rng = np.random.default_rng(4)
    ground = rng.uniform(30, 60, (64, 96)).astype(np.float32)
    then, now = ground.copy(), ground.copy()
    patch = rng.uniform(0, 100, (10, 10)).astype(np.float32)
    then[28:38, 40:50] = now[28:38, 43:53] = patch
    inside = motion.find_motion(now, then, near=near).flow[30:36, 45:51, 0]
    assert (np.abs(inside + 3).mean() < 0.5) == near


def test_of_two_motions_the_one_that_explains_more_counts_more():
    left = np.stack([np.zeros((2, 3)), np.full((2, 3), 3.0)]).astype(np.float32)
    found = motion.weigh(left, np.array([1.0, 1.0], np.float32))
    assert np.allclose(found.shares[0], 8 / 9, atol=1e-4)
    assert np.allclose(found.shares.sum(axis=0), 1)
    assert np.allclose(found.residual, 3 / 9, atol=1e-3)
    unequal = motion.weigh(left, np.array([1.0, 8.0], np.float32))
    assert np.allclose(unequal.shares, 0.5, atol=1e-4)


def test_motion_that_starts_from_correspondence_reaches_further_and_leaves_no_trace():
    """A small thing far off: flow from nothing loses it. The same calls in any order agree."""
    rng = np.random.default_rng(1)
    thing = picture(2, (32, 32)) - 40
    then, now = (np.full((128, 224), 60, np.float32) for _ in range(2))
    then[40:72, 20:52] = now[40:72, 150:182] = thing
    start = np.zeros((16, 28, 2), np.float32)
    start[5:9, 18:23, 0] = -130
    alone = motion.find_motion(now, then)
    led = motion.find_motion(now, then, start)
    inside = np.s_[48:64, 160:172]
    assert np.abs(led.flow[inside][..., 0] + 130).mean() < 2
    assert np.abs(alone.flow[inside][..., 0] + 130).mean() > 40
    again = motion.find_motion(now, then)
    assert np.array_equal(alone.flow, again.flow), "the start of one call is not kept for the next"
    motion.find_motion(then, now, rng.normal(0, 9, start.shape).astype(np.float32))
    assert np.array_equal(motion.find_motion(now, then, start).flow, led.flow)


def test_the_best_match_is_the_same_on_both_runtimes():
    models = [adapter.load(Device(r, "cpu"), None, OPTIONS, Strengths()) for r in ("onnx", "torch")]
    rng = np.random.default_rng(3)
    query, keys = rng.normal(0, 1, (1, 300, 64)), rng.normal(0, 1, (1, 500, 64))
    query, keys = query.astype(np.float32), keys.astype(np.float32)
    expected = (query[0] @ keys[0].T).argmax(axis=1)
    for one in models:
        assert np.array_equal(one._networks.nearest(query, keys)[0], expected)


def test_flicker_of_brightness_is_no_motion():
    then = picture(7)
    now = then * 0.85 + 6
    found = motion.find_motion(now, then)
    assert np.median(found.residual) < 0.5
    assert np.abs(found.flow).mean() < 0.1


def test_a_reference_of_the_very_frame_keeps_its_colours(video):
    now, ab = picture(8), colours(9)
    given = exemplar_of(video, now, ab)
    features = video.encode(now[None, None])[0]
    result, _ = video.step(video.match(now, picture(1), features, [given]), None, *SHAPE)
    assert np.abs(result - ab).mean() < 0.1 * np.abs(ab).mean()


def test_without_exemplars_the_still_colour_stands(video):
    now = picture(10)
    features = video.encode(now[None, None])[0]
    result, _ = video.step(video.match(now, now, features, []), None, *SHAPE)
    assert np.abs(result - video.still(features, *SHAPE)).mean() < 6


@pytest.mark.parametrize(
    ("strengths", "source"),
    [
        (Strengths(1, 0, 0), "history"),
        (Strengths(0, 0, 1), "still"),
        (Strengths(0, 1, 0), "reference"),
    ],
)
def test_strengths_leave_sources_out(strengths, source):
    video = adapter.load(Device("onnx", "cpu"), None, OPTIONS, strengths)
    now, ab = picture(11), np.full((2, *SHAPE), 40, np.float32)
    given = exemplar_of(video, now, ab)
    features = video.encode(now[None, None])[0]
    history = np.full((2, *SHAPE), -40, np.float32)
    memory = np.zeros((arch.HIDDEN, 16, 24), np.float32)
    state = model.state_parts(*SHAPE).pack(ab=history, memory=memory)
    result, _ = video.step(video.match(now, now, features, [given]), state, *SHAPE)
    expected = {
        "history": history,
        "still": video.still(features, *SHAPE),
        "reference": ab,
    }[source]
    assert np.abs(result - expected).mean() < 8


def test_a_dab_spreads_over_what_it_lies_on(video):
    luma = np.full(SHAPE, 30, np.float32)
    luma[16:48, 16:48] = 70
    features = video.encode(luma[None, None])[0]
    ab, confidence = video.spread(
        luma, features, [ScaledHint(32, 32, 2, np.array([50, -20], np.float32))]
    )
    assert np.allclose(ab[:, 32, 32], [50, -20], atol=1e-3)
    assert confidence[32, 32] == 1
    assert confidence[24:40, 24:40].mean() > 0.5
    assert confidence[:, 60:].mean() < 0.05


def test_a_dab_spreads_along_ways_without_edges_though_nothing_looks_alike():
    """Two halves of the same luma, and a dark line between them."""
    luma = np.full((64, 128), 60, np.float32)
    luma[:, 60:68] = 5
    vectors = np.zeros((64, 8, 16), np.float32)
    vectors[np.arange(128) % 64, np.arange(128) // 16, np.arange(128) % 16] = 1
    _, confidence = spread(luma, vectors, [ScaledHint(44, 32, 2, np.array([50, -20], np.float32))])
    near, beyond = confidence[20:44, 30:56].mean(), confidence[20:44, 72:98].mean()
    assert near > 0.5
    assert beyond < 0.1


def test_a_picture_that_the_encoder_cannot_take_whole_is_coloured(video):
    """Multiples of 8 that are none of 32: the last rows are repeated, and nothing is left of it."""
    luma = picture(13, (72, 104))
    features = video.encode(luma[None, None])
    assert features.shape == (1, video.feature_size(72, 104))
    whole = video.encode(picture(13, (96, 128))[None, None])
    assert whole.shape == (1, video.feature_size(96, 128))
    given = exemplar_of(video, luma, colours(14, (72, 104)))
    found = video.match(luma, luma, features[0], [given])
    ab, _ = video.step(found, None, 72, 104)
    assert np.abs(ab - given.ab).mean() < 0.1 * np.abs(given.ab).mean()


def test_training_mixes_as_the_filter_does():
    rng = np.random.default_rng(15)
    blend = rng.normal(0, 1, (6, 16, 24)).astype(np.float32)
    candidates = rng.normal(0, 30, (4, 2, *SHAPE)).astype(np.float32)
    ours = model._mixed(blend, *candidates)
    theirs = network.mix(
        torch.from_numpy(blend)[None], torch.from_numpy(candidates).flatten(0, 1)[None]
    )
    assert np.abs(ours - theirs[0].numpy()).max() < 1e-3


def test_a_step_writes_to_neither_state_nor_match(video):
    now = picture(12)
    found = video.match(now, now, video.encode(now[None, None])[0], [])
    kept = found.copy()
    _, state = video.step(found, None, *SHAPE)
    before = state.copy()
    video.step(found, state, *SHAPE)
    assert np.array_equal(found, kept)
    assert np.array_equal(state, before)


def test_weights_of_another_model_are_named():
    from vscolor.errors import WeightsError

    for runtime in ("onnx", "torch"):
        with pytest.raises(WeightsError, match=r"holds mini's weights.*option still"):
            adapter.load(Device(runtime, "cpu"), MINI, OPTIONS, Strengths())
        with pytest.raises(WeightsError, match=r"does not hold mini-video's weights: .*[Mm]issing"):
            adapter.load(Device(runtime, "cpu"), BLIND, OPTIONS, Strengths())


def tuned(path, name):
    """`mini`'s weights with one tensor changed, as a fine-tuning that touched it."""
    weights = load_file(MINI)
    save_file(weights | {name: weights[name] * np.float16(0.5)}, path)
    return path


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_still_weights_of_ones_own_colour_and_leave_the_features(video, tmp_path, runtime):
    own = tuned(tmp_path / "own.safetensors", "head.conv.weight")
    other = adapter.load(Device(runtime, "cpu"), None, {"still": own}, Strengths())
    luma = picture(3)[None, None]
    (ab, vectors, context), (ab2, vectors2, context2) = (
        one._networks.see(luma) for one in (video, other)
    )
    assert np.abs(ab - ab2).max() > 1
    assert np.abs(vectors - vectors2).max() < 1e-4
    assert np.abs(context - context2).max() < 1e-2


def test_still_weights_reach_the_filter(tmp_path):
    own = tuned(tmp_path / "own.safetensors", "head.conv.weight")
    film = noise_clip(vs.GRAY8, 64, 64, 2, 1)
    ours, theirs = (
        planes_of(colorize(film, history=True, size=64, scenes=(), options=options), 0)
        for options in (None, {"still": str(own)})
    )
    assert np.array_equal(ours[0], theirs[0])
    assert not np.array_equal(ours[1], theirs[1])


def test_still_weights_of_another_encoder_are_refused(tmp_path):
    from vscolor.errors import WeightsError

    def opened(still):
        return adapter.load(Device("onnx", "cpu"), None, {"still": still}, Strengths())

    other = tuned(tmp_path / "other.safetensors", "encoder.10.expand.conv.weight")
    with pytest.raises(WeightsError, match=r"differs from mini's at encoder\.10\."):
        opened(other)
    opened(tuned(tmp_path / "deeper.safetensors", "encoder.11.expand.conv.weight"))
    with pytest.raises(WeightsError, match="does not hold mini's weights"):
        opened(WEIGHTS)
    with pytest.raises(WeightsError, match=r"expected a \.safetensors file"):
        opened(MINI.with_suffix(".onnx"))
    with pytest.raises(WeightsError, match="does not exist"):
        opened(tmp_path / "none.safetensors")


def test_sessions_are_shared():
    onnxruntime.set_default_logger_severity(3)
    one, two = (adapter.load(Device("onnx", "cpu"), None, OPTIONS, Strengths()) for _ in range(2))
    assert one._networks._sessions["fuse"] is two._networks._sessions["fuse"]


def test_small_pictures_leave_no_trace_in_the_search_for_motion():
    """DIS changes its scales for a picture too small for them, and keeps them so."""
    rng = np.random.default_rng(4)
    large = rng.uniform(0, 100, (16, 24)).repeat(8, 0).repeat(8, 1)
    pair = [np.roll(large, shift, 1).astype(np.float32) for shift in (0, 3)]
    before = [motion.find_motion(*pair, near=near).flow.copy() for near in (False, True)]
    for shape in ((8, 256), (16, 16), (24, 8)):
        small = rng.uniform(0, 100, (2, *shape)).astype(np.float32)
        for near in (False, True):
            with suppress(cv2.error):
                motion.find_motion(*small, near=near)
    after = [motion.find_motion(*pair, near=near).flow for near in (False, True)]
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))

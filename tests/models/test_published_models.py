"""The published still models behind their contracts and through the filter."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import vapoursynth as vs

torch = pytest.importorskip("torch")

from published import tensors_for  # noqa: E402

from vscolor import colorize  # noqa: E402
from vscolor.device import Device  # noqa: E402
from vscolor.errors import SettingError, WeightsError  # noqa: E402
from vscolor.models.base import HintedModel, WindowedModel  # noqa: E402
from vscolor.models.eccv16.network import Eccv16  # noqa: E402
from vscolor.models.instcolor import boxes, detector  # noqa: E402
from vscolor.models.instcolor.adapter import MMLAB_BARE, MMLAB_NETS, NETS, placements  # noqa: E402
from vscolor.models.instcolor.network import InstColor  # noqa: E402
from vscolor.models.registry import registry  # noqa: E402
from vscolor.models.siggraph17.network import Siggraph17  # noqa: E402
from vscolor.testing import Subject, checks, noise_clip, planes_of  # noqa: E402

CPU = Device("torch", "cpu")
MODELS = ["eccv16", "siggraph17", "instcolor"]


def two_boxes(luma):
    """Boxes that follow the picture: where they lie depends on its mean."""
    h, w = luma.shape
    x = 4 + float(luma.mean()) / 25
    return [[x, 2, w / 2 + x, h - 8, 0.8], [w / 2, h / 3, w - 2, h - 1, 0.9]]


INJECTED = {"detector": two_boxes, "crop": 32}
OPTIONS = {"eccv16": {}, "siggraph17": {}, "instcolor": INJECTED}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Checkpoints in the authors' form, made by the rule."""
    folder = tmp_path_factory.mktemp("weights")
    gains = {"model8.6.weight": 3.0, "model_out.weight": 10.0}
    torch.save(tensors_for(Eccv16(), "", gains), folder / "eccv16.pth")
    torch.save(
        tensors_for(Siggraph17(), "", {"model_out.0.weight": 0.25}), folder / "siggraph17.pth"
    )
    (folder / "inst").mkdir()
    network = InstColor()
    for net, name in NETS.items():
        state = tensors_for(
            network.get_submodule(net), f"{net}:", {f"{net}:model_out.0.weight": 0.25}
        )
        prefix = "module." if net == "GF" else ""
        torch.save({prefix + k: v for k, v in state.items()}, folder / "inst" / name)
    return {
        "eccv16": folder / "eccv16.pth",
        "siggraph17": folder / "siggraph17.pth",
        "instcolor": folder / "inst",
    }


def load(name, weights, **options):
    return registry.get(name).open(CPU, weights[name], {**OPTIONS[name], **options})


def luma_of(batch, height, width, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(5, 95, (batch, 1, height // 8 + 1, width // 8 + 1))
    return np.kron(coarse, np.ones((8, 8)))[:, :, :height, :width].astype(np.float32)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", MODELS)
def test_conforms(weights, name, check):
    check(Subject(name, weights=weights[name], options=OPTIONS[name]))


@pytest.mark.parametrize("name", MODELS)
def test_order_does_not_show_in_batches(weights, name):
    clip = noise_clip(vs.YUV420P8, 96, 64, 5)
    settings = {"size": 64, "weights": weights[name], "batch": 2, "options": OPTIONS[name]}
    straight = [planes_of(colorize(clip, name, **settings), n) for n in range(5)]
    fresh = colorize(clip, name, **settings)
    for n in (3, 0, 4, 2, 1):
        again = planes_of(fresh, n)
        assert all(np.array_equal(a, b) for a, b in zip(again, straight[n], strict=True))
        assert np.array_equal(again[0], planes_of(clip, n)[0])
    assert any(p.std() > 0 for p in straight[0][1:])


def test_temperature_of_eccv16(weights):
    luma = luma_of(1, 48, 64)
    published = load("eccv16", weights).predict(luma)
    assert np.array_equal(load("eccv16", weights, temperature=1.0).predict(luma), published)
    vivid = load("eccv16", weights, temperature=0.38).predict(luma)
    assert np.abs(vivid).mean() > np.abs(published).mean()


def test_padding_leaves_the_inside_alone(weights):
    """A picture that needs padding is coloured as the same one drawn larger by its own edge."""
    model = load("siggraph17", weights)
    luma = luma_of(1, 44, 60)
    larger = np.pad(luma, ((0, 0), (0, 0), (0, 4), (0, 4)), mode="edge")
    assert np.allclose(model.predict(luma), model.predict(larger)[:, :, :44, :60], atol=1e-4)


def test_hints_of_siggraph17(weights):
    model = load("siggraph17", weights)
    assert isinstance(model, HintedModel)
    luma = luma_of(1, 46, 62)
    ab, mask = np.zeros((1, 2, 46, 62), np.float32), np.zeros((1, 1, 46, 62), np.float32)
    without = model.predict(luma)
    assert np.array_equal(model.predict_hinted(luma, ab, mask), without)
    ab[:, 0, 20:24, 30:34], mask[:, :, 20:24, 30:34] = 60, 1
    assert np.abs(model.predict_hinted(luma, ab, mask) - without).max() > 1


def test_options_that_a_model_lacks_are_refused(weights):
    clip = noise_clip(vs.GRAY8)
    with pytest.raises(vs.Error, match="model siggraph17 has no option temperature="):
        colorize(clip, "siggraph17", weights=weights["siggraph17"], temperature=0.4)
    with pytest.raises(vs.Error, match="model eccv16 has no option boxes=; it has temperature="):
        colorize(clip, "eccv16", weights=weights["eccv16"], options={"boxes": 3})
    with pytest.raises(vs.Error, match="runtime= is 'onnx', but model eccv16 runs on torch"):
        colorize(clip, "eccv16", weights=weights["eccv16"], runtime="onnx")
    with pytest.raises(vs.Error, match="temperature= is given twice"):
        colorize(clip, temperature=0.4, options={"temperature": 0.4})
    with pytest.raises(vs.Error, match="options= is 3"):
        colorize(clip, options=3)


def test_weights_of_another_model_are_named(weights):
    with pytest.raises(WeightsError, match=r"siggraph17.pth is of another network: model8\.0"):
        registry.get("eccv16").open(CPU, weights["siggraph17"], None)


def test_missing_weights_say_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("VSCOLOR_WEIGHTS", str(tmp_path))
    with pytest.raises(vs.Error) as error:
        colorize(noise_clip(vs.GRAY8), "eccv16")
    for words in (
        str(tmp_path / "eccv16" / "colorization_release_v2-9b330a0b.pth"),
        "vscolor models fetch eccv16",
        "https://colorizers.s3.us-east-2.amazonaws.com/",
        "vscolor models add eccv16 FILE",
    ):
        assert words in str(error.value)


class TestInstColor:
    def test_objects_change_the_colour(self, weights):
        luma = luma_of(1, 48, 64)
        with_objects = load("instcolor", weights).predict(luma)
        alone = load("instcolor", weights, detector="none").predict(luma)
        none = load("instcolor", weights, count=0).predict(luma)
        assert np.array_equal(alone, none)
        assert np.abs(with_objects - alone).max() > 1

    def test_openmmlab_s_file_is_read_as_the_authors(self, weights, tmp_path):
        whole = {}
        for net, prefix in MMLAB_NETS.items():
            state = torch.load(weights["instcolor"] / NETS[net], weights_only=True)
            for key, value in state.items():
                name = key.removeprefix("module.")
                layer = name.partition(".")[0]
                name = name.replace(".0.", ".", 1) if layer in MMLAB_BARE else name
                whole[prefix + name] = value
        torch.save({"state_dict": whole, "meta": {"epoch": 1}}, tmp_path / "mm.pth")
        luma = luma_of(1, 48, 64)
        own = load("instcolor", {"instcolor": tmp_path / "mm.pth"}).predict(luma)
        assert np.array_equal(own, load("instcolor", weights).predict(luma))

    def test_neighbours_steady_the_boxes_and_cuts_part_them(self, weights):
        """The object of one frame alone is dropped; a cut keeps other scenes' objects away."""
        model = load("instcolor", weights)
        assert isinstance(model, WindowedModel)
        luma, box = luma_of(1, 48, 64), np.array([8, 8, 40, 40, 0.9], np.float32)
        nothing = np.zeros(0, np.float32)
        alone = model.predict_windowed(luma, [{0: nothing}])
        with_box = model.predict_windowed(luma, [{0: box}])
        assert np.abs(alone - with_box).max() > 0.1
        once = {-2: nothing, -1: nothing, 0: box, 1: nothing, 2: nothing}
        assert np.array_equal(model.predict_windowed(luma, [once]), alone)
        missed = {-2: box, -1: box, 0: nothing, 1: box, 2: box}
        assert np.allclose(model.predict_windowed(luma, [missed]), with_box, atol=1e-3)

    def test_a_detector_s_nonsense_is_refused(self, weights):
        clip = noise_clip(vs.GRAY8)
        settings = {"weights": weights["instcolor"], "size": 64}
        with pytest.raises(vs.Error, match="detector= is 3"):
            colorize(clip, "instcolor", options={"detector": 3}, **settings)
        broken = colorize(clip, "instcolor", options={"detector": lambda luma: "?"}, **settings)
        with pytest.raises(vs.Error, match="colorize: detector= returned no boxes"):
            broken.get_frame(0)

    def test_only_neighbours_of_the_scene_count(self, weights):
        """Frames on both sides change a frame's boxes, frames behind a cut do not."""
        seen = []

        def spy(luma):
            seen.append(float(luma.mean()))
            return two_boxes(luma)

        dark = vs.core.std.BlankClip(None, 96, 64, vs.GRAY8, 8, color=40)
        other = noise_clip(vs.GRAY8, 96, 64, 8)
        settings = {"size": 64, "weights": weights["instcolor"]}
        options = {**INJECTED, "detector": spy, "radius": 2}
        a = colorize(dark + other, "instcolor", options=options, **settings)
        b = colorize(dark + dark, "instcolor", options=options, **settings)
        assert np.array_equal(planes_of(a, 3)[1], planes_of(b, 3)[1])
        assert len(seen) == 10

    def test_places_are_the_authors(self):
        """Boxes, sizes and rows as the published code computes them."""
        objects = boxes.as_boxes([[12, 8, 120, 100], [90, 30, 199, 149], [150, 4, 152, 6]])
        wanted = {
            1: [(3, 26, 3, 22, 35, 39), (28, 1, 12, 1, 35, 51), (48, 15, 1, 62, 1, 1)],
            8: [(0, 4, 0, 3, 4, 5), (3, 1, 1, 1, 4, 6), (6, 1, 0, 7, 1, 1)],
        }
        for stride, rows in wanted.items():
            size = 64 // stride
            for box, row in zip(objects.tolist(), rows, strict=True):
                left, right = boxes.span(box[0], box[2], 200, size)
                top, bottom = boxes.span(box[1], box[3], 150, size)
                found = (left, size - right, top, size - bottom, right - left, bottom - top)
                assert found == row
        for stride, places in placements(objects[:1], (152, 200)).items():
            assert places[0].left + places[0].width + places[0].right == 200 // stride
            assert places[0].top + places[0].height + places[0].bottom == 152 // stride


class TestBoxes:
    def test_best(self):
        rows = boxes.as_boxes([[0, 0, 1, 1, s] for s in (0.5, 0.9, 0.7, 0.8)])
        assert boxes.best(rows, 0.6, 2)[:, 4].tolist() == pytest.approx([0.9, 0.8])
        assert boxes.best(rows, 0.95, 2).shape == (0, 5)

    def test_clipped(self):
        rows = boxes.as_boxes([[-5, -5, 10, 10], [90, 5, 130, 20], [200, 0, 210, 9], [3, 3, 3, 9]])
        assert boxes.clipped(rows, 100, 50)[:, :4].tolist() == [[0, 0, 10, 10], [90, 5, 100, 20]]

    @pytest.mark.parametrize("window", [range(-2, 3), range(3), range(-2, 1), (-2, -1, 1, 2)])
    def test_a_moving_object_is_where_it_is(self, window):
        moving = {d: boxes.as_boxes([[20 + 2 * d, 10, 60 + 2 * d, 40]]) for d in window}
        missing = {0: boxes.as_boxes([])} if 0 not in moving else {}
        found = boxes.smoothed({**moving, **missing}, 0.5, 8)
        assert found[0, :4].tolist() == pytest.approx([20, 10, 60, 40], abs=1e-3)

    def test_jitter_is_halved_at_least(self):
        rng = np.random.default_rng(0)
        raw = [
            np.array([[20, 10, 60, 40, 1]]) + rng.normal(0, 2, (1, 5)) * [1, 1, 1, 1, 0]
            for _ in range(60)
        ]
        raw = [r.astype(np.float32) for r in raw]
        steady = [
            boxes.smoothed({d: raw[t + d] for d in range(-4, 5)}, 0.5, 8)[0, :4]
            for t in range(4, 56)
        ]
        assert np.std(steady, 0).mean() < 0.6 * np.std([r[0, :4] for r in raw], 0).mean()

    def test_nonsense(self):
        with pytest.raises(ValueError, match="expected"):
            boxes.as_boxes([[1, 2, 3]])


def test_mask_rcnn_s_address_is_torchvision_s():
    models = pytest.importorskip("torchvision.models.detection")
    url = models.MaskRCNN_ResNet50_FPN_V2_Weights.COCO_V1.url
    assert detector.WEIGHTS.files[0].url == url


def test_mask_rcnn_finds_boxes_in_the_picture(tmp_path, monkeypatch):
    """With random weights what it finds means nothing; that it runs and stays inside does."""
    from torchvision.models.detection import maskrcnn_resnet50_fpn_v2

    torch.manual_seed(0)
    network = maskrcnn_resnet50_fpn_v2(weights=None, weights_backbone=None)
    folder = tmp_path / "maskrcnn"
    folder.mkdir()
    torch.save(network.state_dict(), folder / detector.CHECKPOINT)
    monkeypatch.setenv("VSCOLOR_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError, match="as published"):
        detector.load(CPU, 128)
    monkeypatch.setattr("vscolor.weights.hashes.check", lambda path, published: "")
    find = detector.load(CPU, 128)
    found = find(luma_of(1, 48, 64)[0, 0])
    assert found.shape[1] == 5
    assert np.array_equal(found, find(luma_of(1, 48, 64)[0, 0]))
    assert (found[:, :4] >= 0).all()
    assert (found[:, :4] <= [64, 48, 64, 48]).all()


def test_unknown_option_kinds():
    with pytest.raises(SettingError, match=r"score= is 2, expected a number from 0 to 1"):
        registry.get("instcolor").open(CPU, None, {"score": 2})
    with pytest.raises(SettingError, match=r"count= is 1.5, expected a whole number"):
        registry.get("instcolor").open(CPU, None, {"count": 1.5})


def test_the_bench_of_published_models_says_that_bytes_and_luma_hold():
    root = Path(__file__).parents[2]
    script, rule = root / "scripts/bench/published.py", root / "tests/models/published.py"
    given = ["--rule", rule, "--only", "siggraph17", "--frames", "2", "--sizes", "64x48"]
    command = [sys.executable, script, *given]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("siggraph17")
    assert done.stdout.endswith("ok\n")


def test_a_missing_detector_is_fetched_by_its_models_name(tmp_path, monkeypatch):
    from vscolor.models.instcolor import detector

    monkeypatch.setenv("VSCOLOR_WEIGHTS", str(tmp_path))
    said = detector.WEIGHTS.missing(detector.WEIGHTS.files[0])
    assert "vscolor models fetch instcolor;" in said
    assert "vscolor models add instcolor FILE" in said
    assert str(tmp_path / "maskrcnn") in said

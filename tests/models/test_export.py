"""Still models written as ONNX: equal to torch, for any size, and told plainly where it fails."""

import numpy as np
import pytest
import vapoursynth as vs
from typer.testing import CliRunner

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

import onnxruntime  # noqa: E402
from published import tensors_for  # noqa: E402

from vscolor.cli import app  # noqa: E402
from vscolor.color import lab_to_srgb, srgb_to_lab  # noqa: E402
from vscolor.device import Device  # noqa: E402
from vscolor.errors import SettingError, VscolorError  # noqa: E402
from vscolor.models import export  # noqa: E402
from vscolor.models.eccv16.network import Eccv16  # noqa: E402
from vscolor.models.registry import registry  # noqa: E402
from vscolor.models.siggraph17.network import Siggraph17  # noqa: E402

CPU = Device("torch", "cpu")
MODELS = ["mini", "eccv16", "siggraph17"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    gains = {"model8.6.weight": 3.0, "model_out.weight": 10.0}
    torch.save(tensors_for(Eccv16(), "", gains), folder / "eccv16.pth")
    gains = {"model_out.0.weight": 0.25}
    torch.save(tensors_for(Siggraph17(), "", gains), folder / "siggraph17.pth")
    return {"mini": None, **{n: folder / f"{n}.pth" for n in ("eccv16", "siggraph17")}}


@pytest.fixture(scope="module")
def mini_rgb(tmp_path_factory):
    path = tmp_path_factory.mktemp("onnx") / "mini.onnx"
    export.export("mini", path)
    return path


def run(path, batch):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {session.get_inputs()[0].name: batch})
    return made


@pytest.mark.parametrize("size", [(96, 160), (416, 416)])
def test_lab_file_gives_the_models_own_colour(tmp_path, size):
    """Also where fewer places tell than the small picture has that the file is traced with."""
    path = tmp_path / "out.onnx"
    export.export("mini", path, "lab")
    luma = np.random.default_rng(0).uniform(0, 100, (2, 1, *size)).astype(np.float32)
    expected = registry.get("mini").open(CPU, None, {}).predict(luma)
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(run(path, luma), expected, atol=0.05)


def test_rgb_file_shows_the_models_colour_on_the_pictures_luma(mini_rgb):
    grey = np.full((1, 1, 64, 96), 0.2, np.float32)
    grey[..., 48:] = 0.7
    rgb = run(mini_rgb, grey)[0]
    both = [srgb_to_lab(np.full(3, level, np.float32))[0] for level in (0.2, 0.7)]
    luma = np.full((1, 64, 96), both[0], np.float32)
    luma[..., 48:] = both[1]
    ab = registry.get("mini").open(CPU, None, {}).predict(luma[None])[0]
    near = np.s_[:, 30, 20]  # far from the edge, where scaling up mixes both sides
    there = ab[:, 30 // (64 // ab.shape[1]), 20 // (96 // ab.shape[2])]
    expected = lab_to_srgb(np.concatenate([luma[near], there]))
    np.testing.assert_allclose(rgb[near], expected, atol=0.02)
    assert np.ptp(rgb[near]) > 0.001


def test_the_file_says_what_it_is(mini_rgb):
    held = {p.key: p.value for p in onnx.load(str(mini_rgb)).metadata_props}
    assert held["vscolor.model"] == "mini"
    assert held["vscolor.layout"] == "rgb"
    assert int(held["vscolor.multiple"]) == registry.get("mini").open(CPU, None, {}).graph_multiple


def test_options_are_fixed_in_the_file(mini_rgb, tmp_path):
    path = tmp_path / "cold.onnx"
    export.export("mini", path, options={"temperature": 0.1})
    grey = np.random.default_rng(1).uniform(0, 1, (1, 1, 64, 64)).astype(np.float32)
    assert np.abs(run(path, grey) - run(mini_rgb, grey)).max() > 0.001


def test_size_can_be_fixed(tmp_path):
    path = tmp_path / "fixed.onnx"
    export.export("mini", path, size=(96, 64))
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 1, 64, 96]


def test_command_writes_and_refuses(tmp_path):
    path = tmp_path / "mini.onnx"
    assert CliRunner().invoke(app, ["models", "export", "mini", str(path), "-q"]).exit_code == 0
    before = path.read_bytes()
    other = CliRunner().invoke(app, ["models", "export", "mini", str(tmp_path / "mini.pt")])
    assert other.exit_code != 0
    again = CliRunner().invoke(app, ["models", "export", "mini", str(path)])
    assert again.exit_code != 0
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["mini.onnx"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"layout": "yuv"}, "layout"),
        ({"size": (97, 64)}, "97x64"),
        ({"size": (0, 64)}, "0x64"),
        ({"options": {"no_such": 1}}, "no_such"),
    ],
)
def test_bad_arguments_are_named(given, words, tmp_path):
    with pytest.raises(SettingError, match=words):
        export.export("mini", tmp_path / "out.onnx", **given)
    assert not list(tmp_path.iterdir())


def test_video_models_are_refused(tmp_path):
    with pytest.raises(SettingError, match="mini-video"):
        export.export("mini-video", tmp_path / "out.onnx")


def test_a_file_that_deviates_is_not_written(tmp_path, monkeypatch):
    monkeypatch.setitem(export.TOLERANCE, "rgb", -1.0)
    with pytest.raises(VscolorError, match="deviates"):
        export.export("mini", tmp_path / "out.onnx")
    assert not list(tmp_path.iterdir())


def test_what_torch_cannot_write_is_said_in_a_line(tmp_path, monkeypatch):
    class Unwritable(torch.nn.Module):
        def forward(self, luma):
            return torch.linalg.eigvals(luma).real.expand(-1, 2, -1, -1)

    model = registry.get("mini").open(CPU, None, {})
    monkeypatch.setattr(type(model), "graph", lambda self: Unwritable())
    with pytest.raises(VscolorError, match="torch cannot write model mini as ONNX") as error:
        export.export("mini", tmp_path / "out.onnx", "lab")
    assert "\n" not in str(error.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", MODELS)
def test_vs_mlrt_takes_the_file(name, weights, mini_rgb, tmp_path):
    if not hasattr(vs.core, "ort"):
        pytest.skip("vs-mlrt's ONNX Runtime plugin is not installed")
    path = mini_rgb
    if name != "mini":
        path = tmp_path / "out.onnx"
        export.export(name, path, weights=weights[name])
    grey = vs.core.std.BlankClip(None, 96, 64, vs.GRAYS, length=1, color=0.4)
    coloured = vs.core.ort.Model(grey, str(path), provider="CPU")
    expected = run(path, np.full((1, 1, 64, 96), 0.4, np.float32))[0]
    with coloured.get_frame(0) as frame:
        assert frame.format.id == vs.RGBS
        np.testing.assert_allclose([np.asarray(frame[p]) for p in range(3)], expected, atol=2e-3)

"""`blind`: ONNX against torch, what the weights do, and the published network beside it."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from published import fill
from safetensors.torch import save_file

from vscolor.device import Device
from vscolor.errors import DeviceMemoryError, WeightsError
from vscolor.models.blind import adapter, graph
from vscolor.models.lai import adapter as lai
from vscolor.models.lai.network import Lai
from vscolor.models.stepper import Picture
from vscolor.steadying.recurrence import steadied

CPU, TORCH = Device("onnx", "cpu"), Device("torch", "cpu")


def picture(seed, chroma=0.0, stride=4, shape=(64, 96)):
    """Coarse luma, and chroma of one value with a little noise."""
    rng = np.random.default_rng(seed)
    luma = rng.random((shape[0] // 8, shape[1] // 8)).repeat(8, 0).repeat(8, 1)
    noise = rng.normal(0, 0.005, (1, 2, shape[0] // stride, shape[1] // stride))
    return Picture(luma[None, None].astype(np.float32), (chroma + noise).astype(np.float32))


def run(stepper, pictures):
    before, made, memory = pictures[0], pictures[0].chroma, stepper.begin(pictures[0])
    results = []
    for now in pictures:
        made, memory = stepper.step(before, now, made, memory)
        before = now
        results.append(made)
    return np.stack(results)


def test_onnx_and_torch_agree():
    pictures = [picture(seed, 0.1) for seed in range(4)]
    ours, theirs = (run(adapter.load(d, None), pictures) for d in (CPU, TORCH))
    assert np.abs(ours - theirs).max() < 1e-5
    assert np.abs(ours - np.stack([p.chroma for p in pictures])).max() > 1e-3


def test_the_installed_graph_is_of_these_weights():
    built = onnx.load(adapter.ONNX_FILE)
    assert built == graph.build(adapter.TORCH_FILE), "run python scripts/build_onnx.py"


def test_the_package_stays_small():
    assert adapter.TORCH_FILE.stat().st_size < 1_000_000


def test_flicker_of_a_picture_at_rest_goes():
    shifts = np.random.default_rng(3).uniform(-12, 12, 24) / 224
    luma = picture(0).luma
    pictures = [Picture(luma, np.full((1, 2, 16, 24), 0.05 + s, np.float32)) for s in shifts]
    starts = [n == 0 for n in range(24)]
    made = list(steadied(adapter.load(CPU, None), pictures, starts, range(24), warm_up=8))
    made = np.stack(made).mean(axis=(1, 2, 3, 4))
    assert np.abs(np.diff(made)).mean() < 0.3 * np.abs(np.diff(shifts)).mean()
    assert ((made - 0.05) ** 2).mean() < (shifts**2).mean()


def test_steady_colour_stays():
    luma = picture(0).luma
    pictures = [Picture(luma, np.full((1, 2, 16, 24), 0.1, np.float32))] * 12
    assert np.abs(run(adapter.load(CPU, None), pictures) - 0.1).max() < 1.5 / 224


def test_weights_that_training_wrote_run_on_both_runtimes(tmp_path):
    own = tmp_path / "blind.safetensors"
    own.write_bytes(adapter.TORCH_FILE.read_bytes())
    pictures = [picture(seed, 0.1) for seed in range(3)]
    embedded, built, on_torch = (
        run(adapter.load(where, weights), pictures)
        for where, weights in ((CPU, None), (CPU, own), (TORCH, own))
    )
    assert np.array_equal(built, embedded)
    assert np.abs(built - on_torch).max() < 1e-4
    own.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"blind\.safetensors does not hold blind's weights"):
        adapter.load(CPU, own)


def test_out_of_memory_is_named():
    class Session:
        def run(self, *_):
            raise MemoryError

    now, ours = picture(0), adapter.OnnxBlind(Session(), CPU)
    with pytest.raises(DeviceMemoryError, match="96x64"):
        ours.step(now, now, now.chroma, ours.begin(now))


def test_weights_of_another_model_are_refused(tmp_path):
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, str(other))
    with pytest.raises(WeightsError, match=r"other\.safetensors is of another network"):
        adapter.load(TORCH, other)
    mini = Path(adapter.__file__).parents[1] / "mini" / "mini.onnx"
    with pytest.raises(WeightsError, match=r"mini\.onnx has inputs .*expected"):
        adapter.load(CPU, mini)


@pytest.fixture
def published(tmp_path):
    """The published checkpoint as its owners wrote it, with weights by the rule."""
    network = fill(Lai(), gains={"convlstm.Gates.weight": 0.25, "deconv3.conv2d.weight": 0.1})
    state = {k: v for k, v in network.float().state_dict().items() if "num_batches" not in k}
    path = tmp_path / "ECCV18_blind_consistency.pth"
    torch.save({"model": state, "optimizer": {}}, path)
    return path


def test_the_published_file_loads_and_steps(published):
    pictures = [picture(seed, 0.05, stride=1, shape=(32, 48)) for seed in range(3)]
    made = run(lai.load(TORCH, published, matrix=1), pictures)
    assert made.shape == (3, 1, 2, 32, 48)
    network = Lai()
    network.load_state_dict(torch.load(published, weights_only=True)["model"], strict=False)
    yuv = np.concatenate([pictures[0].luma, pictures[0].chroma], axis=1)
    y, u, v = yuv[0]
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    green = (y - 0.2126 * red - 0.0722 * blue) / 0.7152
    rgb = torch.from_numpy(np.stack([red, green, blue])[None])
    grey = torch.from_numpy(pictures[0].luma).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        change, _ = network(rgb, rgb.clamp(0, 1), grey, grey, network.fresh_memory(rgb))
    r, g, b = change[0].numpy()
    u = (b - (0.2126 * r + 0.7152 * g + 0.0722 * b)) / 1.8556
    assert np.abs(made[0, 0, 0] - pictures[0].chroma[0, 0] - u).max() < 1e-4


def test_a_file_of_another_network_is_no_published_one(tmp_path):
    torch.save({"model": {"x": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match=r"other\.pth is of another network"):
        lai.load(TORCH, tmp_path / "other.pth", matrix=1)

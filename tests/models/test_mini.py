"""The embedded model behind its contract, and through the filter on a real picture."""

import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest
import vapoursynth as vs
from safetensors.numpy import load_file, save_file
from skimage import data
from skimage.color import rgb2lab

from vscolor import color, colorize
from vscolor.device import Device, InTurn, resolve
from vscolor.errors import DeviceError, DeviceMemoryError, SettingError, WeightsError
from vscolor.models.mini import adapter
from vscolor.models.registry import Registry, registry
from vscolor.testing import noise_clip, planes_of, tiny_entry

CPU = Device("onnx", "cpu")


def load(device, weights=None, **options):
    return registry.get("mini").open(device, weights, options)


def photo_luma(name="chelsea", height=256, width=384):
    rgb = getattr(data, name)()[:height, :width] / 255.0
    return rgb2lab(rgb)[..., 0].astype(np.float32)[None, None]


def test_contract():
    model = load(CPU)
    luma = np.concatenate([photo_luma(), photo_luma("coffee")])
    ab = model.predict(luma)
    assert ab.shape == (2, 2, 64, 96)
    assert ab.dtype == np.float32
    assert np.abs(ab).max() <= 128
    assert np.abs(ab).mean() > 1
    for row in range(2):
        assert np.array_equal(model.predict(luma[row : row + 1])[0], ab[row])


def test_torch_and_onnx_agree():
    luma = photo_luma("astronaut")
    onnx = load(CPU).predict(luma)
    torch = load(Device("torch", "cpu")).predict(luma)
    assert np.abs(onnx - torch).max() < 0.5


@pytest.mark.gpu
def test_cuda_agrees_with_onnx():
    luma = np.concatenate([photo_luma("astronaut")] * 8)
    onnx = load(CPU).predict(luma)
    cuda = load(Device("torch", "cuda")).predict(luma)
    assert np.abs(onnx - cuda).max() < 0.5


def test_a_low_temperature_takes_the_most_likely_bin():
    """Bins lie on a grid of 10: the mode is on it, the mean between."""

    def on_grid(temperature):
        ab = load(CPU, temperature=temperature).predict(photo_luma("astronaut"))
        return (np.abs(ab - np.round(ab / 10) * 10) < 0.5).mean()

    assert on_grid(0.01) > 0.8
    assert on_grid(1.0) < 0.3


def test_weights_are_shared_by_clips_and_threads():
    sessions = []

    def work():
        sessions.append(load(CPU, temperature=0.3)._session)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(s) for s in sessions}) == 1


def test_own_weights_of_either_kind(tmp_path):
    luma = photo_luma()
    own = load(CPU).predict(luma)
    for source in (adapter.ONNX_FILE, adapter.TORCH_FILE):
        copy = tmp_path / source.name
        shutil.copy(source, copy)
        assert np.array_equal(load(CPU, copy).predict(luma), own)


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
@pytest.mark.parametrize("harm", ["missing", "empty", "cut", "text"])
def test_damaged_weights_are_refused(tmp_path, runtime, harm):
    source = adapter.ONNX_FILE if runtime == "onnx" else adapter.TORCH_FILE
    path = tmp_path / source.name
    if harm != "missing":
        whole = source.read_bytes()
        path.write_bytes(
            {"empty": b"", "cut": whole[: len(whole) // 2], "text": b"no weights"}[harm]
        )
    clip = vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1)
    with pytest.raises(vs.Error, match="colorize: ") as error:
        colorize(clip, weights=path, runtime=runtime)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_weights_of_another_shape_name_a_key(tmp_path):
    save_file({"stem.weight": np.zeros((2, 2), np.float32)}, tmp_path / "other.safetensors")
    for device in (CPU, Device("torch", "cpu")):
        with pytest.raises(WeightsError, match="stem"):
            load(device, tmp_path / "other.safetensors")


def test_a_model_of_another_kind_is_refused(tmp_path):
    from onnx import TensorProto, helper, save

    ports = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1]) for n in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", ports[:1], ports[1:])
    save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        tmp_path / "other.onnx",
    )
    with pytest.raises(WeightsError, match="expected mini's"):
        load(CPU, tmp_path / "other.onnx")


@pytest.mark.parametrize("temperature", [0, -1, 5, float("nan")])
def test_temperature_out_of_range(temperature):
    with pytest.raises(SettingError, match="temperature="):
        load(CPU, temperature=temperature)


def test_out_of_memory_is_told_from_other_failures(monkeypatch):
    from onnxruntime.capi.onnxruntime_pybind11_state import RuntimeException

    class Session:
        def __init__(self, message):
            self.message = message

        def run(self, *args):
            raise RuntimeException(self.message)

    luma = photo_luma()
    full = adapter.OnnxMini(Session("Failed to allocate memory for requested buffer"), 0.4, CPU)
    with pytest.raises(DeviceMemoryError, match=r"batch of 1 frames at 384x256.*batch=.*size="):
        full.predict(luma)
    with pytest.raises(DeviceError, match=r"^cpu .* failed: CUDA error: illegal access$"):
        adapter.OnnxMini(Session("CUDA error: illegal access\nat 0x1"), 0.4, CPU).predict(luma)


def test_runs_on_directml_wait_for_each_other():
    class Session:
        busy = most = 0

        def run(self, outputs, feeds):
            self.busy += 1
            self.most = max(self.most, self.busy)
            time.sleep(0.002)
            self.busy -= 1
            return [feeds]

        def get_inputs(self):
            return ["luma"]

    session = Session()
    in_turn = InTurn(session)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda n: in_turn.run(None, n), range(16))) == [[n] for n in range(16)]
    assert session.most == 1
    assert in_turn.get_inputs() == ["luma"]


def test_a_real_photograph_gets_colour_nearer_the_truth_than_grey():
    rgb = data.coffee()[:384, :592]
    lab = color.srgb_to_lab(rgb / 255.0)
    grey = np.round(color.lab_to_srgb(lab * [1, 0, 0])[..., 0] * 65535).astype(np.uint16)
    blank = vs.core.std.BlankClip(None, 592, 384, vs.GRAY16, 1, keep=True)

    def fill(n, f):
        frame = f.copy()
        np.asarray(frame[0])[...] = grey
        return frame

    clip = blank.std.ModifyFrame(blank, fill).std.SetFrameProps(_Range=1, _Transfer=13)
    out = colorize(clip, format=vs.YUV444P16)
    made = np.stack(planes_of(out.resize.Bicubic(format=vs.RGBS), 0), -1)
    ours = color.srgb_to_lab(made)
    assert np.array_equal(planes_of(out, 0)[0], grey)
    assert np.abs(ours[..., 1:]).mean() > 2
    error = np.hypot(*np.moveaxis(ours[..., 1:] - lab[..., 1:], -1, 0)).mean()
    assert error < np.hypot(*np.moveaxis(lab[..., 1:], -1, 0)).mean()


def test_order_and_threads_do_not_show():
    clip = noise_clip(vs.YUV420P8, 96, 64, 6)
    straight = [planes_of(colorize(clip, size=64), n)[1] for n in range(6)]
    for threads in (1, 8):
        vs.core.num_threads = threads
        fresh = colorize(clip, size=64, batch=2 if threads == 8 else 1)
        for n in (4, 0, 5, 2, 1, 3):
            assert np.array_equal(planes_of(fresh, n)[1], straight[n])


def test_importing_and_colouring_needs_no_torch():
    script = (
        "import sys, vapoursynth as vs, vscolor\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "clip = vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1)\n"
        "vscolor.colorize(clip, device='cpu').get_frame(0)\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_without_torch_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(vs.Error, match=r'colorize: .*pip install "vscolor\[torch\]"'):
        colorize(vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1), runtime="torch")


def test_absent_devices_say_why():
    available = onnxruntime.get_available_providers()
    clip = vs.core.std.BlankClip(None, 64, 64, vs.GRAY8, 1)
    for device, provider in (
        ("dml", "DmlExecutionProvider"),
        ("coreml", "CoreMLExecutionProvider"),
    ):
        if provider not in available:
            with pytest.raises(vs.Error, match=rf"device {device} cannot be used.*{provider}"):
                colorize(clip, device=device)
    assert resolve("cpu", None) == CPU
    assert resolve("cpu", "torch") == Device("torch", "cpu")


def test_registry_refuses_a_second_of_the_same_name():
    own = Registry()
    own.add(tiny_entry())
    with pytest.raises(ValueError, match="tiny"):
        own.add(tiny_entry())
    assert "mini" in registry.names()
    assert registry.get("mini").size > 1_000_000


@pytest.mark.parametrize("runtime", ["onnx", "torch"])
def test_weights_of_an_older_shape_are_named(tmp_path, runtime):
    old = tmp_path / "old.safetensors"
    tensors = load_file(adapter.TORCH_FILE)
    kept = {name: value for name, value in tensors.items() if "coherence" not in name}
    save_file(kept, old, metadata={"architecture": "1"})
    with pytest.raises(WeightsError, match="its shape is of version 1, expected 2"):
        adapter.load(Device(runtime, "cpu"), old, {"temperature": 0.4})

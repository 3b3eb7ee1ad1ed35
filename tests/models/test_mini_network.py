"""The embedded model's shape: bins, torch network, ONNX graph, build hook."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from safetensors.numpy import load_file

from vscolor.models.mini import architecture as arch
from vscolor.models.mini import bins, graph, network

ROOT = Path(__file__).resolve().parents[2]
MINI = ROOT / "vscolor" / "models" / "mini"
WEIGHTS = MINI / "mini.safetensors"


@pytest.fixture(scope="module")
def session():
    return onnxruntime.InferenceSession(graph.build(WEIGHTS).SerializeToString())


@pytest.fixture(scope="module")
def mini():
    return network.load(WEIGHTS)


def luma_of(shape, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0, 100, (shape[0], 1, shape[2] // 8, shape[3] // 8))
    smooth = coarse.repeat(8, axis=2).repeat(8, axis=3)
    return (0.8 * smooth + 0.2 * rng.uniform(0, 100, shape)).astype(np.float32)


def run(session, luma, temperature):
    feeds = {"luma": luma, "temperature": np.array(temperature, np.float32)}
    return session.run(["ab"], feeds)[0]


def test_bins_are_a_grid_around_the_gamut():
    centres = bins.centres()
    assert centres.shape == (313, 2)
    assert len(np.unique(centres, axis=0)) == 313
    assert not (centres % bins.SPACING).any()
    nearest = np.abs(bins.lattice_ab()[:, None] - centres[None]).max(axis=-1).min(axis=1)
    assert nearest.max() <= bins.SPACING / 2 + 1e-3, "a colour of sRGB lies outside every bin"
    assert (centres == 0).all(axis=1).any(), "grey has a bin of its own"


def test_bins_use_the_colour_maths_of_the_house():
    from vscolor import color

    steps = np.linspace(0, 1, bins.LATTICE)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    ours, theirs = bins.lattice_ab(), color.srgb_to_lab(rgb)[:, 1:]
    assert np.abs(ours - theirs).max() < 0.05


def test_soft_encoding_is_a_distribution_over_the_nearest():
    centres = bins.centres()
    colours = np.random.default_rng(1).uniform(-80, 80, (50, 2)).astype(np.float32)
    index, weight = bins.soft_encode(colours, centres)
    assert np.allclose(weight.sum(axis=1), 1)
    assert (np.diff(weight, axis=1) <= 1e-6).all()
    for colour, row in zip(colours, index, strict=True):
        distance = np.linalg.norm(centres - colour, axis=1)
        assert np.isclose(distance[row].max(), np.sort(distance)[4])


def test_the_file_is_small_and_carries_its_bins():
    assert WEIGHTS.stat().st_size <= 12e6
    state = load_file(WEIGHTS)
    assert np.array_equal(state["centres"].astype(np.float32), bins.centres())
    assert {str(v.dtype) for v in state.values()} == {"float16"}
    assert all(np.isfinite(v).all() for v in state.values())


@pytest.mark.parametrize(
    "shape", [(1, 1, 64, 96), (3, 1, 128, 160), (1, 1, 32, 32), (1, 1, 416, 416), (1, 1, 480, 864)]
)
@pytest.mark.parametrize("temperature", [0.2, 0.38, 1.0])
def test_graph_equals_network(session, mini, shape, temperature):
    luma = luma_of(shape)
    with torch.inference_mode():
        expected = mini(torch.from_numpy(luma), temperature).numpy()
    ab = run(session, luma, temperature)
    assert ab.shape == (shape[0], 2, shape[2] // arch.AB_STRIDE, shape[3] // arch.AB_STRIDE)
    assert np.abs(ab - expected).max() < 0.05


def test_graph_rows_do_not_see_each_other(session):
    luma = luma_of((3, 1, 64, 64))
    together = run(session, luma, 0.4)
    for row in range(3):
        assert np.array_equal(run(session, luma[row : row + 1], 0.4)[0], together[row])


def test_graph_reads_on_older_runtimes():
    model = graph.build(WEIGHTS)
    assert model.ir_version <= 8
    assert model.opset_import[0].version <= 17
    assert model.ByteSize() <= 12e6


def test_plain_head_is_the_same_network_but_for_its_head(session):
    plain = graph.build(WEIGHTS, plain_head=True)
    count = sum(node.op_type == "Conv" for node in plain.graph.node)
    full = sum(node.op_type == "Conv" for node in graph.build(WEIGHTS).graph.node)
    assert count == full + 1
    other = onnxruntime.InferenceSession(plain.SerializeToString())
    luma = luma_of((1, 1, 64, 64))
    assert run(other, luma, 0.4).shape == run(session, luma, 0.4).shape


def test_temperature_anneals_towards_the_mode(mini):
    scores = torch.zeros(1, bins.COUNT)
    scores[0, 40], scores[0, 200] = 5.0, 4.9
    mode = mini.centres[40]
    far, near = (mini.annealed_mean(scores, t)[0] for t in (1.0, 0.01))
    assert torch.linalg.vector_norm(near - mode) < 0.1
    assert torch.linalg.vector_norm(far - mode) > 1


def test_folding_the_norms_keeps_the_answer():
    torch.manual_seed(0)
    model = network.Mini(norm=True)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-1, 1)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    model.eval()
    plain = network.Mini().eval()
    plain.load_state_dict(network.folded_state(model))
    luma = torch.from_numpy(luma_of((1, 1, 64, 64)))
    with torch.inference_mode():
        assert torch.allclose(model.logits(luma), plain.logits(luma), atol=1e-3)


def test_the_build_writes_the_same_file_without_vscolor(tmp_path):
    package = tmp_path / "vscolor"
    package.mkdir()
    (package / "models").symlink_to(MINI.parent)
    target = tmp_path / "mini.onnx"
    code = (
        "import sys; sys.modules['vscolor'] = None; sys.modules['torch'] = None; "
        f"sys.path.insert(0, {str(package)!r}); from models.mini import graph; "
        "from models.onnx_writer import save; from pathlib import Path; "
        f"save(graph.build({str(WEIGHTS)!r}, taps=(2, 4, 10)), Path({str(target)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert onnx.load(target) == graph.build(WEIGHTS, taps=arch.TAPS)
    assert [p.name for p in tmp_path.iterdir() if p.suffix == ".part"] == []


def test_the_taps_are_the_encoders(mini):
    luma = luma_of((1, 1, 64, 96))
    built = graph.build(WEIGHTS, taps=arch.TAPS).SerializeToString()
    feeds = {"luma": luma, "temperature": np.array(0.38, np.float32)}
    _, *found = onnxruntime.InferenceSession(built).run(None, feeds)
    with torch.inference_mode():
        expected = mini.taps(torch.from_numpy(luma))
    for index, tap in zip(arch.TAPS, found, strict=True):
        assert np.abs(tap - expected[index].numpy()).max() < 1e-3


def test_the_installed_graph_is_of_these_weights():
    built = MINI / "mini.onnx"
    if not built.exists():
        pytest.skip("mini.onnx is not built here: python scripts/build_onnx.py")
    expected = graph.build(WEIGHTS, taps=arch.TAPS)
    assert onnx.load(built) == expected, "run python scripts/build_onnx.py"


def alike_and_apart():
    """Features and luma: the outer columns look alike, the inner ones are much darker."""
    generator = torch.Generator().manual_seed(3)
    looks = torch.randn((2, arch.HEAD_CHANNELS, 1, 1), generator=generator)
    x = looks[0].expand(1, -1, 32, 64).clone()
    x[..., 16:48] = looks[1]
    luma = torch.full((1, 1, 128, 256), 80.0)
    luma[..., 64:192] = 20.0
    return x, luma


def test_what_looks_alike_is_brought_together_and_nothing_else():
    x, luma = alike_and_apart()
    doubtful = x.clone()
    doubtful[:, :8, :, :16] += 0.5
    mixed = network.NonLocal(arch.HEAD_CHANNELS)(doubtful, luma)
    before, after = (plane[0, :8, :, :16] - plane[0, :8, :, 48:] for plane in (doubtful, mixed))
    assert after.abs().mean() < 0.3 * before.abs().mean()
    middle = slice(20, 44)
    assert torch.allclose(mixed[..., middle], x[..., middle], atol=0.02)


def test_places_that_are_told_nothing_stay():
    x, luma = alike_and_apart()
    layer = network.NonLocal(arch.HEAD_CHANNELS)
    torch.nn.init.zeros_(layer.told)
    assert torch.equal(layer(x, luma), x)


def test_a_large_picture_is_told_by_no_more_places(mini):
    """Four times the places cost four times, not sixteen: `MAX_KEY_SIDE` bounds those that tell."""
    seen = []
    keep = torch.softmax

    def noting(x, dim):
        seen.append(x.shape[-1])
        return keep(x, dim=dim)

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(torch, "softmax", noting)
        for short in (256, 512):
            mini.decode(mini.taps(luma := torch.from_numpy(luma_of((1, 1, short, short)))), luma)
    assert seen == [arch.MAX_KEY_SIDE**2] * 2


def test_the_places_that_tell_are_the_same_on_both_runtimes():
    """A resize by runtimes differs at one size of four: each rounds in its own way."""
    writer = graph.Writer({})
    channels = arch.HEAD_CHANNELS
    names = graph._key_grid(writer, ["seen", "light", "places"])
    parts = [channels, 1, channels]
    inputs = ["seen", "light", "places"]
    built = writer.model(
        "telling",
        [graph.value(n, 1, c, "h", "w") for n, c in zip(inputs, parts, strict=True)],
        [graph.value(n, 1, c, "h2", "w2") for n, c in zip(names, parts, strict=True)],
    )
    running = onnxruntime.InferenceSession(built.SerializeToString())
    for height in range(4, 68, 4):
        for width in range(height, 4 * height + 1, 12):
            plane = np.arange(height * width, dtype=np.float32).reshape(1, 1, height, width)
            feeds = {n: plane.repeat(c, axis=1) for n, c in zip(inputs, parts, strict=True)}
            found = running.run([names[1]], feeds)[0]
            assert np.array_equal(found, network._key_grid(torch.from_numpy(plane)).numpy())

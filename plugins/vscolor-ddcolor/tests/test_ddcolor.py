"""DDColor in both sizes: the published shapes, and vscolor's conformance suite."""

import hashlib

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize
from vscolor_ddcolor import DDCOLOR, network
from vscolor_ddcolor.adapter import build

from vscolor.models.registry import registry
from vscolor.plugin import WeightsError
from vscolor.testing import Subject, checks

PARAMETERS = {"tiny": 55_006_640, "large": 227_869_328}
KEYS = {"tiny": 440, "large": 602}
SHAPES = {
    "tiny": {
        "encoder.arch.stages.2.8.pwconv1.weight": (1536, 384),
        "encoder.arch.norm3.weight": (768,),
        "decoder.layers.0.shuf.conv.0.weight_orig": (2048, 768, 1, 1),
        "decoder.layers.0.conv.0.weight_v": (8064,),
        "decoder.layers.2.conv.0.weight_orig": (256, 352, 3, 3),
    },
    "large": {
        "encoder.arch.stages.2.26.pwconv1.weight": (3072, 768),
        "encoder.arch.norm3.weight": (1536,),
        "decoder.layers.2.conv.0.weight_v": (4032,),
    },
}
COMMON = {
    "mean": (1, 3, 1, 1),
    "decoder.last_shuf.conv.0.bias": (4096,),
    "decoder.color_decoder.transformer_self_attention_layers.8.self_attn.in_proj_weight": (
        768,
        256,
    ),
    "decoder.color_decoder.transformer_cross_attention_layers.0.multihead_attn.out_proj.bias": (
        256,
    ),
    "decoder.color_decoder.transformer_ffn_layers.8.linear1.weight": (2048, 256),
    "decoder.color_decoder.color_embed.layers.2.bias": (256,),
    "refine_net.0.0.weight_orig": (2, 103, 1, 1),
}


# Output of the authors' own network for `waves` with `weights_by_rule`, in double precision: near a
# corner, in the middle and near the far corner. It was run from the package modelscope 1.40.2; ours
# agreed within 3e-9 of its range.
THEIRS = {
    ("tiny", 64, 96): (0.17112249029395116, 0.3823712561502195, -0.009399222149027438),
    ("tiny", 96, 32): (0.1661455501768124, 0.6220420173882006, 0.1887244640615526),
    ("large", 64, 96): (0.05560844444957041, 0.2510134921904687, -0.07381591608654192),
    ("large", 96, 32): (0.07561013101588036, 0.3801444313733252, 0.13358512148980475),
}
ROUNDS = 30


def made(size):
    return network.DDColor(network.TINY if size == "tiny" else network.LARGE)


def weights_by_rule(net):
    """Synthetic, deterministic weights from names and shapes, scaled roughly like trained ones."""
    state = {}
    for key, value in net.state_dict().items():
        seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
        drawn = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(value.shape))
        spread = value[0].numel() ** -0.5 if value.ndim > 1 else 0.1
        state[key] = torch.from_numpy(np.asarray(drawn * spread, np.float32))
        if value.ndim == 1 and key.endswith(("weight", "gamma", "running_var")):
            state[key] = state[key].abs() + 0.8
    for stem in [key.removesuffix("_u") for key in state if key.endswith("weight_u")]:
        matrix = state[f"{stem}_orig"].flatten(1).double()
        v = torch.ones(matrix.shape[1], dtype=torch.float64)
        for _ in range(ROUNDS):
            u = normalize(matrix @ v, dim=0)
            v = normalize(matrix.T @ u, dim=0)
        state |= {f"{stem}_u": u.float(), f"{stem}_v": v.float()}
    return state | {"mean": net.mean, "std": net.std}


def waves(height, width):
    """A smooth grey picture `[1,3,h,w]` in double precision, the same on any machine."""
    y, x = np.mgrid[:height, :width]
    grey = 0.5 + 0.3 * np.sin(0.21 * x) * np.cos(0.17 * y) + 0.15 * np.sin(1.3 * x + y)
    return torch.from_numpy(grey)[None, None].expand(-1, 3, -1, -1).contiguous()


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A checkpoint of the tiny size with seeded weights, in the authors' wrapping."""
    torch.manual_seed(0)
    net = made("tiny")
    for name, value in net.state_dict().items():
        if value.ndim > 1 and name not in ("mean", "std"):
            torch.nn.init.normal_(value, std=(2 / value[0].numel()) ** 0.5)
    torch.nn.init.normal_(net.refine_net[0][0].weight_orig, std=0.05)
    path = tmp_path_factory.mktemp("weights") / "tiny.pth"
    torch.save({"params": net.state_dict()}, path)
    return path


@pytest.mark.parametrize("size", ["tiny", "large"])
def test_keys_and_shapes_are_the_published_ones(size):
    with torch.device("meta"):
        net = made(size)
    state = net.state_dict()
    assert len(state) == KEYS[size]
    assert sum(p.numel() for p in net.parameters()) == PARAMETERS[size]
    for key, shape in {**COMMON, **SHAPES[size]}.items():
        assert tuple(state[key].shape) == shape, key


@pytest.mark.parametrize("size", ["tiny", "large"])
def test_it_computes_what_the_authors_network_does(size):
    net = made(size)
    net.load_state_dict(weights_by_rule(net))
    net = net.double().eval()
    for (of, height, width), values in THEIRS.items():
        if of == size:
            with torch.inference_mode():
                a, b = net(waves(height, width))[0]
            ours = [a[1, 2], b[height // 2, width // 3], a[height - 2, width - 5]]
            assert [float(value) for value in ours] == pytest.approx(values, abs=1e-6)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.__name__)
def test_conforms(weights, check):
    check(Subject("ddcolor-tiny", weights=weights))


def test_every_entry_point_leads_to_its_model():
    names = ["ddcolor", "ddcolor-artistic", "ddcolor-paper", "ddcolor-tiny"]
    assert [registry.get(name).card.name for name in names] == names
    assert not [b for b in registry.broken() if "ddcolor" in b.name]
    assert registry.get("ddcolor") is DDCOLOR


def test_the_large_network_refuses_the_tiny_file(weights):
    with pytest.raises(WeightsError, match="of another network"):
        build("large", weights)


def test_positions_tell_places_apart():
    coded = network.position(torch.zeros(1, 1, 5, 7), 128)
    assert coded.shape == (1, 35, 256)
    assert len({tuple(row.tolist()) for row in coded[0]}) == 35
    y_of = coded[0].reshape(5, 7, 256)[..., :128]
    assert torch.equal(y_of[2, 0], y_of[2, 6])


def test_spectral_norm_is_torch_s():
    torch.manual_seed(0)
    theirs = torch.nn.utils.spectral_norm(torch.nn.Conv2d(4, 6, 3, padding=1)).eval()
    ours = network.SpectralConv(4, 6, 3, bias=True)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(2, 4, 8, 8)
    assert torch.allclose(ours(x), theirs(x), atol=1e-6)

"""LPIPS and FID against their packages, with weights made by a rule: none need be fetched."""

import numpy as np
import pytest
from skimage import data

from vscolor import cli
from vscolor.errors import MeasureError, WeightsError
from vscolor.metrics import perceptual, published

torch = pytest.importorskip("torch")
lpips = pytest.importorskip("lpips")
torchvision = pytest.importorskip("torchvision")

BUILDERS = {"alex": "alexnet", "vgg": "vgg16", "squeeze": "squeezenet1_1"}


def rule(network):
    """Fill a network with seeded numbers of a size that keeps activations alive."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for value in network.state_dict().values():
            if value.dtype.is_floating_point:
                fan = max(1, value[0].numel()) if value.ndim > 1 else 1
                spread = torch.randn(value.shape, generator=generator) * (2 / fan) ** 0.5
                value.copy_(spread if value.ndim > 1 else spread.abs() * 0.1 + 0.05)
    return network


@pytest.fixture(scope="module")
def pair():
    first = np.ascontiguousarray(data.astronaut()[:128, :160])
    second = np.clip(first + np.random.default_rng(0).normal(0, 20, first.shape), 0, 255)
    return first, second.astype(np.uint8)


@pytest.fixture
def checkpoint(tmp_path):
    def make(net):
        path = tmp_path / perceptual.BACKBONES[net]
        torch.save(rule(getattr(torchvision.models, BUILDERS[net])()).state_dict(), path)
        return path

    return make


@pytest.mark.filterwarnings("ignore:.*weights.*:UserWarning")
@pytest.mark.parametrize("net", BUILDERS)
def test_lpips_is_the_packages(net, checkpoint, pair, monkeypatch):
    path = checkpoint(net)
    state = torch.load(path, weights_only=True)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", lambda *a, **k: state)
    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", lambda *a, **k: state)
    theirs = lpips.LPIPS(net=net, verbose=False)
    tensors = [torch.from_numpy(p.transpose(2, 0, 1)[None] / np.float32(127.5)) - 1 for p in pair]
    with torch.inference_mode():
        expected = float(theirs(*tensors))
    ours = perceptual.Lpips(path, net)
    assert expected > 1e-3
    assert ours(*pair) == pytest.approx(expected, rel=1e-4)
    assert ours(pair[0], pair[0]) == 0
    assert ours(*(p / np.float32(255) for p in pair)) == pytest.approx(expected, rel=1e-4)


def test_lpips_refuses_what_it_cannot_use(checkpoint, pair, tmp_path):
    with pytest.raises(WeightsError, match=r"alexnet-owt.*not a file"):
        perceptual.Lpips(tmp_path / "nothing.pth")
    with pytest.raises(WeightsError, match="no checkpoint of vgg"):
        perceptual.Lpips(checkpoint("alex"), "vgg")
    with pytest.raises(WeightsError, match="expected one of alex"):
        perceptual.Lpips(checkpoint("alex"), "resnet")
    (tmp_path / "bad.pth").write_bytes(b"no checkpoint at all")
    with pytest.raises(WeightsError, match="no weight file of torch"):
        perceptual.Lpips(tmp_path / "bad.pth")
    with pytest.raises(MeasureError, match="160x128 and 160x64"):
        perceptual.Lpips(checkpoint("alex"))(pair[0], pair[1][:64])


def test_fid_is_the_formula_on_inceptions_features(tmp_path, pair):
    extractor = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    weights = tmp_path / perceptual.INCEPTION
    class_ = extractor.FeatureExtractorInceptionV3
    blank = _without_download(class_)
    torch.save(rule(blank).state_dict(), weights)
    rng = np.random.default_rng(1)
    truths = [np.roll(pair[0], 9 * n, axis=1) for n in range(3)]
    results = [np.clip(t + rng.normal(0, 30, t.shape), 0, 255).astype(np.uint8) for t in truths]
    fid = perceptual.Fid(weights, features=64)
    with pytest.raises(MeasureError, match="expected at least 2"):
        fid.value()
    for result, truth in zip(results, truths, strict=True):
        fid.add(result, truth)
    network = class_("inception", ["64"], feature_extractor_weights_path=str(weights))
    features = [
        np.concatenate([network(torch.from_numpy(p.transpose(2, 0, 1)[None]))[0] for p in pictures])
        for pictures in (results, truths)
    ]
    assert fid.value() == pytest.approx(frechet(*features), rel=0.02)
    with pytest.raises(WeightsError, match="not a file"):
        perceptual.Fid(tmp_path / "none.pth")


def frechet(first, second):
    """The distance of two sets of few features `[n,d]`, from factors of their covariances.

    The trace of the root of a product is the sum of the singular values of the factors' product.
    """
    centred = [(f - f.mean(0)).astype(np.float64) / np.sqrt(len(f) - 1) for f in (first, second)]
    spread = sum((c**2).sum() for c in centred)
    common = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    return ((first.mean(0) - second.mean(0)) ** 2).sum() + spread - 2 * common


def _without_download(class_):
    """The network with whatever weights: its constructor insists on fetching its own."""
    from unittest import mock

    with (
        mock.patch.object(torch.nn.Module, "load_state_dict"),
        mock.patch(f"{class_.__module__}.load_state_dict_from_url"),
    ):
        return class_("inception", ["64"])


def test_weights_come_from_the_user_or_the_cache(checkpoint, pair, tmp_path, monkeypatch):
    monkeypatch.setenv("VSCOLOR_WEIGHTS", str(tmp_path / "kept"))
    path = checkpoint("alex")
    assert published.lpips(path, "alex")(*pair) == perceptual.Lpips(path)(*pair)
    with pytest.raises(WeightsError, match="vscolor models fetch lpips-alex"):
        published.lpips(None, "alex")
    kept = published.LPIPS_SETS["alex"]
    place = kept.path(kept.files[0])
    place.parent.mkdir(parents=True)
    place.write_bytes(path.read_bytes())
    # Made by a rule, it has not the published hash.
    with pytest.raises(WeightsError, match="7be5be79"):
        published.lpips(None, "alex")
    assert cli.run(["models", "verify", "lpips-alex"]) == cli.FAILED
    assert cli.run(["models", "add", "lpips-alex", str(path)]) == cli.FAILED


def test_published_names_hold_their_hashes():
    hashes = {name: s.files[0].sha256 for name, s in published.SETS.items()}
    assert hashes["lpips-vgg"] == "397923af"
    assert all(len(h) == 8 and int(h, 16) for h in hashes.values())

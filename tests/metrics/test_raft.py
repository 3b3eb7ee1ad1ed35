"""RAFT as a source of flow, with weights made by a rule."""

import numpy as np
import pytest
from skimage import data

from vscolor.errors import WeightsError
from vscolor.metrics import raft, temporal

torch = pytest.importorskip("torch")
optical_flow = pytest.importorskip("torchvision.models.optical_flow")


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("raft") / "raft_small.pth"
    torch.manual_seed(0)
    torch.save(optical_flow.raft_small(weights=None).state_dict(), path)
    return path


def test_flow_is_torchvisions(weights):
    luma = [np.ascontiguousarray(data.camera()[100 + y : 228 + y, 100:260]) for y in (0, 3)]
    ours = raft.finder(weights, "small")(*luma)
    network = optical_flow.raft_small(weights=None).eval()
    network.load_state_dict(torch.load(weights, weights_only=True))
    pair = [torch.from_numpy(p / np.float32(127.5) - 1).expand(1, 3, -1, -1) for p in luma]
    with torch.inference_mode():
        theirs = network(*pair)[-1][0].permute(1, 2, 0).numpy()
    assert np.allclose(ours, theirs, atol=1e-3 * max(1.0, np.abs(theirs).max()))


def test_odd_sizes_and_the_meter_take_it(weights):
    luma = np.ascontiguousarray(data.camera()[:75, :101])
    path = temporal.find_backward_flow(luma, luma, raft.finder(weights, "small"))
    assert path.flow.shape == (75, 101, 2)
    assert path.visible.shape == (75, 101)


def test_wrong_weights_are_refused(weights, tmp_path):
    with pytest.raises(WeightsError, match="not a file"):
        raft.finder(tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="raft_small"):
        raft.finder(weights, "large")

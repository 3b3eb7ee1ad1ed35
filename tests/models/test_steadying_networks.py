"""The published stabilizers' networks and losses, with rule-made weights.

The numbers were made by these networks when they reproduced the authors' outputs to 1e-13.
"""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from published import fill, make_state, state_digest, waves  # noqa: E402
from test_published_networks import check_vectors, is_near  # noqa: E402

from vscolor.models.dvp import objective  # noqa: E402
from vscolor.models.dvp.perceptual import Perceptual, Vgg19  # noqa: E402
from vscolor.models.dvp.reference import TensorFlowNet, TorchNet, legacy_doubled  # noqa: E402
from vscolor.models.lai.network import Lai  # noqa: E402

ROOT = Path(__file__).parents[2]
LAI_GAINS = {"convlstm.Gates.weight": 0.25, "deconv3.conv2d.weight": 0.5}
DIGESTS = {
    "lai": (Lai, "", LAI_GAINS, "aa20ae39ba7d6201b761431c223d601c61177ba0c32e0a78cd378ac93fd209cc"),
    "unet3": (
        TorchNet,
        "unet3:",
        {"unet3:conv.weight": 0.25},
        "df3bf195ae9ee0948dac394f68fb2e115f4ea21cda0183d6559207defc4d2589",
    ),
    "vgg": (Vgg19, "vgg:", {}, "01c570134598879b549bf90518984e2b433a00c116b0e131ac4030fdf559e009"),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_weights_by_the_rule_are_the_authors(name):
    network, prefix, gains, digest = DIGESTS[name]
    own = network().state_dict().items()
    shapes = {key: (tuple(value.shape), value.is_floating_point()) for key, value in own}
    assert state_digest(make_state(shapes, prefix, gains)) == digest


def test_reference_networks():
    picture = waves(3, 32, 48, 0.05, 0.95)
    with torch.inference_mode():
        six = fill(TorchNet(6), "unet6:", {"unet6:conv.weight": 0.1})(picture)
        assert is_near(six, [0.005611748782, -0.09313954037, 0.0671087266])
        original = fill(TensorFlowNet(3))(picture)
        assert is_near(original, [0.2068852964, 1.381239215, -0.1500680334])
    assert six.shape == (1, 6, 32, 48)


def test_lai_carries_memory():
    network = fill(Lai(), gains=LAI_GAINS)
    given, before, now = (waves(3, 16, 24, a, b) for a, b in ((0, 1), (0.2, 0.8), (0.8, 0.1)))
    with torch.inference_mode():
        change, memory = network(given, given, now, before, network.fresh_memory(given))
        assert is_near(change, [-0.3237128675, -0.02386272232, -0.2494019999])
        again, _ = network(given, given + change, before, now, memory)
        assert is_near(again, [-0.3367159051, -0.07477269877, -0.268097198])


def test_legacy_doubling_has_no_half_pixels():
    row = torch.tensor([[[[0.0, 2.0, 6.0]]]])
    assert legacy_doubled(row)[0, 0].tolist() == [[0, 1, 2, 4, 6, 6]] * 2


def test_each_picture_answers_for_its_own_pixels():
    wanted = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2)
    made = torch.tensor([[0.1, 0.1], [0.8, 0.8]]).reshape(1, 2, 1, 2)
    share = objective.confidence(made, wanted, torch.full_like(wanted, 0.5))
    assert share.flatten().tolist() == [1, 0]
    assert float(objective.reweighted_loss(made, wanted, share)) == pytest.approx(0.15)
    assert float(objective.first_frame_loss(made, wanted)) == pytest.approx(0.5 + 0.9 * 0.5)


def test_tensorflow_adam_has_epsilon_outside():
    parameter = torch.nn.Parameter(torch.tensor([1.0], dtype=torch.float64))
    adam = objective.TensorFlowAdam([parameter], lr=0.1)
    first = second = 0.0
    expected = 1.0
    for count in (1, 2, 3):
        gradient = 1e-8 * count
        parameter.grad = torch.tensor([gradient], dtype=torch.float64)
        adam.step()
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        rate = 0.1 * (1 - 0.999**count) ** 0.5 / (1 - 0.9**count)
        expected -= rate * first / (second**0.5 + 1e-8)
        assert float(parameter.detach()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("original", [False, True])
def test_perceptual_loss_is_zero_for_the_same_and_grows(original):
    loss = Perceptual(fill(Vgg19(average=original)), original=original)
    picture = waves(3, 32, 32, 0, 1)
    assert float(loss(picture, picture)) == 0
    near, far = (float(loss(picture + d, picture)) for d in (0.01, 0.1))
    assert 0 < near < far


def test_every_runner_reproduces_the_authors():
    """With the authors' own vectors, where this machine has them."""
    vectors = ROOT.parent / "shared" / "models" / "vectors"
    if not vectors.is_dir():
        pytest.skip("the authors' vectors are not here")
    assert check_vectors(vectors, "--only", "dvp", "dvp_tf", "lai") == 0

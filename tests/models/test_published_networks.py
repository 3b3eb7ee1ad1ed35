"""The published networks with rule-made weights: keys, digests and numbers of the authors' own.

The numbers were made by these networks when they reproduced the authors' outputs to 1e-13.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from published import fill, make_state, state_digest, tensors_for, waves  # noqa: E402

from vscolor.errors import WeightsError  # noqa: E402
from vscolor.models.cielab import lab_to_srgb, srgb_to_lab  # noqa: E402
from vscolor.models.devc.network import Devc  # noqa: E402
from vscolor.models.eccv16.network import Eccv16  # noqa: E402
from vscolor.models.instcolor.network import InstColor, Placement  # noqa: E402
from vscolor.models.siggraph17.network import Siggraph17  # noqa: E402
from vscolor.weights.checkpoint import load_strictly, read_state  # noqa: E402

ROOT = Path(__file__).parents[2]
RULE = Path(__file__).parent / "published.py"
ECCV_GAINS = {"model8.6.weight": 3.0, "model_out.weight": 10.0}
SIGGRAPH_GAINS = {"model_out.0.weight": 0.25}
DEVC_GAINS = {"color:conv10_ab.weight": 0.1}
PREFIXED = ("G", "GComp", "GF")
DIGESTS = {
    "eccv16": "5e71ba222cf9c5fde41bd3d8ac0a3415332fb23480b29d2ef527da50bda590ae",
    "siggraph17": "661e32d406995710e4a9f0bbbc8e34dbc4b1bd81fd35d304ebadc1968882683e",
    "G": "44c55b18b790b07a1987ea32b61f814e8e2032e30d58982fa6c5a946c98f5f9a",
    "GComp": "b8ced35d44c9f9f4cc90f09730d76810f62b52fdab3fae0f08d106efa03599da",
    "GF": "e1ca63097a75584ff731779174978c74378df39bc6693e8e439b7d973d5928fd",
    "vgg": "2f5ea5af1467c42e9a2daa91355617c63235288d5bf8fd66db2fde1e909dfc48",
    "nonlocal": "f86b444b2c47490eec51501c5a18681807b2a28511052959a6c9fc6fb3d1ee0b",
    "color": "87451518b583d91a8e5deca25e85ca0c84285a8c05703e3f035e6792d59190f8",
}


@pytest.fixture(autouse=True)
def without_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def eccv16():
    return fill(Eccv16(), gains=ECCV_GAINS)


@pytest.fixture(scope="module")
def siggraph17():
    return fill(Siggraph17(), gains=SIGGRAPH_GAINS)


@pytest.fixture(scope="module")
def instcolor():
    network = InstColor()
    for net in PREFIXED:
        fill(network.get_submodule(net), f"{net}:", {f"{net}:model_out.0.weight": 0.25})
    return network.eval()


@pytest.fixture(scope="module")
def devc():
    network = Devc()
    for net, part in (("vgg", network.vgg), ("nonlocal", network.warp), ("color", network.color)):
        fill(part, f"{net}:", DEVC_GAINS)
    return network.eval()


def three_of(picture):
    """Values near a corner, in the middle, near the far corner."""
    plane = picture[0].numpy()
    h, w = plane.shape[1:]
    return [plane[0, 1, 2], plane[1, h // 2, w // 3], plane[0, h - 2, w - 5]]


def is_near(picture, values):
    return three_of(picture) == pytest.approx(values, rel=1e-7)


def test_weights_by_the_rule_are_the_authors(eccv16, siggraph17, instcolor, devc):
    parts = {
        "eccv16": (eccv16, "", ECCV_GAINS),
        "siggraph17": (siggraph17, "", SIGGRAPH_GAINS),
        **{
            n: (instcolor.get_submodule(n), f"{n}:", {f"{n}:model_out.0.weight": 0.25})
            for n in PREFIXED
        },
        "vgg": (devc.vgg, "vgg:", DEVC_GAINS),
        "nonlocal": (devc.warp, "nonlocal:", DEVC_GAINS),
        "color": (devc.color, "color:", DEVC_GAINS),
    }
    for name, (network, prefix, gains) in parts.items():
        own = network.state_dict().items()
        shapes = {key: (tuple(value.shape), value.is_floating_point()) for key, value in own}
        assert state_digest(make_state(shapes, prefix, gains)) == DIGESTS[name], name


def test_eccv16(eccv16):
    luma = waves(1, 24, 40, 5, 95)
    assert is_near(eccv16(luma), [2.282539159, -3.305110617, 5.203296401])
    assert is_near(eccv16(luma, 0.38), [-1.158235958, -8.607738102, 8.212807452])
    assert eccv16(waves(1, 17, 30, 5, 95)).shape == (1, 2, 24, 32)


def test_siggraph17(siggraph17):
    luma, ab = waves(1, 24, 40, 5, 95), waves(2, 24, 40, -40, 40)
    mask = (waves(1, 24, 40, 0, 1) > 0.7).double()
    assert is_near(siggraph17(luma), [-6.686404028, 7.189178962, -9.234409307])
    assert is_near(siggraph17(luma, ab * mask, mask), [-12.91230244, 7.027425973, -8.186557935])


def test_instcolor_with_and_without_objects(instcolor):
    luma = waves(1, 24, 40, 5, 95)
    crops = waves(2, 16, 16, 5, 95).transpose(0, 1)
    places = {
        s: [
            Placement(8 // s, 24 // s, 8 // s, 0, 8 // s, 16 // s),
            Placement(0, 16 // s, 0, 0, 24 // s, 24 // s),
        ]
        for s in (1, 2, 4, 8)
    }
    assert is_near(instcolor(luma), [-15.10897263, 34.05789446, -13.46636778])
    assert is_near(instcolor(luma, crops, places), [-3.333110671, -4.981803311, 4.259423148])


def test_devc_two_frames(devc):
    reference = torch.cat([waves(1, 40, 48, -40, 40), waves(2, 40, 48, -40, 40)], 1)
    frame = waves(1, 40, 48, -45, 35).flip(3)
    warped, similarity = devc.match(frame, devc.encode_reference(reference), 1e-10)
    assert is_near(warped[:, 1:], [6.621501148, 8.973491204, 9.022931975])
    assert float(similarity.mean()) == pytest.approx(0.15683983030654602, rel=1e-9)
    first = devc.step(frame, warped, similarity, torch.zeros_like(reference))
    assert is_near(first, [-13.8186142, 7.104537673, 19.89157588])
    second = devc.step(frame, warped, similarity, torch.cat([frame, first], 1))
    assert is_near(second, [1.671366087, -6.40204847, -8.471775602])


def test_matching_in_parts_is_matching_at_once(devc, monkeypatch):
    reference = torch.cat([waves(1, 32, 48, -40, 40), waves(2, 32, 48, -40, 40)], 1)
    frame, known = waves(1, 32, 48, -45, 35).flip(3), devc.encode_reference(reference)
    whole = devc.match(frame, known, 0.01)
    monkeypatch.setattr("vscolor.models.devc.network.ROWS_AT_ONCE", 7)
    for a, b in zip(whole, devc.match(frame, known, 0.01), strict=True):
        assert torch.allclose(a, b, atol=1e-10)


def test_a_batch_is_its_frames(eccv16, siggraph17, devc):
    luma = torch.cat([waves(1, 32, 32, 5, 95), waves(1, 32, 32, 95, 5)])
    for network in (eccv16, siggraph17, lambda x: devc.query(x - 50)):
        both = network(luma)
        for row in range(2):
            assert torch.allclose(network(luma[row : row + 1])[0], both[row], atol=1e-9)


def test_lab_goes_there_and_back():
    rgb = waves(3, 8, 8, 0, 1)
    assert torch.allclose(lab_to_srgb(srgb_to_lab(rgb)), rgb, atol=2e-4)


def test_strict_loading_names_what_differs(eccv16, tmp_path):
    state = tensors_for(Eccv16())
    spoiled = {**state, "model9.0.weight": torch.zeros(1)}
    del spoiled["model1.0.bias"]
    spoiled["model2.0.weight"] = torch.zeros(3, 3)
    with pytest.raises(WeightsError) as error:
        load_strictly(Eccv16(), spoiled, "x.pth")
    assert str(error.value) == (
        "x.pth is of another network: model1.0.bias is missing; "
        "model2.0.weight is 3x3, expected 128x64x3x3; model9.0.weight is not expected"
    )


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("wrapping", ["bare", "module", "state_dict"])
def test_state_dicts_in_every_wrapping_are_read(tmp_path, legacy, wrapping):
    state = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.bias": torch.ones(2)}
    held = {f"module.{k}": v for k, v in state.items()} if wrapping == "module" else state
    path = tmp_path / "w.pth"
    torch.save(
        {"state_dict": held, "epoch": 3} if wrapping == "state_dict" else held,
        path,
        _use_new_zipfile_serialization=not legacy,
    )
    read = read_state(path)
    assert read.keys() == state.keys()
    assert all(torch.equal(read[k], state[k]) for k in state)


@pytest.mark.parametrize("content", [b"junk\n", b"<html>", b"", b"PK\x03\x04cut off"])
def test_what_is_no_weight_file_is_said_in_words(tmp_path, content):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=r"w\.pth is no weight file of torch: ") as error:
        read_state(tmp_path / "w.pth")
    assert str(error.value).endswith(": it is damaged or something else")


class _Evil:
    def __reduce__(self):
        return (print, ("code from a checkpoint ran",))


def test_code_in_a_checkpoint_is_not_run(tmp_path, capsys):
    torch.save({"a": torch.ones(1), "b": _Evil()}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="asks for code to be run"):
        read_state(tmp_path / "w.pth")
    assert "ran" not in capsys.readouterr().out


def test_counters_of_norms_may_be_absent():
    state = {k: v for k, v in tensors_for(Eccv16()).items() if "num_batches" not in k}
    load_strictly(Eccv16(), state, "old.pth")


def write_vectors(folder, network, **changed):
    """A vector file as the authors' would be, for eccv16."""
    luma = waves(1, 16, 24, 5, 95).float()
    made = fill(network, gains=ECCV_GAINS)(luma.double()).numpy()
    shapes = {k: (tuple(v.shape), v.is_floating_point()) for k, v in network.state_dict().items()}
    meta = {
        "model": "eccv16",
        "gains": ECCV_GAINS,
        "digests": {"net": state_digest(make_state(shapes, "", ECCV_GAINS))},
        **changed,
    }
    held = {"in_L": luma.numpy(), "out_ab": made}
    np.savez(folder / "v.npz", meta=np.frombuffer(json.dumps(meta).encode(), np.uint8), **held)


def check_vectors(folder, *more):
    """Run the script in this process: torch takes seconds to import."""
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        script = importlib.import_module("check_vectors")
        return script.main(["--rule", str(RULE), "--vectors", str(folder), *more])
    finally:
        sys.path.remove(str(ROOT / "scripts"))


@pytest.mark.parametrize(
    ("changed", "code", "words"),
    [
        ({}, 0, "ok   v.npz ab"),
        ({"gains": {}}, 1, "not those of v.npz"),
        ({"gains": {"model8.6.weight": 2.0}, "digests": {}}, 1, "FAIL v.npz ab"),
        ({"model": "other"}, 1, "no runner for model 'other'"),
    ],
)
def test_check_vectors_tells_good_from_bad(tmp_path, capsys, changed, code, words):
    write_vectors(tmp_path, Eccv16(), **changed)
    assert check_vectors(tmp_path) == code
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"not an archive", "v.npz: no vector file: it is not an .npz archive"),
        (b"", "v.npz: no vector file: it is not an .npz archive"),
        ({"in_L": np.zeros(1)}, "no vector file: 'meta"),
        ({"meta": np.frombuffer(b"{", np.uint8)}, "no vector file: Expecting"),
        ({"meta": np.frombuffer(b"{}", np.uint8), "in_L": np.zeros(1)}, "no arrays out_"),
    ],
)
def test_check_vectors_names_broken_files_and_runs_the_others(tmp_path, capsys, content, words):
    write_vectors(tmp_path, Eccv16())
    (tmp_path / "v.npz").rename(tmp_path / "whole.npz")
    if isinstance(content, bytes):
        (tmp_path / "v.npz").write_bytes(content)
    else:
        np.savez(tmp_path / "v.npz", **content)
    assert check_vectors(tmp_path) == 1
    told = capsys.readouterr().out
    assert words in told
    assert "ok   whole.npz ab" in told


def test_check_vectors_refuses_a_rule_that_is_none(tmp_path):
    write_vectors(tmp_path, Eccv16())
    (tmp_path / "rule.py").write_text("def make_state(): ...")
    with pytest.raises(SystemExit, match="defines no state_digest"):
        check_vectors(tmp_path, "--rule", str(tmp_path / "rule.py"))


def test_check_vectors_says_that_it_found_none(tmp_path, capsys):
    assert check_vectors(tmp_path, "--only", "eccv16") == 1
    assert "no vector files of eccv16" in capsys.readouterr().out


def vector_file(folder, model, gains, inputs, outputs):
    """Write a file of sizes and gains that no published one has."""
    meta = json.dumps({"model": model, "gains": gains, "prefixes": dict.fromkeys(PREFIXED, "")})
    held = {f"in_{k}": np.asarray(v, np.float32) for k, v in inputs.items()}
    held |= {f"out_{k}": v.numpy() for k, v in outputs.items()}
    np.savez(folder / f"{model}.npz", meta=np.frombuffer(meta.encode(), np.uint8), **held)


def test_check_vectors_takes_any_number_of_pictures_with_hints_or_without(tmp_path, capsys):
    gains = {"model_out.0.weight": 0.1}
    network = fill(Siggraph17(), gains=gains)
    wide, tall = waves(1, 16, 40, 5, 95).float(), waves(1, 32, 8, 5, 95).float()
    ab, mask = waves(2, 32, 8, -40, 40).float(), (waves(1, 32, 8, 0, 1) > 0.7).float()
    inputs = {"L": wide, "L_tall": tall, "hint_ab_tall": ab, "hint_mask_tall": mask}
    hinted = network(tall.double(), ab.double(), mask.double())
    outputs = {"ab": network(wide.double()), "ab_hint_tall": hinted}
    vector_file(tmp_path, "siggraph17", gains, inputs, outputs)
    assert check_vectors(tmp_path) == 0
    assert capsys.readouterr().out.count("ok ") == 2


def test_check_vectors_takes_pictures_without_objects(tmp_path, instcolor):
    gains = {f"{n}:model_out.0.weight": 0.25 for n in PREFIXED}
    rgb = waves(3, 16, 24, 0, 1).float()
    scaled = (srgb_to_lab(rgb)[:, :1] - 50) / 100
    alone = instcolor(scaled.double() * 100 + 50) / 110
    crops = np.zeros((0, 3, 16, 16))
    inputs = {"full_rgb": rgb, "crops_rgb": crops}
    vector_file(tmp_path, "instcolor", gains, inputs, {"full_only_ab": alone})
    assert check_vectors(tmp_path) == 0


def test_every_runner_reproduces_the_authors():
    """With the authors' own vectors, where this machine has them."""
    vectors = ROOT.parent / "shared" / "models" / "vectors"
    if not vectors.is_dir():
        pytest.skip("the authors' vectors are not here")
    pytest.importorskip("cv2.ximgproc", reason="needs OpenCV's contrib wheel")
    ours = ["eccv16", "siggraph17", "instcolor", "devc", "devc_post"]
    assert check_vectors(vectors, "--only", *ours) == 0

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import lab2rgb, rgb2lab

from vscolor import color
from vscolor.errors import SettingError


def test_lab_agrees_with_scikit_image_to_its_rounded_constants():
    rgb = np.random.default_rng(1).random((500, 3))
    assert np.abs(color.srgb_to_lab(rgb) - rgb2lab(rgb)).max() < 0.05
    lab = rgb2lab(rgb)
    assert np.abs(color.lab_to_srgb(lab) - lab2rgb(lab)).max() < 2e-3


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3))
def test_lab_and_back_is_identity(rgb):
    assert color.lab_to_srgb(color.srgb_to_lab(np.array(rgb))) == pytest.approx(rgb, abs=1e-6)


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_underlaid_colour_gives_its_chroma_back(matrix, linear):
    rgb = np.random.default_rng(4).random((2000, 3))
    how = color.Colorimetry(matrix, 8 if linear else 1, 1, full_range=False)
    lightness, a, b = np.moveaxis(color.lab_for_merge(rgb, how), -1, 0)
    kr, kg, kb = reference.WEIGHTS[matrix]
    luma = rgb @ [kr, kg, kb]
    assert np.abs(lightness - reference.lightness(luma, linear)).max() < 1e-3
    cb, cr = reference.chroma(luma, a, b, matrix, linear)
    assert np.abs(cb - (rgb[:, 2] - luma) / (2 - 2 * kb)).max() < 2e-3
    assert np.abs(cr - (rgb[:, 0] - luma) / (2 - 2 * kr)).max() < 2e-3


def test_grey_has_no_ab_and_known_lightness():
    lab = color.srgb_to_lab(np.array([[0.0] * 3, [0.5] * 3, [1.0] * 3]))
    assert lab[:, 0] == pytest.approx([0, 53.3890, 100], abs=1e-3)
    assert np.abs(lab[:, 1:]).max() < 1e-9


def test_srgb_curve_is_continuous_and_inverts_below_zero():
    v = np.linspace(-0.2, 1.5, 1001)
    assert color.encode_srgb(color.decode_srgb(v)) == pytest.approx(v, abs=1e-6)
    assert np.abs(np.diff(color.encode_srgb(np.linspace(0.003, 0.0033, 1001)))).max() < 1e-4


def test_lightness_of_luma_agrees_with_reference():
    luma = np.linspace(-0.1, 1.1, 241)
    for linear in (False, True):
        ours = 116 * color.luma_to_lab_f(luma, linear) - 16
        assert ours == pytest.approx(reference.lightness(luma, linear), abs=1e-3)


@pytest.mark.parametrize("primaries", sorted(color.PRIMARIES))
def test_white_is_neutral_for_all_primaries(primaries):
    white = color.rgb_to_xyz_matrix(primaries) @ np.ones(3)
    assert white == pytest.approx(color.white_xyz(), abs=1e-9)


def test_srgb_matrix_is_the_published_one():
    inverse = np.linalg.inv(color.rgb_to_xyz_matrix(1))
    assert inverse == pytest.approx(reference.XYZ_TO_SRGB, abs=1e-6)


@pytest.mark.parametrize(
    ("numbers", "word"),
    [
        ((0, 1, 1), "matrix 0"),
        ((8, 1, 1), "matrix 8"),
        ((10, 1, 1), "matrix 10"),
        ((1, 16, 1), "PQ"),
        ((1, 18, 1), "HLG"),
        ((1, 9, 1), "log"),
        ((1, 99, 1), "transfer 99"),
        ((1, 1, 10), "primaries 10"),
    ],
)
def test_unsupported_numbers_are_named(numbers, word):
    with pytest.raises(SettingError, match=word):
        color.Colorimetry(*numbers, full_range=False)


@pytest.mark.parametrize("bits", [8, 10, 16])
def test_code_ranges(bits):
    scale = 2 ** (bits - 8)
    assert color.luma_code_range(bits, full_range=False) == (16 * scale, 219 * scale)
    assert color.luma_code_range(bits, full_range=True) == (0, 2**bits - 1)
    assert color.chroma_code_range(bits, full_range=False) == (128 * scale, 224 * scale)
    assert color.chroma_code_range(bits, full_range=True) == (128 * scale, 2**bits - 1)

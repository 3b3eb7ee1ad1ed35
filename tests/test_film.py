"""What a clip says of itself, and what is guessed where it does not."""

import pytest
import vapoursynth as vs

from vscolor.film import _read_full_range, inspect


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(640, 480, 6), (720, 480, 6), (720, 486, 6), (720, 576, 5), (1024, 576, 5), (1280, 720, 1)],
)
def test_unspecified_matrix_is_guessed_by_size(width, height, matrix):
    clip = vs.core.std.BlankClip(None, width, height, vs.GRAY8, 1)
    assert inspect(clip).colorimetry.matrix == matrix
    assert inspect(clip.std.SetFrameProps(_Matrix=9)).colorimetry.matrix == 9


def test_range_is_read_from_new_and_old_property():
    clip = vs.core.std.BlankClip(None, 64, 48, vs.GRAY8, 1)
    assert not inspect(clip).colorimetry.full_range
    assert inspect(clip.std.SetFrameProps(_Range=1)).colorimetry.full_range
    assert _read_full_range({"_ColorRange": 0}, vs.YUV, "clip")
    assert not _read_full_range({"_ColorRange": 1}, vs.YUV, "clip")
    assert _read_full_range({}, vs.RGB, "clip")

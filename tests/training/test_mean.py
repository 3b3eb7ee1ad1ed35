"""Weights between two runs."""

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from vscolor.errors import WeightsError
from vscolor.training.mean import write_mean


def write(path, value, shape=(2, 3)):
    save_file({"a": torch.full(shape, value, dtype=torch.half)}, path, {"version": "1"})
    return path


def test_the_middle_lies_between_and_keeps_what_the_file_says_of_itself(tmp_path):
    one, other = write(tmp_path / "1", 1.0), write(tmp_path / "2", 3.0)
    write_mean(one, other, tmp_path / "out", 0.25)
    found = load_file(tmp_path / "out")["a"]
    assert found.dtype == torch.half
    assert np.allclose(found, 1.5)
    with safe_open(tmp_path / "out", "pt") as opened:
        assert opened.metadata() == {"version": "1"}


def test_weights_of_two_shapes_are_refused_and_nothing_is_written(tmp_path):
    one, other = write(tmp_path / "1", 1.0), write(tmp_path / "2", 3.0, (4,))
    with pytest.raises(WeightsError, match="differ in a"):
        write_mean(one, other, tmp_path / "out")
    (tmp_path / "3").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot read"):
        write_mean(one, tmp_path / "3", tmp_path / "out")
    assert not (tmp_path / "out").exists()

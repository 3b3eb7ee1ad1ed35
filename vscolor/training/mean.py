"""Interpolate the weights of two runs, the second fine-tuned from the first.

`python -m vscolor.training.mean FIRST SECOND OUT [--share 0.5]`

The mean of a run's weights and those fine-tuned from them is often better than either (Wortsman et
al. 2022, "Model soups", arXiv:2203.05482).
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from vscolor.errors import WeightsError
from vscolor.files import atomic_write


def write_mean(first: Path, second: Path, target: Path, share: float = 0.5) -> None:
    """Write the linear interpolation of two weight files of the same architecture.

    Args:
        first: A safetensors file.
        second: Another; the result has its metadata and dtypes.
        target: File to write.
        share: Weight of the second, 0 to 1.

    Raises:
        WeightsError: A file cannot be read, or tensor names or shapes differ.
    """
    try:
        one, other = (load_file(str(path)) for path in (first, second))
        with safe_open(str(second), "pt") as opened:
            metadata = opened.metadata()
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"cannot read weights: {error}") from error
    shapes = [{name: tensor.shape for name, tensor in held.items()} for held in (one, other)]
    if shapes[0] != shapes[1]:
        odd = sorted(dict(shapes[0].items() ^ shapes[1].items()))
        raise WeightsError(f"{first} and {second} differ in {odd[0]}, expected one shape")
    between = {
        name: torch.lerp(one[name].float(), tensor.float(), share).to(tensor.dtype)
        for name, tensor in other.items()
    }
    with atomic_write(target) as part:
        save_file(between, str(part), metadata)


def main() -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description="Weights between those of two runs.")
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path, help="a run that went on from the first")
    parser.add_argument("out", type=Path)
    parser.add_argument("--share", type=float, default=0.5, help="of the second; 0.5")
    given = parser.parse_args()
    try:
        write_mean(given.first, given.second, given.out, given.share)
    except WeightsError as error:
        raise SystemExit(f"mean: {error}") from None


if __name__ == "__main__":
    main()

"""Weights of the networks that metrics use: where they are published and cached.

`vscolor models fetch NAME` downloads a set, `vscolor models add NAME FILE` adds a local file.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from vscolor.errors import SettingError, WeightsError
from vscolor.metrics import perceptual, raft
from vscolor.metrics.temporal import FlowFinder, find_flow
from vscolor.weights.catalog import WeightFile, WeightSet

TORCHVISION: Final = "https://download.pytorch.org/models/"
FIDELITY: Final = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/"
RAFT_FILE: Final = "raft_large_C_T_SKHT_V2-ff5fadd5.pth"
DIS, RAFT = "dis", "raft"


def _published(name: str, base: str) -> WeightFile:
    """A file whose name ends in the first eight digits of its hash."""
    return WeightFile(name, base + name, sha256=Path(name).stem.rpartition("-")[2])


def _lpips_set(net: str) -> WeightSet:
    def check(_name: str, path: Path) -> None:
        perceptual.Lpips(path, net)

    files = (_published(perceptual.BACKBONES[net], TORCHVISION),)
    return WeightSet(f"lpips-{net}", files, check)


def _check_fid(_name: str, path: Path) -> None:
    perceptual.Fid(path)


def _check_raft(_name: str, path: Path) -> None:
    raft.finder(path)


LPIPS_SETS: Final = {net: _lpips_set(net) for net in perceptual.BACKBONES}
FID_SET: Final = WeightSet("fid", (_published(perceptual.INCEPTION, FIDELITY),), _check_fid)
RAFT_SET: Final = WeightSet(RAFT, (_published(RAFT_FILE, TORCHVISION),), _check_raft)
SETS: Final = {s.folder_name: s for s in (*LPIPS_SETS.values(), FID_SET, RAFT_SET)}


def lpips(given: Path | None, net: str) -> perceptual.Lpips:
    """LPIPS with the caller's weight file, or the cached one.

    Raises:
        SettingError: The network is unknown.
        WeightsError: The file is missing, fails its hash check, or is of another network.
        MissingExtraError: The lpips package is not installed.
    """
    if net not in LPIPS_SETS:
        known = ", ".join(LPIPS_SETS)
        raise SettingError(f"LPIPS's network is {net!r}, expected one of {known}")
    return _single(LPIPS_SETS[net], given, lambda path: perceptual.Lpips(path, net))


def fid_file(given: Path | None) -> Path:
    """Inception's weight file: the caller's, or the cached one, whose hash is checked.

    Raises:
        WeightsError: It is missing or fails its hash check.
    """
    return _single(FID_SET, given, lambda path: path)


def flow(name: str) -> FlowFinder:
    """The flow estimator: `dis`, `raft`, or the path of a RAFT checkpoint.

    Raises:
        WeightsError: The file is missing, fails its hash check, or is of another network.
        MissingExtraError: torchvision is not installed.
    """
    if name == DIS:
        return find_flow
    return _single(RAFT_SET, None if name == RAFT else Path(name), raft.finder)


def _single[T](kept: WeightSet, given: Path | None, build: Callable[[Path], T]) -> T:
    """Build something from the only file of a set."""
    (file,) = kept.files
    if given is not None and not given.is_file():
        raise WeightsError(f"{given} is not a file, expected {file.name}")
    return kept.open(given, kept.folder_name, lambda paths: build(paths[file.name]))

"""DDColor as a vscolor still model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vscolor.plugin import (
    Array,
    Card,
    Device,
    Entry,
    Grid,
    StillModel,
    WeightFile,
    WeightSet,
    as_module,
    lab_to_srgb,
    load_strictly,
    on_torch,
    padded,
    published,
    read_state,
    torch_device,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from vscolor_ddcolor.network import DDColor

SITE = "https://huggingface.co/piddnad/DDColor-models/resolve/main"
PADDING = 32
LIMIT = 128.0


def build(size: str, path: Path) -> DDColor:
    """Load a network from a file, on the CPU.

    Args:
        size: `large` or `tiny`.
        path: The file.
    """
    from vscolor_ddcolor import network

    made = network.DDColor(network.TINY if size == "tiny" else network.LARGE)
    load_strictly(made, read_state(path), path)
    return made.eval()


def _entry(name: str, size: str, checkpoint: str, summary: str) -> Entry:
    kept = WeightSet(
        name,
        (WeightFile(checkpoint, url=f"{SITE}/{checkpoint}"),),
        check=lambda _name, path: void(build(size, path)),
    )
    card = Card(
        name=name,
        kind="still",
        summary=summary,
        paper="Kang et al. 2023, arXiv:2212.11613",
        code_licence="MIT",
        weights_licence="Apache-2.0",
        score="in the paper",
        page="plugins/vscolor-ddcolor/README.md",
        supports=frozenset({"onnx"}),
    )
    return published(card, partial(_load, kept, size), ((kept,),))


def void(_value: object) -> None:
    """Discard a value: a weight file is checked by building the network from it."""


def _load(
    kept: WeightSet,
    size: str,
    device: Device,
    weights: str | Path | None,
    options: Mapping[str, Any],  # noqa: ARG001
) -> StillModel:
    def ready(paths: dict[str, Path]) -> DDColor:
        (path,) = paths.values()
        return build(size, path).to(torch_device(device))

    return DDColorStill(kept.open(weights, device, ready), device)


class DDColorStill:
    """Colours luma of any even size."""

    grid = Grid(multiple=2, ab_stride=1, size=512)

    def __init__(self, network: DDColor, device: Device) -> None:
        self._network = network
        self._device = device

    def predict(self, luma: Array) -> Array:
        """See `StillModel.predict`."""
        h, w = luma.shape[2:]
        ab = on_torch(self._device, self.color, padded(luma, PADDING))
        return np.clip(ab[:, :, :h, :w], -LIMIT, LIMIT)

    @property
    def graph_multiple(self) -> int:
        """See `ExportableModel`."""
        return PADDING

    def graph(self) -> nn.Module:
        """See `ExportableModel.graph`."""
        return as_module(self._network, self.color)

    def color(self, luma: Tensor) -> Tensor:
        """Ab `[B,2,h,w]` of L* `[B,1,h,w]`, h and w multiples of 32."""
        import torch

        lab = torch.cat([luma, torch.zeros_like(luma), torch.zeros_like(luma)], 1)
        return self._network(lab_to_srgb(lab).clamp(0, 1))


DDCOLOR = _entry("ddcolor", "large", "ddcolor_modelscope.pth", "vivid, of 2023; slow on a CPU")
PAPER = _entry("ddcolor-paper", "large", "ddcolor_paper.pth", "the paper's weights of ddcolor")
ARTISTIC = _entry("ddcolor-artistic", "large", "ddcolor_artistic.pth", "for unusual pictures")
TINY = _entry("ddcolor-tiny", "tiny", "ddcolor_paper_tiny.pth", "a quarter of ddcolor")

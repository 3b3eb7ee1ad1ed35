"""The stable names for packages that add a model, in one place.

A plugin is a pip project with an entry point in the group `vscolor.models` that refers to an
`Entry`. docs/models.md walks through one, `plugins/vscolor-ddcolor` is a complete example, and
`vscolor.testing` has the conformance suite it should pass. None of these names imports torch before
it is called.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vscolor.device import Device, require_torch, torch_device
from vscolor.errors import (
    DeviceError,
    DeviceMemoryError,
    MissingExtraError,
    SettingError,
    VscolorError,
    WeightsError,
)
from vscolor.models.base import (
    Analysis,
    Array,
    Card,
    ExportableModel,
    Grid,
    HintedModel,
    Option,
    StillLoader,
    StillModel,
    WindowedModel,
)
from vscolor.models.registry import Entry, published
from vscolor.models.running import as_module, on_torch, padded
from vscolor.models.video import (
    AttributingModel,
    BlockPlan,
    Exemplar,
    ScaledHint,
    Strengths,
    VideoLoader,
    VideoModel,
)
from vscolor.weights.catalog import WeightAlternatives, WeightFile, WeightSet
from vscolor.weights.checkpoint import load_strictly, read_state
from vscolor.weights.loading import load_once

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "Analysis",
    "Array",
    "AttributingModel",
    "BlockPlan",
    "Card",
    "Device",
    "DeviceError",
    "DeviceMemoryError",
    "Entry",
    "Exemplar",
    "ExportableModel",
    "Grid",
    "HintedModel",
    "MissingExtraError",
    "Option",
    "ScaledHint",
    "SettingError",
    "StillLoader",
    "StillModel",
    "Strengths",
    "VideoLoader",
    "VideoModel",
    "VscolorError",
    "WeightAlternatives",
    "WeightFile",
    "WeightSet",
    "WeightsError",
    "WindowedModel",
    "as_module",
    "lab_to_srgb",
    "load_once",
    "load_strictly",
    "on_torch",
    "padded",
    "published",
    "read_state",
    "require_torch",
    "torch_device",
]


def lab_to_srgb(lab: Tensor) -> Tensor:
    """See `vscolor.models.cielab.lab_to_srgb`."""
    from vscolor.models import cielab

    return cielab.lab_to_srgb(lab)

"""Still models as ONNX files, for other programs: vs-mlrt with TensorRT, ncnn or OpenVINO.

Two layouts:

- `rgb`: a grey picture `grey` `[B,1,h,w]`, sRGB 0..1, to the coloured `rgb` `[B,3,h,w]`. One plane
  in and three out is the form that `core.ort.Model` and similar filters accept directly.
- `lab`: `luma` `[B,1,h,w]`, L* 0..100, to `ab` `[B,2,h/s,w/s]`, the model's own interface, equal to
  what `colorize` has before it upscales colour along the film's edges.

h and w are multiples of the model's `graph_multiple`, which the file's metadata states.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from vscolor.device import Device, require_onnx, require_torch
from vscolor.errors import SettingError, VscolorError
from vscolor.files import atomic_write, refuse_existing
from vscolor.models.base import ExportableModel
from vscolor.models.registry import registry

if TYPE_CHECKING:
    from torch import Tensor, nn

LAYOUTS: Final = {"rgb": ("grey", "rgb"), "lab": ("luma", "ab")}
OPSET: Final = 17
_CPU: Final = Device("torch", "cpu")
TRIAL_SIDE: Final = 64
BATCH_AXES: Final = {0: "batch", 2: "height", 3: "width"}
TOLERANCE: Final = {"rgb": 2e-3, "lab": 0.05}
"""Largest deviation of ONNX Runtime from torch at which the file is still written."""


def export(
    name: str,
    target: Path,
    layout: str = "rgb",
    *,
    weights: str | Path | None = None,
    options: Mapping[str, Any] | None = None,
    size: tuple[int, int] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a still model as an ONNX file and compare one run of it with torch.

    Args:
        name: The model.
        target: The file to write.
        layout: `rgb` or `lab`, see the module.
        weights: As for `colorize`.
        options: As for `colorize`; they are fixed in the file.
        size: Width and height to fix in the file, with a batch of one; None for dynamic axes.
        overwrite: Whether `target` may be replaced.

    Raises:
        SettingError: The model cannot be exported, or an argument does not fit.
        MissingExtraError: torch or onnx is not installed.
        VscolorError: torch cannot write the model, or ONNX Runtime does not reproduce torch.
    """
    if layout not in LAYOUTS:
        raise SettingError(f"--layout is {layout!r}, expected one of {', '.join(LAYOUTS)}")
    if target.suffix.lower() != ".onnx":
        raise SettingError(f"{target} is no ONNX file, expected a name that ends in .onnx")
    refuse_existing(target, overwrite)
    require_torch()
    require_onnx()
    entry = registry.get(name)
    # Refused before asking for weights, which would not help.
    able = entry.card.kind != "video" and "onnx" in entry.card.supports
    model = entry.open(_CPU, weights, options) if able else None
    if not isinstance(model, ExportableModel):
        raise SettingError(f"model {name} cannot be exported to ONNX; see docs/models.md")
    multiple = model.graph_multiple
    if size is not None and any(side < multiple or side % multiple for side in size):
        raise SettingError(
            f"--size is {size[0]}x{size[1]}, expected multiples of {multiple} for model {name}"
        )
    network = _with_layout(model, layout)
    with atomic_write(target) as part:
        try:
            _write(network, layout, size or (TRIAL_SIDE, TRIAL_SIDE), size is None, part)
        except RuntimeError as error:  # torch's exporter errors derive from it
            told = str(error).partition("\n")[0]
            raise VscolorError(f"torch cannot write model {name} as ONNX: {told}") from error
        _describe(part, name, layout, multiple)
        _compare(network, part, layout, size)


def _with_layout(model: ExportableModel, layout: str) -> nn.Module:
    """The network with the layout's input and output."""
    import torch
    from torch import nn
    from torch.nn import functional

    from vscolor.models.cielab import lab_to_srgb, srgb_to_lab

    graph = model.graph().eval()
    stride = model.grid.ab_stride

    class Picture(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.graph = graph

        def forward(self, grey: Tensor) -> Tensor:
            luma = srgb_to_lab(torch.cat([grey.clamp(0, 1)] * 3, 1))[:, :1]
            ab = self.graph(luma)
            if stride > 1:
                ab = functional.interpolate(
                    ab, scale_factor=float(stride), mode="bilinear", align_corners=False
                )
            return lab_to_srgb(torch.cat([luma, ab], 1)).clamp(0, 1)

    return Picture().eval() if layout == "rgb" else graph


def _write(
    network: nn.Module, layout: str, size: tuple[int, int], is_open: bool, target: Path
) -> None:
    """Let torch trace and write the network."""
    import torch

    width, height = size
    before, after = LAYOUTS[layout]
    with torch.inference_mode(), warnings.catch_warnings():
        # torch warns of a coming exporter, which needs packages that this one does not.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.full((1, 1, height, width), 0.5),),
            str(target),
            input_names=[before],
            output_names=[after],
            dynamic_axes={before: BATCH_AXES, after: BATCH_AXES} if is_open else None,
            opset_version=OPSET,
            dynamo=False,
        )


def _describe(path: Path, name: str, layout: str, multiple: int) -> None:
    """Write model, layout and multiple into the file's metadata, and check the file."""
    import onnx

    held = onnx.load(str(path))
    for key, value in {
        "vscolor.model": name,
        "vscolor.layout": layout,
        "vscolor.multiple": str(multiple),
    }.items():
        held.metadata_props.add(key=key, value=value)
    onnx.checker.check_model(held)
    onnx.save(held, str(path))


def _compare(network: nn.Module, path: Path, layout: str, size: tuple[int, int] | None) -> None:
    """Compare the file with torch; with dynamic axes at another size than the traced one."""
    import onnxruntime
    import torch

    # With dynamic axes: a size at which some models already treat the picture as large.
    width, height = size or (7 * TRIAL_SIDE, 5 * TRIAL_SIDE)
    top = 1.0 if layout == "rgb" else 100.0
    ramp = np.linspace(0.1, 0.9, height * width, dtype=np.float32).reshape(1, 1, height, width)
    picture = top * np.abs(np.sin(7 * ramp) * ramp)
    with torch.inference_mode():
        expected = network(torch.from_numpy(picture)).numpy()
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (made,) = session.run(None, {LAYOUTS[layout][0]: picture})
    apart = float(np.abs(made - expected).max())
    if not apart <= TOLERANCE[layout]:
        raise VscolorError(f"the exported file deviates by {apart:.3g} from torch; not written")

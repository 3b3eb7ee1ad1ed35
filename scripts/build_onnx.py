"""Write the embedded model's ONNX file from its weights.

hatchling calls the hook when it builds a wheel or an editable install; by hand:
`python scripts/build_onnx.py`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def write_onnx(root: Path) -> Path:
    """Write `mini.onnx` beside `mini.safetensors` in the source tree at `root`."""
    models = root / "vscolor" / "models"
    # While vscolor is being built it cannot be imported; its model `mini` can, on its own.
    sys.path.insert(0, str(models))
    try:
        graph = importlib.import_module("mini.graph")
    finally:
        sys.path.remove(str(models))
    target = models / "mini" / "mini.onnx"
    graph.write(models / "mini" / "mini.safetensors", target)
    return target


class CustomBuildHook(BuildHookInterface[Any]):
    """Generates the ONNX file before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the file, except for an sdist, which carries the weights alone."""
        if self.target_name != "sdist":
            write_onnx(Path(self.root))


if __name__ == "__main__":
    print(write_onnx(Path(__file__).resolve().parents[1]))

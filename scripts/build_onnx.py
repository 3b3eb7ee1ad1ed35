"""Write the embedded models' ONNX files from their weights.

hatchling calls the hook when it builds a wheel or an editable install; by hand:
`python scripts/build_onnx.py`.
"""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

GRAPHS = ("mini", "mini_video", "blind")


def write_onnx(root: Path) -> list[Path]:
    """Write the ONNX files of the embedded models beside their weights in the tree at `root`."""
    # vscolor cannot be imported while it is being built, but its folder `models` can, on its own.
    sys.path.insert(0, str(root / "vscolor"))
    try:
        graphs = [importlib.import_module(f"models.{name}.graph") for name in GRAPHS]
    finally:
        sys.path.remove(str(root / "vscolor"))
    return [path for graph in graphs for path in graph.write_embedded()]


class CustomBuildHook(BuildHookInterface[Any]):
    """Generates the ONNX files before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Write the files, except for an sdist, which carries the weights alone."""
        if self.target_name != "sdist":
            write_onnx(Path(self.root))


if __name__ == "__main__":
    print(*write_onnx(Path(__file__).resolve().parents[1]), sep="\n")

"""One vector file as a runner sees it."""

from __future__ import annotations

import json
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vscolor.errors import VscolorError, WeightsError
from vscolor.weights.checkpoint import load_strictly

type Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A vector file, and the rule that makes weights for it.

    Attributes:
        path: The file.
        rule: The module of the weight rule: `make_state` and `state_digest`.
        meta: The file's `meta`.
        inputs: Its `in_` arrays, without the prefix.
        outputs: Its `out_` arrays, without the prefix.
        dtype: Type to compute in.
    """

    path: Path
    rule: ModuleType
    meta: dict[str, Any]
    inputs: Arrays
    outputs: Arrays
    dtype: torch.dtype

    @classmethod
    def read(cls, path: Path, rule: ModuleType, dtype: torch.dtype) -> Case:
        """Open a vector file.

        Raises:
            VscolorError: It is no complete `.npz`, or has no `meta` or no outputs.
        """
        try:
            if not zipfile.is_zipfile(path):
                raise ValueError("it is not an .npz archive, or a part of one")
            with np.load(path) as held:
                meta = json.loads(bytes(held["meta"]).decode())
                arrays = {name: held[name] for name in held.files if name != "meta"}
        except (OSError, EOFError, KeyError, ValueError, zlib.error, zipfile.BadZipFile) as error:
            raise VscolorError(f"no vector file: {error}") from error
        if not isinstance(meta, dict) or not any(name.startswith("out_") for name in arrays):
            raise VscolorError("no vector file: it has no table in meta or no arrays out_*")
        inputs = {k.removeprefix("in_"): v for k, v in arrays.items() if k.startswith("in_")}
        outputs = {k.removeprefix("out_"): v for k, v in arrays.items() if k.startswith("out_")}
        return cls(path, rule, meta, inputs, outputs, dtype)

    @property
    def model(self) -> str:
        """The name of its model."""
        return str(self.meta.get("model", self.path.stem))

    def tensor(self, name: str) -> Tensor:
        """An input; floats are converted to `dtype`."""
        value = torch.from_numpy(np.array(self.inputs[name]))
        return value.to(self.dtype) if value.is_floating_point() else value

    def fill[N: nn.Module](self, network: N, net: str) -> N:
        """Give a network the weights of the rule, and check them against the file's digest.

        Args:
            network: A network with the published names and shapes.
            net: Its name in the file's `digests`, and the prefix of its seed strings (before the
                colon) if the file has several networks.

        Raises:
            WeightsError: The digest differs: names or shapes are not those the file was made with.
        """
        shapes = {
            key: (tuple(value.shape), value.is_floating_point())
            for key, value in network.state_dict().items()
        }
        prefix = f"{net}:" if net in self.meta.get("prefixes", {}) else ""
        state = self.rule.make_state(shapes, prefix, self.meta.get("gains", {}))
        digest = self.meta.get("digests", {}).get(net)
        if digest is not None and self.rule.state_digest(state) != digest:
            raise WeightsError(f"weights of {net} by the rule are not those of {self.path.name}")
        tensors = {key: torch.from_numpy(np.array(value)) for key, value in state.items()}
        load_strictly(network, tensors, f"the rule's {net}")
        return network.eval().to(self.dtype)

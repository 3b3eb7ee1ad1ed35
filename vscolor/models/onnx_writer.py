"""ONNX graphs written by hand from weight files, so that no build needs torch.

Convolutions, clips and sums are operators that ONNX Runtime fuses on a CPU. Weights are stored in
half precision, followed by a Cast that the runtime folds on loading.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

from .mini import architecture as arch

type Weights = dict[str, NDArray[np.floating]]

OPSET = 17
IR_VERSION = 8
"""Of ONNX 1.12, the oldest with this opset, so that older runtimes can read the file."""

MIN_LENGTH = 1e-12
"""Lower bound of the length in L2 normalisation; as torch's `normalize`."""


class Writer:
    """Collects nodes and initialisers; each method adds a step and returns its output's name.

    Args:
        weights: Tensors by name, as in the safetensors file.
    """

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []
        self._known: set[str] = set()

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Any operator with one output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def split(self, x: str, sizes: list[int], names: list[str]) -> None:
        """Split channels into parts of these sizes and names."""
        lengths = self.integers(f"{x}.sizes", sizes)
        self.nodes.append(helper.make_node("Split", [x, lengths], names, axis=1))

    def constant(self, name: str, value: NDArray[np.floating]) -> str:
        """A float32 constant, written once and unconverted."""
        return self._once(name, value.astype(np.float32))

    def integers(self, name: str, values: int | list[int]) -> str:
        """One or several integers, written once."""
        return self._once(name, np.array(values, np.int64))

    def _once(self, name: str, value: NDArray[Any]) -> str:
        if name not in self._known:
            self._known.add(name)
            self.initialisers.append(numpy_helper.from_array(value, name))
        return name

    def weight(self, name: str, value: NDArray[np.floating]) -> str:
        """A weight, half precision in the file, float32 in the graph."""
        half = numpy_helper.from_array(np.ascontiguousarray(value, np.float16), f"{name}.half")
        self.initialisers.append(half)
        return self.op("Cast", [f"{name}.half"], name, to=TensorProto.FLOAT)

    def conv(self, x: str, name: str, kernel: int = 1, stride: int = 1) -> str:
        """Convolution `name`; depthwise if its weight has one input channel (except `stem`)."""
        weight, bias = (self.weights[f"{name}.conv.{part}"] for part in ("weight", "bias"))
        before, after = arch.padding(kernel, stride)
        inputs = [x, self.weight(f"{name}.weight", weight), self.weight(f"{name}.bias", bias)]
        return self.op(
            "Conv",
            inputs,
            name,
            kernel_shape=[kernel, kernel],
            strides=[stride, stride],
            pads=[before, before, after, after],
            group=weight.shape[0] if kernel > 1 and weight.shape[1] == 1 and name != "stem" else 1,
        )

    def relu6(self, x: str) -> str:
        """ReLU6."""
        low = self.constant("zero", np.array(0.0))
        high = self.constant("limit", np.array(arch.RELU_LIMIT))
        return self.op("Clip", [x, low, high], f"{x}.clipped")

    def add(self, x: str, y: str) -> str:
        """Sum of two tensors of one shape, or of a plane and one value per channel."""
        return self.op("Add", [x, y], f"{x}.sum")

    def upsample2x(self, x: str, name: str, *, smooth: bool = False) -> str:
        """Twice the height and width, nearest or (`smooth`) bilinear."""
        scales = self.constant("double", np.array([1.0, 1.0, 2.0, 2.0]))
        if smooth:
            how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        else:
            how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric"}
            how["nearest_mode"] = "floor"
        return self.op("Resize", [x, "", scales], name, **how)

    def pooled(self, x: str, factor: int, name: str) -> str:
        """Average pooling over factor x factor blocks."""
        size = [factor, factor]
        return self.op("AveragePool", [x], name, kernel_shape=size, strides=size)

    def center_and_normalize(self, x: str, channels: int) -> str:
        """Features minus their spatial mean, scaled to a mean square of 1 over the channels."""
        mean = self.op("GlobalAveragePool", [x], f"{x}.mean")
        centred = self.op("Sub", [x, mean], f"{x}.centred")
        size = self._squares(centred, channels, 1 / channels, f"{x}.size")
        least = self.constant("standing.epsilon", np.array(arch.STANDING_EPSILON))
        root = self.op("Sqrt", [self.add(size, least)], f"{x}.root")
        return self.op("Div", [centred, root], f"{x}.standing")

    def l2_normalize(self, x: str, channels: int, name: str) -> str:
        """Divide each position's vector of channels by its length."""
        length = self.op("Sqrt", [self._squares(x, channels, 1.0, f"{name}.size")], f"{name}.root")
        least = self.constant("least", np.array(MIN_LENGTH))
        return self.op("Div", [x, self.op("Max", [length, least], f"{name}.length")], name)

    def _squares(self, x: str, channels: int, each: float, name: str) -> str:
        """Sum of the channels' squares, each times `each`.

        By a convolution: a reduction adds in another order when the batch size is 1.
        """
        square = self.op("Mul", [x, x], f"{name}.square")
        weights = self.constant(f"{name}.each", np.full((1, channels, 1, 1), each))
        return self.op("Conv", [square, weights], name, kernel_shape=[1, 1])

    def residual(self, x: str, name: str) -> str:
        """A decoder's residual block: depthwise convolution, then two pointwise convolutions."""
        y = self.conv(x, f"{name}.depthwise", arch.BLOCK_KERNEL)
        y = self.relu6(self.conv(y, f"{name}.expand"))
        return self.add(self.conv(y, f"{name}.project"), x)

    def model(
        self, name: str, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto]
    ) -> ModelProto:
        """The written model, checked."""
        graph = helper.make_graph(self.nodes, name, inputs, outputs, initializer=self.initialisers)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
        )
        checker.check_model(model)
        return model


def value(name: str, *shape: int | str) -> ValueInfoProto:
    """Declare an input or output, float32; names stand for sizes that vary."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def save(model: ModelProto, target: Path) -> None:
    """Write a model to a file, whole or not at all."""
    # By hand: the build runs this before vscolor, and so `files.atomic_write`, can be imported.
    part = target.with_suffix(".part")
    part.write_bytes(model.SerializeToString(deterministic=True))
    part.replace(target)

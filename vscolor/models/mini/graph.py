"""The embedded still model as ONNX, written from the published weights.

Convolutions, clips and sums are what ONNX Runtime fuses on a CPU. The head leaves convolution:
with the bins last, softmax runs over neighbouring floats, and costs half of what it does over
channels. Weights stay half precision in the file behind a Cast, which the runtime folds when it
loads them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, checker, helper, numpy_helper
from safetensors.numpy import load_file

from . import architecture as arch

type Weights = dict[str, NDArray[np.floating]]

OPSET = 17
IR_VERSION = 8
"""Of ONNX 1.12: the oldest that carries the opset, so that older runtimes read the file."""


class _Writer:
    """Collects nodes and initialisers; each method adds a step and returns its output's name."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.nodes: list[NodeProto] = []
        self.initialisers: list[TensorProto] = []
        self._known: set[str] = set()

    def op(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        """Any operator with one output."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def constant(self, name: str, value: NDArray[np.floating]) -> str:
        """A float32 constant that is written as it is."""
        if name not in self._known:
            self._known.add(name)
            self.initialisers.append(numpy_helper.from_array(value.astype(np.float32), name))
        return name

    def weight(self, name: str, value: NDArray[np.floating]) -> str:
        """A weight, half precision in the file, float32 to the graph."""
        half = numpy_helper.from_array(np.ascontiguousarray(value, np.float16), f"{name}.half")
        self.initialisers.append(half)
        return self.op("Cast", [f"{name}.half"], name, to=TensorProto.FLOAT)

    def conv(self, x: str, name: str, kernel: int = 1, stride: int = 1) -> str:
        """Convolution `name`, depthwise when its weight is one channel deep."""
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

    def clipped(self, x: str) -> str:
        """ReLU6."""
        low = self.constant("zero", np.array(0.0))
        high = self.constant("limit", np.array(arch.RELU_LIMIT))
        return self.op("Clip", [x, low, high], f"{x}.clipped")

    def add(self, x: str, y: str) -> str:
        """Sum of two planes, or of a plane and one value per channel."""
        return self.op("Add", [x, y], f"{x}.sum")


def _encode(writer: _Writer) -> dict[int, str]:
    """Write the encoder; returns the outputs where the decoder joins, by block index."""
    scale = writer.constant("luma.scale", np.array(arch.LUMA_SCALE))
    shift = writer.constant("luma.shift", np.array(arch.LUMA_SHIFT))
    x = writer.add(writer.op("Mul", ["luma", scale], "luma.scaled"), shift)
    x = writer.clipped(writer.conv(x, "stem", 3, 2))
    outputs = {}
    for index, block in enumerate(arch.bottlenecks()):
        name, y = f"encoder.{index}", x
        if block.expands:
            y = writer.clipped(writer.conv(y, f"{name}.expand"))
        y = writer.clipped(writer.conv(y, f"{name}.depthwise", block.kernel, block.stride))
        y = writer.conv(y, f"{name}.project")
        x = writer.add(y, x) if block.is_residual else y
        outputs[index] = x
    return outputs


def _decode(writer: _Writer, outputs: dict[int, str]) -> str:
    """Write the decoder; returns its features at stride 4."""
    top = outputs[arch.LEVELS[0].tap]
    x = writer.conv(writer.op("GlobalAveragePool", [top], "context.mean"), "context")
    for number, level in enumerate(arch.LEVELS):
        name = f"decoder.{number}"
        if number:
            if level.channels != arch.LEVELS[number - 1].channels:
                x = writer.conv(x, f"{name}.reduce")
            x = _doubled(writer, x, f"{name}.doubled")
        x = writer.add(writer.conv(outputs[level.tap], f"{name}.lateral"), x)
        for index in range(level.blocks):
            block = f"{name}.blocks.{index}"
            y = writer.conv(x, f"{block}.depthwise", arch.BLOCK_KERNEL)
            y = writer.clipped(writer.conv(y, f"{block}.expand"))
            x = writer.add(writer.conv(y, f"{block}.project"), x)
    return x


def _doubled(writer: _Writer, x: str, name: str) -> str:
    """Twice the height and width, by repetition."""
    scales = writer.constant("double", np.array([1.0, 1.0, 2.0, 2.0]))
    return writer.op(
        "Resize",
        [x, "", scales],
        name,
        mode="nearest",
        coordinate_transformation_mode="asymmetric",
        nearest_mode="floor",
    )


def _bins_head(writer: _Writer, features: str) -> None:
    """Write the bins' distribution and its annealed mean."""
    weight = writer.weights["head.conv.weight"][:, :, 0, 0].T
    x = writer.op("Transpose", [features], "head.rows", perm=[0, 2, 3, 1])
    # The temperature divides 64 features and the bias instead of 313 scores.
    x = writer.op("Div", [x, "temperature"], "head.annealed")
    bias = writer.weight("head.bias", writer.weights["head.conv.bias"])
    bias = writer.op("Div", [bias, "temperature"], "head.bias.annealed")
    x = writer.op("MatMul", [x, writer.weight("head.weight", weight)], "head.product")
    x = writer.op("Softmax", [writer.op("Add", [x, bias], "head.scores")], "head.shares", axis=-1)
    x = writer.op("MatMul", [x, writer.constant("centres", writer.weights["centres"])], "head.ab")
    writer.op("Transpose", [x], "ab", perm=[0, 3, 1, 2])


def _plain_head(writer: _Writer, features: str) -> None:
    """Write a 2-channel convolution in the head's place, what a regression would cost."""
    weight = writer.weights["head.conv.weight"][:2]
    inputs = [features, writer.weight("head.weight", weight), "temperature"]
    bias = writer.op("Expand", ["temperature", "two"], "head.bias")
    writer.initialisers.append(numpy_helper.from_array(np.array([2], np.int64), "two"))
    writer.op("Conv", [*inputs[:2], bias], "ab", kernel_shape=[1, 1])


def build(weights: str | Path, *, plain_head: bool = False) -> ModelProto:
    """Write the model.

    Args:
        weights: The published safetensors file.
        plain_head: Replace the colour bins by a meaningless 2-channel convolution, as the yard
            stick of the head's cost.

    Returns:
        A graph from `luma` `[B,1,h,w]` (L*, float32, h and w multiples of 32) and `temperature`
        (float32 scalar, above 0) to `ab` `[B,2,h/4,w/4]`, float32.
    """
    writer = _Writer(load_file(str(weights)))
    features = _decode(writer, _encode(writer))
    (_plain_head if plain_head else _bins_head)(writer, features)
    luma = helper.make_tensor_value_info("luma", TensorProto.FLOAT, ["batch", 1, "h", "w"])
    temperature = helper.make_tensor_value_info("temperature", TensorProto.FLOAT, [])
    ab = helper.make_tensor_value_info("ab", TensorProto.FLOAT, ["batch", 2, "h_ab", "w_ab"])
    graph = helper.make_graph(
        writer.nodes, "mini", [luma, temperature], [ab], initializer=writer.initialisers
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    checker.check_model(model)
    return model


def write(weights: str | Path, target: str | Path) -> None:
    """Write the model to a file, whole or not at all."""
    target = Path(target)
    part = target.with_suffix(".part")
    part.write_bytes(build(weights).SerializeToString(deterministic=True))
    part.replace(target)

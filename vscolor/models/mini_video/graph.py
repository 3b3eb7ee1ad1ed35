"""The embedded video model as ONNX, four graphs written from the published weights.

`embed` makes vectors and context of `mini`'s taps, `nearest` finds each position's best match,
`attend` averages the references' values by correspondence, `fuse` weights the candidates. They
mirror the parts of `network.py`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper
from safetensors.numpy import load_file

from ..onnx_writer import Weights, Writer, save, value
from . import architecture as arch


def build(weights: str | Path) -> dict[str, ModelProto]:
    """Write the graphs.

    Args:
        weights: The published safetensors file.

    Returns:
        By name: `embed` from `tap.2`, `tap.4`, `tap.10` to `vectors` and `context`; `nearest` from
        `query` and `keys` to `index`; `attend` from `query`, `keys`, `values` and `bias` to `found`
        and `cosine`; `fuse` from `luma`, `context`, `cues`, `memory`, `candidates` and `score_bias`
        to `blend` and `memory_out`. Shapes are those of `network.py`, float32 (`index` int64).
    """
    tensors = load_file(str(weights))
    return {
        "embed": _embed(tensors),
        "nearest": _nearest(tensors),
        "attend": _attend(tensors),
        "fuse": _fuse(tensors),
    }


def _embed(tensors: Weights) -> ModelProto:
    writer = Writer(tensors)
    fine, middle, coarse = (f"tap.{index}" for index in arch.TAPS)
    small = writer.pooled(fine, 2, "fine.pooled")
    levels = [
        writer.center_and_normalize(x, channels)
        for x, channels in zip(
            (small, middle, writer.upsample2x(coarse, "coarse")), arch.TAPS.values(), strict=True
        )
    ]
    x = writer.op("Concat", levels, "levels", axis=1)
    x = writer.conv(writer.relu6(writer.conv(x, "embedding.hidden")), "embedding.compare")
    writer.l2_normalize(x, arch.EMBED, "vectors")
    context = writer.relu6(writer.conv(fine, "embedding.context"))
    writer.op("Identity", [context], "context")
    taps = [value(f"tap.{i}", "batch", c, f"h_{i}", f"w_{i}") for i, c in arch.TAPS.items()]
    outputs = [
        value("vectors", "batch", arch.EMBED, "h8", "w8"),
        value("context", "batch", arch.CONTEXT, "h4", "w4"),
    ]
    return writer.model("embed", taps, outputs)


def _nearest(tensors: Weights) -> ModelProto:
    writer = Writer(tensors)
    writer.op("ArgMax", [_product(writer)], "index", axis=2, keepdims=0)
    inputs = [value("query", 1, "n", arch.EMBED), value("keys", 1, "m", arch.EMBED)]
    index = helper.make_tensor_value_info("index", TensorProto.INT64, [1, "n"])
    return writer.model("nearest", inputs, [index])


def _product(writer: Writer) -> str:
    """Cosines of each position of the frame with each of the references'."""
    turned = writer.op("Transpose", ["keys"], "keys.turned", perm=[0, 2, 1])
    return writer.op("MatMul", ["query", turned], "product")


def _attend(tensors: Weights) -> ModelProto:
    writer = Writer(tensors)
    temperature = np.clip(np.float32(tensors["temperature"]), *arch.TEMPERATURES)
    cosine = writer.add(_product(writer), "bias")
    writer.op("ReduceMax", [cosine], "cosine", axes=[2], keepdims=1)
    sharp = writer.op(
        "Mul", [cosine, writer.constant("sharpness", np.asarray(1 / temperature))], "sharp"
    )
    shares = writer.op("Softmax", [sharp], "shares", axis=-1)
    writer.op("MatMul", [shares, "values"], "found")
    inputs = [
        value("query", 1, "n", arch.EMBED),
        value("keys", 1, "m", arch.EMBED),
        value("values", 1, "m", arch.VALUES),
        value("bias", 1, 1, "m"),
    ]
    outputs = [value("found", 1, "n", arch.VALUES), value("cosine", 1, "n", 1)]
    model = writer.model("attend", inputs, outputs)
    helper.set_model_props(model, {"temperature": str(float(temperature))})
    return model


def _fuse(tensors: Weights) -> ModelProto:
    writer = Writer(tensors)
    x = _fuse_inputs(writer)
    out = _trunk(writer, x)
    count = len(arch.CANDIDATES)
    names = ["scores.learned", "correction", "memory.raw"]
    writer.split(out, [count, 2, arch.HIDDEN], names)
    writer.op("Tanh", ["memory.raw"], "memory_out")
    scores = writer.add(writer.add("scores.learned", writer.conv(x, "fusion.prior")), "score_bias")
    shares = writer.op("Softmax", [scores], "shares", axis=1)
    scaled = writer.op(
        "Mul", ["correction", writer.constant("ab.scale", np.array(arch.AB_SCALE))], "correction.ab"
    )
    writer.op("Concat", [shares, scaled], "blend", axis=1)
    fine = ("h4", "w4")
    inputs = [
        value("luma", "batch", 1, *fine),
        value("context", "batch", arch.CONTEXT, *fine),
        value("cues", "batch", len(arch.CUE_SCALES), *fine),
        value("memory", "batch", arch.HIDDEN, *fine),
        value("candidates", "batch", 2 * count, *fine),
        value("score_bias", "batch", count, 1, 1),
    ]
    outputs = [
        value("blend", "batch", count + 2, *fine),
        value("memory_out", "batch", arch.HIDDEN, *fine),
    ]
    return writer.model("fuse", inputs, outputs)


def _fuse_inputs(writer: Writer) -> str:
    scales = np.array(arch.CUE_SCALES).reshape(1, -1, 1, 1)
    parts = [
        writer.op("Mul", [x, writer.constant(f"{x}.scale", np.asarray(scale))], f"{x}.scaled")
        for x, scale in (
            ("luma", 1 / arch.LUMA_SCALE),
            ("candidates", 1 / arch.AB_SCALE),
            ("cues", scales),
        )
    ]
    ordered = [parts[0], "context", parts[1], parts[2], "memory"]
    return writer.op("Concat", ordered, "inputs", axis=1)


def _trunk(writer: Writer, x: str) -> str:
    y = writer.conv(x, "fusion.enter")
    for index in range(arch.BLOCKS_IN):
        y = writer.residual(y, f"fusion.first.{index}")
    z = writer.conv(writer.pooled(y, 2, "trunk.pooled"), "fusion.down")
    for index in range(arch.BLOCKS_COARSE):
        z = writer.residual(z, f"fusion.coarse.{index}")
    y = writer.add(writer.upsample2x(writer.conv(z, "fusion.up"), "trunk.doubled"), y)
    for index in range(arch.BLOCKS_OUT):
        y = writer.residual(y, f"fusion.last.{index}")
    return writer.conv(y, "fusion.leave")


def write_embedded() -> list[Path]:
    """Write the ONNX files beside the weights."""
    here = Path(__file__).parent
    graphs = build(here / "mini_video.safetensors")
    for name in arch.GRAPHS:
        save(graphs[name], here / f"{name}.onnx")
    return [here / f"{name}.onnx" for name in arch.GRAPHS]

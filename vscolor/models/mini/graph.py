"""The embedded still model as ONNX, written from the published weights.

The head is a matrix product instead of a convolution: with the bins last, softmax runs over
contiguous floats, at half its cost over channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from onnx import ModelProto
from safetensors.numpy import load_file

from ..onnx_writer import Writer, save, value
from . import architecture as arch


def _encode(writer: Writer) -> dict[int, str]:
    """Write the encoder; returns its blocks' outputs by index."""
    scale = writer.constant("luma.scale", np.array(arch.LUMA_SCALE))
    shift = writer.constant("luma.shift", np.array(arch.LUMA_SHIFT))
    x = writer.add(writer.op("Mul", [_softened(writer), scale], "luma.scaled"), shift)
    x = writer.relu6(writer.conv(x, "stem", 3, 2))
    outputs = {}
    for index, block in enumerate(arch.bottlenecks()):
        name, y = f"encoder.{index}", x
        if block.expands:
            y = writer.relu6(writer.conv(y, f"{name}.expand"))
        y = writer.relu6(writer.conv(y, f"{name}.depthwise", block.kernel, block.stride))
        y = writer.conv(y, f"{name}.project")
        x = writer.add(y, x) if block.is_residual else y
        outputs[index] = x
    return outputs


def _softened(writer: Writer) -> str:
    """Write `network.softened`."""
    side = arch.SOFTENING
    row = np.array([side, 1 - 2 * side, side])
    kernel = writer.constant("luma.kernel", np.outer(row, row)[None, None])
    margins = writer.integers("luma.margins", [0, 0, 1, 1, 0, 0, 1, 1])
    around = writer.op("Pad", ["luma", margins], "luma.around", mode="edge")
    return writer.op("Conv", [around, kernel], "luma.soft", kernel_shape=[3, 3])


def _decode(writer: Writer, outputs: dict[int, str]) -> str:
    """Write the decoder; returns its features at stride 4."""
    top = outputs[arch.LEVELS[0].tap]
    x = writer.conv(writer.op("GlobalAveragePool", [top], "context.mean"), "context")
    for number, level in enumerate(arch.LEVELS):
        name = f"decoder.{number}"
        if number:
            if level.channels != arch.LEVELS[number - 1].channels:
                x = writer.conv(x, f"{name}.reduce")
            x = writer.upsample2x(x, f"{name}.doubled")
        x = writer.add(writer.conv(outputs[level.tap], f"{name}.lateral"), x)
        for index in range(level.blocks):
            x = writer.residual(x, f"{name}.blocks.{index}")
    return _coherent(writer, x)


def _coherent(writer: Writer, x: str) -> str:
    """Write `network.NonLocal`.

    (lq - lk)**2 is expanded: lq**2 is constant per softmax row and dropped, -s*lk**2 is a bias per
    key, and 2*s*lq*lk is one more channel of queries and keys.
    """
    alike, darker = np.exp(writer.weights["coherence.log_sharpness"].astype(np.float32))
    places = writer.pooled(x, 2, "coherence.places")
    seen = writer.center_and_normalize(places, arch.HEAD_CHANNELS)
    seen = writer.l2_normalize(
        writer.conv(seen, "coherence.compare"), arch.HEAD_CHANNELS, "coherence.seen"
    )
    grey = writer.op("Div", ["luma", writer.constant("white", np.array(100.0))], "coherence.luma")
    light = writer.pooled(grey, 8, "coherence.light")

    asked = [
        _times(writer, seen, alike, "coherence.alike"),
        _times(writer, light, 2 * darker, "coherence.darker"),
    ]
    asking = writer.op("Concat", asked, "coherence.asked", axis=1)
    query = writer.op("Transpose", [_row(writer, asking)], "coherence.query", perm=[0, 2, 1])
    keys, dark, values = _key_grid(writer, [seen, light, places])
    telling = _row(writer, writer.op("Concat", [keys, dark], "coherence.keys", axis=1))
    square = writer.op("Mul", [dark, dark], "coherence.dark.square")
    bias = _row(writer, _times(writer, square, -darker, "coherence.bias"))

    scores = writer.add(writer.op("MatMul", [query, telling], "coherence.product"), bias)
    shares = writer.op("Softmax", [scores], "coherence.shares", axis=-1)
    values = writer.op("Transpose", [_row(writer, values)], "coherence.values", perm=[0, 2, 1])
    told = writer.op("MatMul", [shares, values], "coherence.told.rows")
    told = writer.op("Transpose", [told], "coherence.told.turned", perm=[0, 2, 1])
    shape = writer.op("Shape", [places], "coherence.shape")
    told = writer.op("Reshape", [told, shape], "coherence.told.plane")
    part = writer.weight("coherence.told", writer.weights["coherence.told"])
    change = writer.op("Sub", [told, places], "coherence.difference")
    change = writer.op("Mul", [change, part], "coherence.change")
    return writer.add(writer.upsample2x(change, "coherence.doubled", smooth=True), x)


def _key_grid(writer: Writer, planes: list[str]) -> list[str]:
    """Keys from planes at stride 8: pooled by 2 and, if there are too many, subsampled."""
    names = [f"coherence.telling.{index}" for index in range(len(planes))]
    together = writer.op("Concat", planes, "coherence.planes", axis=1)
    pooled = writer.pooled(together, 2, "coherence.pooled")
    size = writer.op("Shape", [pooled], "coherence.pooled.size", start=2)
    short = writer.op("ReduceMin", [size], "coherence.short", axes=[0])
    most = writer.integers("telling", [arch.MAX_KEY_SIDE])
    kept = writer.op("Min", [short, most], "coherence.kept")
    wanted = writer.op("Mul", [size, kept], "coherence.size.times")
    wanted = writer.op("Div", [wanted, short], "coherence.size")
    thin, first, step = pooled, writer.integers("first", 0), writer.integers("step", 1)
    for index in (0, 1):
        name = f"coherence.picked.{index}"
        side = writer.op(
            "Gather", [wanted, writer.integers(f"side.{index}", index)], f"{name}.side"
        )
        picked = writer.op("Range", [first, side, step], f"{name}.numbers")
        picked = writer.op("Mul", [picked, short], f"{name}.times")
        picked = writer.op("Div", [picked, kept], f"{name}.places")
        thin = writer.op("Gather", [thin, picked], name, axis=2 + index)
    writer.split(thin, [arch.HEAD_CHANNELS, 1, arch.HEAD_CHANNELS], names)
    return names


def _times(writer: Writer, x: str, factor: float, name: str) -> str:
    return writer.op("Mul", [x, writer.constant(f"{name}.factor", np.array(factor))], name)


def _row(writer: Writer, x: str) -> str:
    """A plane `[B,C,h,w]` as `[B,C,h*w]`."""
    return writer.op("Reshape", [x, writer.integers("row", [0, 0, -1])], f"{x}.row")


def _bins_head(writer: Writer, features: str) -> None:
    """Write the softmax over the bins and its annealed mean."""
    weight = writer.weights["head.conv.weight"][:, :, 0, 0].T
    x = writer.op("Transpose", [features], "head.rows", perm=[0, 2, 3, 1])
    # The temperature divides 64 features and the bias, which is cheaper than 313 scores.
    x = writer.op("Div", [x, "temperature"], "head.annealed")
    bias = writer.weight("head.bias", writer.weights["head.conv.bias"])
    bias = writer.op("Div", [bias, "temperature"], "head.bias.annealed")
    x = writer.op("MatMul", [x, writer.weight("head.weight", weight)], "head.product")
    x = writer.op("Softmax", [writer.op("Add", [x, bias], "head.scores")], "head.shares", axis=-1)
    mean = arch.GAIN * writer.weights["centres"].astype(np.float32)
    centres = writer.constant("centres", mean)
    x = writer.op("MatMul", [x, centres], "head.ab")
    writer.op("Transpose", [x], "ab", perm=[0, 3, 1, 2])


def _plain_head(writer: Writer, features: str) -> None:
    """Write a 2-channel convolution in place of the head, to measure a regression's cost."""
    weight = writer.weights["head.conv.weight"][:2]
    inputs = [features, writer.weight("head.weight", weight), "temperature"]
    bias = writer.op("Expand", ["temperature", writer.integers("two", [2])], "head.bias")
    writer.op("Conv", [*inputs[:2], bias], "ab", kernel_shape=[1, 1])


def build(weights: str | Path, *, plain_head: bool = False, taps: Sequence[int] = ()) -> ModelProto:
    """Write the model.

    Args:
        weights: The published safetensors file.
        plain_head: Replace the colour bins by a meaningless 2-channel convolution, as a baseline
            for the head's cost.
        taps: Encoder blocks whose outputs to add, as `tap.2` and so on.

    Returns:
        A graph from `luma` `[B,1,h,w]` (L*, float32, h and w multiples of 32) and `temperature`
        (float32 scalar, above 0) to `ab` `[B,2,h/4,w/4]`, float32.
    """
    writer = Writer(load_file(str(weights)))
    outputs = _encode(writer)
    features = _decode(writer, outputs)
    (_plain_head if plain_head else _bins_head)(writer, features)
    found = [
        value(writer.op("Identity", [outputs[index]], f"tap.{index}"), *_tap_shape(index))
        for index in taps
    ]
    return writer.model(
        "mini",
        [value("luma", "batch", 1, "h", "w"), value("temperature")],
        [value("ab", "batch", 2, "h_ab", "w_ab"), *found],
    )


def _tap_shape(index: int) -> tuple[str, int, str, str]:
    return "batch", arch.bottlenecks()[index].channels_out, f"h_{index}", f"w_{index}"


def write_embedded() -> list[Path]:
    """Write the ONNX file beside the weights, with the taps that other models use."""
    here = Path(__file__).parent
    target = here / "mini.onnx"
    save(build(here / "mini.safetensors", taps=arch.TAPS), target)
    return [target]

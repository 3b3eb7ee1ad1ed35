"""One step of `blind` as ONNX, written from the published weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from onnx import ModelProto
from safetensors.numpy import load_file

from ..onnx_writer import Writer, save, value
from . import architecture as arch

INPUTS: Final = {
    "luma": (1, "h", "w"),
    "luma_before": (1, "h", "w"),
    "given": (2, "h_c", "w_c"),
    "previous_output": (2, "h_c", "w_c"),
    "hidden": (arch.MEMORY, "h_m", "w_m"),
    "cell": (arch.MEMORY, "h_m", "w_m"),
}
OUTPUTS: Final = {
    "steady": (2, "h_c", "w_c"),
    "hidden_now": (arch.MEMORY, "h_m", "w_m"),
    "cell_now": (arch.MEMORY, "h_m", "w_m"),
}


class _Writer(Writer):
    """Writes layers with this network's names and padding."""

    def conv3(self, x: str, name: str, stride: int = 1) -> str:
        """The 3x3 convolution of this name."""
        parts = [
            self.weight(f"{name}.{part}", self.weights[f"{name}.{part}"])
            for part in ("weight", "bias")
        ]
        sizes = {"kernel_shape": [3, 3], "strides": [stride] * 2, "pads": [1] * 4}
        return self.op("Conv", [x, *parts], name, **sizes)

    def leaky(self, x: str) -> str:
        """Leaky ReLU."""
        return self.op("LeakyRelu", [x], f"{x}.leaky", alpha=arch.SLOPE)

    def residual_block(self, x: str, name: str) -> str:
        """Residual block of two 3x3 convolutions."""
        y = self.conv3(self.leaky(self.conv3(x, f"{name}.first")), f"{name}.second")
        return self.add(x, y)


def _picture(writer: _Writer, luma: str) -> str:
    """Centred luma, pixel-unshuffled by `STRIDE`."""
    centred = writer.op("Sub", [luma, "middle"], f"{luma}.centred")
    return writer.op("SpaceToDepth", [centred], f"{luma}.squares", blocksize=arch.STRIDE)


def _remember(writer: _Writer, x: str) -> None:
    """ConvLSTM: writes `hidden_now` and `cell_now`."""
    both = writer.op("Concat", [x, "hidden"], "lstm.input", axis=1)
    writer.split(
        writer.conv3(both, "gates"),
        [arch.MEMORY] * 4,
        ["input_gate", "forget_gate", "output_gate", "candidate"],
    )
    gates = ("input_gate", "forget_gate", "output_gate")
    take, keep, show = (writer.op("Sigmoid", [g], f"{g}.open") for g in gates)
    kept = writer.op("Mul", [keep, "cell"], "cell.kept")
    taken = writer.op(
        "Mul", [take, writer.op("Tanh", ["candidate"], "candidate.tanh")], "cell.taken"
    )
    writer.op("Add", [kept, taken], "cell_now")
    shown = writer.op("Tanh", ["cell_now"], "cell.tanh")
    writer.op("Mul", [show, shown], "hidden_now")


def _mix(writer: _Writer, answer: str) -> None:
    """Mix the candidates: writes `steady`."""
    names = [f"share.{i}" for i in range(arch.CANDIDATES)]
    writer.split(writer.op("Softmax", [answer], "shares", axis=1), [1] * arch.CANDIDATES, names)
    step = writer.op("Sub", ["previous_output", "given"], "step")
    around = writer.op(
        "AveragePool",
        [step],
        "step.around",
        kernel_shape=[arch.BLUR] * 2,
        pads=[arch.BLUR // 2] * 4,
        count_include_pad=0,
    )
    terms = [
        writer.op("Mul", [weight, change], f"{weight}.term")
        for weight, change in zip(names[1:], (step, around), strict=True)
    ]
    writer.op("Sum", ["given", *terms], "steady")


def build(weights: str | Path) -> ModelProto:
    """Write the model; inputs and outputs are those of `Blind.forward`, float32, batch 1."""
    writer = _Writer(load_file(str(weights)))
    writer.constant("middle", np.array(arch.LUMA_MIDDLE))
    writer.constant("chroma.scale", np.array(arch.CHROMA_SCALE))
    parts = [_picture(writer, luma) for luma in ("luma", "luma_before")]
    parts += [
        writer.op("Mul", [x, "chroma.scale"], f"{x}.scaled") for x in ("given", "previous_output")
    ]
    stem = writer.conv3(writer.op("Concat", parts, "seen", axis=1), "stem")
    fine = writer.residual_block(writer.leaky(stem), "fine")
    _remember(writer, writer.residual_block(writer.leaky(writer.conv3(fine, "down", 2)), "coarse"))
    larger = writer.upsample2x("hidden_now", "doubled")
    up = writer.leaky(writer.conv3(larger, "up"))
    both = writer.op("Concat", [up, fine], "joined", axis=1)
    _mix(writer, writer.conv3(writer.leaky(writer.conv3(both, "join")), "head"))
    inputs, outputs = (
        [value(name, 1, *shape) for name, shape in planes.items()] for planes in (INPUTS, OUTPUTS)
    )
    return writer.model("blind", inputs, outputs)


def write_embedded() -> list[Path]:
    """Write the ONNX file beside the weights."""
    here = Path(__file__).parent
    target = here / "blind.onnx"
    save(build(here / "blind.safetensors"), target)
    return [target]

"""`blind` in torch, for training.

After Lai et al. 2018: the given frame, the previous output, and the source's luma of both pass
through an encoder, a ConvLSTM and a decoder with a skip connection. Two things differ. The network
works only on chroma, at a quarter of luma's size, with luma pixel-unshuffled by 4: flicker is
smooth, so the change can be upscaled and added. And the output is a mixture, by a softmax per
sample, of the given colour, the previous output at the same position, and the given colour shifted
by the local mean of their difference. A residual, as theirs, takes far longer to learn that, and
its errors feed back through the next frame and accumulate: colour drifts.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor.weights.checkpoint import load_strictly, read_state

from . import architecture as arch


class Memory(NamedTuple):
    """The recurrent state, `[B,MEMORY,h/8,w/8]` each, for luma of h by w."""

    hidden: Tensor
    cell: Tensor


def _conv(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, arch.SLOPE)


class ResidualBlock(nn.Module):
    """Residual block of two 3x3 convolutions."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,C,h,w]` to the same."""
        changed: Tensor = x + self.second(_leaky(self.first(x)))
        return changed


class Blind(nn.Module):
    """The recurrent step."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _conv(arch.INPUTS, arch.CHANNELS)
        self.fine = ResidualBlock(arch.CHANNELS)
        self.down = _conv(arch.CHANNELS, arch.MEMORY, stride=2)
        self.coarse = ResidualBlock(arch.MEMORY)
        self.gates = _conv(2 * arch.MEMORY, 4 * arch.MEMORY)
        self.up = _conv(arch.MEMORY, arch.CHANNELS)
        self.join = _conv(2 * arch.CHANNELS, arch.CHANNELS)
        self.head = _conv(arch.CHANNELS, arch.CANDIDATES)
        nn.init.zeros_(self.head.weight)
        self.head.bias = nn.Parameter(torch.tensor([0.0, 1.0, 0.0]))

    @staticmethod
    def fresh_memory(luma: Tensor) -> Memory:
        """The state before a scene's first frame, for luma `[B,1,h,w]`."""
        batch, _, height, width = luma.shape
        shape = (batch, arch.MEMORY, height // (2 * arch.STRIDE), width // (2 * arch.STRIDE))
        return Memory(luma.new_zeros(shape), luma.new_zeros(shape))

    def forward(
        self,
        luma: Tensor,
        luma_before: Tensor,
        given: Tensor,
        previous_output: Tensor,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        """Stabilise one frame.

        Args:
            luma: `[B,1,h,w]`, nominal 0..1, h and w multiples of 8.
            luma_before: Luma of the frame before; at a scene's start the same as `luma`.
            given: Chroma U, V `[B,2,h/4,w/4]`, nominal -0.5..0.5.
            previous_output: Chroma returned for the frame before; at a scene's start `given`.
            memory: Memory returned for the frame before.

        Returns:
            Stabilised chroma `[B,2,h/4,w/4]`, and the memory for the next frame.
        """
        pictures = [
            functional.pixel_unshuffle(x - arch.LUMA_MIDDLE, arch.STRIDE)
            for x in (luma, luma_before)
        ]
        colours = [arch.CHROMA_SCALE * x for x in (given, previous_output)]
        fine = self.fine(_leaky(self.stem(torch.cat([*pictures, *colours], dim=1))))
        coarse = self.coarse(_leaky(self.down(fine)))
        memory = self._remember(coarse, memory)
        up = functional.interpolate(memory.hidden, scale_factor=2.0, mode="nearest")
        up = _leaky(self.up(up))
        answer = self.head(_leaky(self.join(torch.cat([up, fine], dim=1))))
        return self._mixed(answer, given, previous_output), memory

    def _remember(self, x: Tensor, memory: Memory) -> Memory:
        gates = self.gates(torch.cat([x, memory.hidden], dim=1))
        input_gate, forget_gate, output_gate, candidate = gates.chunk(4, dim=1)
        cell = torch.sigmoid(forget_gate) * memory.cell + torch.sigmoid(input_gate) * torch.tanh(
            candidate
        )
        return Memory(torch.sigmoid(output_gate) * torch.tanh(cell), cell)

    @staticmethod
    def _mixed(answer: Tensor, given: Tensor, before: Tensor) -> Tensor:
        weights = torch.softmax(answer, dim=1)
        step = before - given
        around = functional.avg_pool2d(
            step, arch.BLUR, stride=1, padding=arch.BLUR // 2, count_include_pad=False
        )
        return given + weights[:, 1:2] * step + weights[:, 2:3] * around


def load(path: Path) -> Blind:
    """Load weights, any float type, as float32 on the CPU.

    Raises:
        WeightsError: The file is missing, damaged, or of another network.
    """
    network = Blind()
    state = {key: value.float() for key, value in read_state(path).items()}
    load_strictly(network, state, path)
    return network

"""The network of Lai et al. 2018, with the published checkpoint's keys.

Two encoders take the processed frames and the source's frames; a ConvLSTM holds the memory; skip
connections come only from the processed side. The published options (32 features, 5 blocks) are the
defaults.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

LEAK = 0.2
MULTIPLE = 4
"""Height and width of the network's input are multiples of this."""


class Memory(NamedTuple):
    """The ConvLSTM's state, `[B,4*features,h/4,w/4]` each."""

    hidden: Tensor
    cell: Tensor


class Conv(nn.Module):
    """A convolution with reflection padding.

    The checkpoint has statistics of an instance norm that the authors' code never applies;
    `NormedConv` keeps them so that every key of the file is loaded.
    """

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__()
        self.conv2d = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride=stride,
            padding=kernel // 2,
            padding_mode="reflect",
        )

    def forward(self, x: Tensor) -> Tensor:
        """`[B,Cin,h,w]` to `[B,Cout,h/stride,w/stride]`."""
        y: Tensor = self.conv2d(x)
        return y


class NormedConv(Conv):
    """A convolution that also holds the unused norm."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1) -> None:
        super().__init__(channels_in, channels_out, kernel, stride)
        self.norm_layer = nn.InstanceNorm2d(channels_out, track_running_stats=True)


class ResidualBlock(nn.Module):
    """Residual block: two convolutions, a leaky ReLU between them, none after the sum."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = NormedConv(channels, channels, 3)
        self.conv2 = NormedConv(channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,C,h,w]` to the same."""
        changed: Tensor = x + self.conv2(_leaky(self.conv1(x)))
        return changed


class ConvLstm(nn.Module):
    """A ConvLSTM whose gates come from one convolution: input, forget, output, candidate."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.Gates = nn.Conv2d(2 * channels, 4 * channels, 3, padding=1)

    def forward(self, x: Tensor, memory: Memory) -> Memory:
        """Update the memory with `[B,C,h,w]`."""
        input_gate, forget_gate, output_gate, candidate = self.Gates(
            torch.cat([x, memory.hidden], dim=1)
        ).chunk(4, dim=1)
        cell = torch.sigmoid(forget_gate) * memory.cell + torch.sigmoid(input_gate) * torch.tanh(
            candidate
        )
        return Memory(torch.sigmoid(output_gate) * torch.tanh(cell), cell)


class Lai(nn.Module):
    """The recurrent step: what to add to the processed frame."""

    def __init__(self, features: int = 32, blocks: int = 5) -> None:
        super().__init__()
        n = features
        self.conv1a, self.conv1b = NormedConv(6, n, 7), NormedConv(6, n, 7)
        self.conv2a, self.conv2b = NormedConv(n, 2 * n, 3, 2), NormedConv(n, 2 * n, 3, 2)
        self.conv3 = NormedConv(4 * n, 4 * n, 3, 2)
        self.ResBlocks = nn.ModuleList(ResidualBlock(4 * n) for _ in range(blocks))
        self.convlstm = ConvLstm(4 * n)
        self.deconv1 = NormedConv(4 * n, 2 * n, 3)
        self.deconv2 = NormedConv(4 * n, n, 3)
        self.deconv3 = Conv(2 * n, 3, 7)

    def fresh_memory(self, frame: Tensor) -> Memory:
        """The state at a scene's start, for frames `[B,3,h,w]`."""
        batch, _, height, width = frame.shape
        channels = self.convlstm.Gates.out_channels // 4
        shape = (batch, channels, height // MULTIPLE, width // MULTIPLE)
        return Memory(frame.new_zeros(shape), frame.new_zeros(shape))

    def forward(
        self,
        processed: Tensor,
        previous_output: Tensor,
        now: Tensor,
        before: Tensor,
        memory: Memory,
    ) -> tuple[Tensor, Memory]:
        """Take one step.

        Args:
            processed: The flickering frame, RGB `[B,3,h,w]` in 0..1, sides multiples of 4.
            previous_output: The stabilised frame before; at the start the processed one.
            now: The source's frame.
            before: The source's frame before.
            memory: Memory returned for the frame before.

        Returns:
            What to add to `processed`, `[B,3,h,w]` in -1..1, and the memory for the next frame.
        """
        top_a = _leaky(self.conv1a(torch.cat([processed, previous_output], dim=1)))
        top_b = _leaky(self.conv1b(torch.cat([now, before], dim=1)))
        half_a, half_b = _leaky(self.conv2a(top_a)), _leaky(self.conv2b(top_b))
        x = _leaky(self.conv3(torch.cat([half_a, half_b], dim=1)))
        for block in self.ResBlocks:
            x = block(x)
        memory = self.convlstm(x, memory)
        x = _leaky(self.deconv1(_doubled(memory.hidden)))
        x = _leaky(self.deconv2(_doubled(torch.cat([x, half_a], dim=1))))
        return torch.tanh(self.deconv3(torch.cat([x, top_a], dim=1))), memory


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, LEAK)


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")

"""The embedded video model in torch, for CUDA and for training.

Its convolutions are `mini`'s building blocks. Three parts: `Embedding` runs once per frame,
`attend` once per frame over all references, `Fusion` once per step.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from vscolor.models.mini.network import Conv, DecoderBlock, center_and_normalize, relu6

from . import architecture as arch


class Embedding(nn.Module):
    """The encoder's taps to vectors for correspondence and context for the fusion."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = Conv(sum(arch.TAPS.values()), arch.EMBED_HIDDEN)
        self.compare = Conv(arch.EMBED_HIDDEN, arch.EMBED)
        self.context = Conv(arch.TAPS[arch.CONTEXT_TAP], arch.CONTEXT)

    def forward(self, taps: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Embed a batch.

        Args:
            taps: The encoder's features by block index.

        Returns:
            Unit vectors `[B,64,h/8,w/8]` and context `[B,16,h/4,w/4]`.
        """
        fine, middle, coarse = (taps[index] for index in arch.TAPS)
        levels = [
            functional.avg_pool2d(fine, 2),
            middle,
            functional.interpolate(coarse, scale_factor=2.0, mode="nearest"),
        ]
        x = torch.cat([center_and_normalize(level) for level in levels], dim=1)
        x = self.compare(relu6(self.hidden(x)))
        return functional.normalize(x, dim=1), relu6(self.context(fine))


def attend(
    query: Tensor, keys: Tensor, values: Tensor, bias: Tensor, temperature: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Softmax attention from the frame to the references (Zhang 2019, equations 1-3).

    Args:
        query: The frame's unit vectors `[B,N,64]`.
        keys: The references' unit vectors `[B,M,64]`.
        values: The references' values `[B,M,V]`.
        bias: Added to the cosines of each reference position `[B,1,M]`: its weight.
        temperature: Of the softmax.

    Returns:
        The attended values `[B,N,V]` and the largest biased cosine `[B,N,1]`.
    """
    cosine = query @ keys.transpose(1, 2) + bias
    warped = torch.softmax(cosine / temperature, dim=-1) @ values
    return warped, cosine.amax(dim=-1, keepdim=True)


class FusionInputs(NamedTuple):
    """The fusion's inputs besides the candidates, at stride 4.

    Attributes:
        luma: L* `[B,1,h/4,w/4]`.
        context: The frame's features `[B,16,h/4,w/4]`.
        cues: The planes of `arch.CUE_SCALES` `[B,6,h/4,w/4]`, unscaled.
        memory: Memory of the frame before, warped along the motion `[B,4,h/4,w/4]`.
    """

    luma: Tensor
    context: Tensor
    cues: Tensor
    memory: Tensor


class Fusion(nn.Module):
    """Weights the candidates and corrects their mean (the paper's C)."""

    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.enter = Conv(arch.FUSE_INPUTS, arch.FINE)
        self.first = nn.ModuleList(DecoderBlock(arch.FINE, False) for _ in range(arch.BLOCKS_IN))
        self.down = Conv(arch.FINE, arch.COARSE)
        self.coarse = nn.ModuleList(
            DecoderBlock(arch.COARSE, False) for _ in range(arch.BLOCKS_COARSE)
        )
        self.up = Conv(arch.COARSE, arch.FINE)
        self.last = nn.ModuleList(DecoderBlock(arch.FINE, False) for _ in range(arch.BLOCKS_OUT))
        self.leave = Conv(arch.FINE, arch.FUSE_OUTPUTS)
        self.prior = Conv(arch.FUSE_INPUTS, len(arch.CANDIDATES))
        scale = torch.tensor(arch.CUE_SCALES).view(1, -1, 1, 1)
        self.register_buffer("scale", scale, persistent=False)

    def forward(
        self, seen: FusionInputs, candidates: Tensor, score_bias: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Weight a frame's candidates.

        Args:
            seen: The other inputs.
            candidates: ab of the four candidates in the order of `arch.CANDIDATES`,
                `[B,8,h/4,w/4]`; zero for one that does not exist.
            score_bias: Added to the candidates' scores `[B,4,1,1]`: the logarithm of a candidate's
                strength, or `arch.ABSENT` for one that does not exist.

        Returns:
            The input of `mix`: the candidates' weights, which sum to 1, and a correction of their
            mean, in ab, `[B,6,h/4,w/4]`; and the memory `[B,4,h/4,w/4]`.
        """
        x = torch.cat(
            [
                seen.luma / arch.LUMA_SCALE,
                seen.context,
                candidates / arch.AB_SCALE,
                seen.cues * self.scale,
                seen.memory,
            ],
            dim=1,
        )
        out = self._trunk(x)
        count = len(arch.CANDIDATES)
        scores = out[:, :count] + self.prior(x) + score_bias
        correction = out[:, count : count + 2] * arch.AB_SCALE
        blend = torch.cat([torch.softmax(scores, dim=1), correction], dim=1)
        return blend, torch.tanh(out[:, count + 2 :])

    def _trunk(self, x: Tensor) -> Tensor:
        y: Tensor = self.enter(x)
        for block in self.first:
            y = block(y)
        z: Tensor = self.down(functional.avg_pool2d(y, 2))
        for block in self.coarse:
            z = block(z)
        y = y + functional.interpolate(self.up(z), scale_factor=2.0, mode="nearest")
        for block in self.last:
            y = block(y)
        out: Tensor = self.leave(y)
        return out


def mix(blend: Tensor, candidates: Tensor) -> Tensor:
    """Colour a frame: the candidates' weighted mean, corrected.

    Args:
        blend: First result of `Fusion` `[B,6,h/4,w/4]`.
        candidates: As for `Fusion`, but at the luma's size `[B,8,h,w]`.

    Returns:
        ab `[B,2,h,w]`.
    """
    count = len(arch.CANDIDATES)
    fine = functional.interpolate(blend, scale_factor=float(arch.FUSE_STRIDE), mode="bilinear")
    pairs = candidates.unflatten(1, (count, 2))
    ab: Tensor = (pairs * fine[:, :count, None]).sum(dim=1) + fine[:, count:]
    return ab


class MiniVideo(nn.Module):
    """The networks that `mini-video` adds to `mini`."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = Embedding()
        self.fusion = Fusion()
        self.temperature = nn.Parameter(torch.tensor(arch.TEMPERATURE))


def load(path: str | Path) -> MiniVideo:
    """Load published weights, any float type, as float32 on the CPU, in evaluation mode."""
    model = MiniVideo()
    model.load_state_dict({k: v.float() for k, v in load_file(str(path)).items()})
    return model.eval()

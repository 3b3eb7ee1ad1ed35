"""The embedded still model in torch, for CUDA and for training.

Every batch norm of the encoder is folded into its convolution before training starts: its
statistics stay ImageNet's, which small batches of small crops would degrade, and a training step
is a third cheaper on a CPU. The decoder trains with batch norm, which `folded_state` removes.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from . import architecture as arch
from . import bins

DECODER_NORM_EPSILON = 1e-5


class Conv(nn.Module):
    """A convolution with the encoder's padding and, with `norm`, a batch norm after it."""

    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        depthwise: bool = False,
        norm: bool = False,
    ) -> None:
        super().__init__()
        groups = channels_in if depthwise else 1
        before, after = arch.padding(kernel, stride)
        # Symmetric padding is left to the convolution: a separate pad copies the whole plane.
        self.pad = None if before == after else (before, after, before, after)
        self.conv = nn.Conv2d(
            channels_in,
            channels_out,
            kernel,
            stride=stride,
            padding=before if before == after else 0,
            groups=groups,
        )
        self.norm = nn.BatchNorm2d(channels_out, eps=DECODER_NORM_EPSILON) if norm else None

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `[B,Cin,h,w]` to `[B,Cout,h/stride,w/stride]`."""
        if self.pad is not None:
            x = functional.pad(x, self.pad)
        x = self.conv(x)
        if self.norm is not None:
            x = self.norm(x)
        return x


def relu6(x: Tensor) -> Tensor:
    """ReLU6."""
    return functional.hardtanh(x, 0.0, arch.RELU_LIMIT)


class EncoderBlock(nn.Module):
    """Inverted bottleneck: expand, depthwise convolution, project."""

    def __init__(self, block: arch.Bottleneck) -> None:
        super().__init__()
        self.is_residual = block.is_residual
        self.expand = Conv(block.channels_in, block.hidden) if block.expands else None
        self.depthwise = Conv(
            block.hidden, block.hidden, kernel=block.kernel, stride=block.stride, depthwise=True
        )
        self.project = Conv(block.hidden, block.channels_out)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,Cin,h,w]` to `[B,Cout,h/stride,w/stride]`."""
        y: Tensor = x if self.expand is None else relu6(self.expand(x))
        y = self.project(relu6(self.depthwise(y)))
        return x + y if self.is_residual else y


class DecoderBlock(nn.Module):
    """Residual block: depthwise convolution, then two pointwise convolutions."""

    def __init__(self, channels: int, norm: bool) -> None:
        super().__init__()
        hidden = channels * arch.BLOCK_EXPANSION
        self.depthwise = Conv(
            channels, channels, kernel=arch.BLOCK_KERNEL, depthwise=True, norm=norm
        )
        self.expand = Conv(channels, hidden, norm=norm)
        self.project = Conv(hidden, channels, norm=norm)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,C,h,w]` to the same."""
        y: Tensor = self.project(relu6(self.expand(self.depthwise(x))))
        return x + y


class DecoderLevel(nn.Module):
    """One level of the pyramid: add the encoder's features, then residual blocks."""

    def __init__(self, level: arch.Level, channels_in: int | None, norm: bool) -> None:
        super().__init__()
        self.lateral = Conv(level.tap_channels, level.channels, norm=norm)
        narrows = channels_in is not None and channels_in != level.channels
        self.reduce = Conv(channels_in or 0, level.channels, norm=norm) if narrows else None
        self.blocks = nn.ModuleList(DecoderBlock(level.channels, norm) for _ in range(level.blocks))

    def narrowed(self, coarse: Tensor) -> Tensor:
        """The coarser level's features, reduced to this level's channels but not yet upsampled."""
        if self.reduce is not None:
            coarse = self.reduce(coarse)
        return coarse

    def forward(self, tap: Tensor, coarse: Tensor) -> Tensor:
        """Fuse the tap `[B,Ct,h,w]` and the upsampled coarser level `[B,C,h,w]` or `[B,C,1,1]`."""
        x: Tensor = self.lateral(tap) + coarse
        for block in self.blocks:
            x = block(x)
        return x


def center_and_normalize(x: Tensor) -> Tensor:
    """Features `[B,C,h,w]` minus their spatial mean, scaled to mean square 1 over the channels."""
    centred = x - x.mean(dim=(2, 3), keepdim=True)
    size = centred.pow(2).mean(dim=1, keepdim=True)
    return centred * torch.rsqrt(size + arch.STANDING_EPSILON)


class NonLocal(nn.Module):
    """Non-local block: averages features over similar positions of the whole picture.

    (Buades et al. 2005; Wang et al. 2018, arXiv:1711.07971.) Convolutions decide locally, so a coat
    of ambiguous colour comes out half blue and half brown. The head is linear, so averaging
    features averages the bins' scores. Queries are at stride 8, keys and values at stride 16 or
    coarser (`arch.MAX_KEY_SIDE`).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.compare = Conv(channels, channels)
        assert self.compare.conv.bias is not None
        nn.init.dirac_(self.compare.conv.weight)
        nn.init.zeros_(self.compare.conv.bias)
        self.log_sharpness = nn.Parameter(torch.tensor(arch.INITIAL_LOGIT_SCALES).log())
        self.told = nn.Parameter(torch.full((1, channels, 1, 1), arch.INITIAL_GATE))

    def forward(self, x: Tensor, luma: Tensor) -> Tensor:
        """Average features over similar positions.

        Args:
            x: `[B,C,h/4,w/4]`.
            luma: L* `[B,1,h,w]`, 0..100.

        Returns:
            As `x`.
        """
        places = functional.avg_pool2d(x, 2)
        seen = functional.normalize(self.compare(center_and_normalize(places)), dim=1)
        light = functional.avg_pool2d(luma / 100.0, 8)
        keys, dark, values = (_key_grid(plane).flatten(2) for plane in (seen, light, places))
        alike, darker = self.log_sharpness.exp()
        cosine = seen.flatten(2).transpose(1, 2) @ keys
        apart = light.flatten(2).transpose(1, 2) - dark
        shares = torch.softmax(alike * cosine - darker * apart.square(), dim=-1)
        told = (shares @ values.transpose(1, 2)).transpose(1, 2)
        change = self.told * (told.unflatten(2, places.shape[2:]) - places)
        return x + functional.interpolate(change, scale_factor=2.0, mode="bilinear")


def _key_grid(x: Tensor) -> Tensor:
    """Reduce a plane `[B,C,h/8,w/8]` to the key positions."""
    x = functional.avg_pool2d(x, 2)
    height, width = x.shape[2:]
    short = _smaller(height, width)
    kept = _smaller(short, arch.MAX_KEY_SIDE)
    # Integer arithmetic: runtimes differ in how a resize rounds its sample positions.
    rows, columns = (
        torch.arange(side * kept // short, device=x.device) * short // kept
        for side in (height, width)
    )
    return x[:, :, rows][..., columns]


def _smaller(a: int, b: int) -> int:
    """Minimum by arithmetic, which a trace keeps; `min` would fix the traced size's result."""
    return (a + b - abs(a - b)) // 2


class Mini(nn.Module):
    """Luma to colour: EfficientNet-Lite0 encoder, pyramid decoder, 313 colour bins.

    Args:
        norm: Build the decoder with batch norm, for training from scratch.
    """

    centres: Tensor

    def __init__(self, *, norm: bool = False) -> None:
        super().__init__()
        self.stem = Conv(1, arch.STEM_CHANNELS, kernel=3, stride=2)
        self.encoder = nn.ModuleList(EncoderBlock(block) for block in arch.bottlenecks())
        widths = [None, *(level.channels for level in arch.LEVELS[:-1])]
        self.decoder = nn.ModuleList(
            DecoderLevel(level, width, norm)
            for level, width in zip(arch.LEVELS, widths, strict=True)
        )
        self.context = Conv(arch.LEVELS[0].tap_channels, arch.LEVELS[0].channels)
        self.coherence = NonLocal(arch.HEAD_CHANNELS)
        self.head = Conv(arch.HEAD_CHANNELS, bins.COUNT)
        # Filled from the weight file or by training: computing the bins takes seconds.
        self.register_buffer("centres", torch.zeros(bins.COUNT, 2))

    def taps(self, luma: Tensor, rough: int = 0) -> dict[int, Tensor]:
        """The encoder's features that the decoder and other models use, by block index.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of 32.
            rough: Number of leading blocks (the first with the stem) that run in bfloat16: in
                training, frozen blocks need no more.
        """
        wanted = {*arch.TAPS, *(level.tap for level in arch.LEVELS)}
        half = torch.autocast(luma.device.type, torch.bfloat16) if rough else nullcontext()
        taps, x = {}, softened(luma) * arch.LUMA_SCALE + arch.LUMA_SHIFT
        for index, block in enumerate(self.encoder):
            with half if index < rough else nullcontext():
                x = block(x if index else relu6(self.stem(x)))
            if index + 1 == rough:
                x = x.float()
            if index in wanted:
                taps[index] = x.float() if index < rough else x
        return taps

    def decode(self, taps: Mapping[int, Tensor], luma: Tensor) -> Tensor:
        """Features `[B,64,h/4,w/4]` from the encoder's taps and the luma they come from."""
        top = taps[arch.LEVELS[0].tap]
        x: Tensor = self.context(top.mean(dim=(2, 3), keepdim=True))
        for number, (level, module) in enumerate(zip(arch.LEVELS, self.decoder, strict=True)):
            assert isinstance(module, DecoderLevel)
            if number:
                x = functional.interpolate(module.narrowed(x), scale_factor=2.0, mode="nearest")
            x = module(taps[level.tap], x)
        mixed: Tensor = self.coherence(x, luma)
        return mixed

    def logits(self, luma: Tensor) -> Tensor:
        """Scores of the colour bins, `[B,313,h/4,w/4]`."""
        scores: Tensor = self.head(self.decode(self.taps(luma), luma))
        return scores

    def annealed_mean(self, logits: Tensor, temperature: float | Tensor) -> Tensor:
        """Mean colour of the sharpened distribution (Zhang 2016, section 2.3).

        Args:
            logits: Scores with the bins last, `[...,313]`.
            temperature: 1 gives the plain mean, towards 0 the mode, which is blotchy.

        Returns:
            ab `[...,2]`.
        """
        mean: Tensor = torch.softmax(logits / temperature, dim=-1) @ self.centres
        return mean

    def forward(
        self, luma: Tensor, temperature: float | Tensor = arch.DEFAULT_TEMPERATURE
    ) -> Tensor:
        """Predict colour.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of 32.
            temperature: Of the annealed mean, above 0.

        Returns:
            ab `[B,2,h/4,w/4]`.
        """
        return self.colours(self.logits(luma), temperature)

    def colours(self, logits: Tensor, temperature: float | Tensor) -> Tensor:
        """Turn scores `[B,313,h,w]` into ab `[B,2,h,w]`: the annealed mean times `arch.GAIN`."""
        mean = self.annealed_mean(logits.permute(0, 2, 3, 1), temperature)
        return arch.GAIN * mean.permute(0, 3, 1, 2)


def softened(luma: Tensor) -> Tensor:
    """Luma `[B,1,h,w]` slightly blurred for the encoder, see `arch.SOFTENING`."""
    side = arch.SOFTENING
    row = luma.new_tensor([side, 1 - 2 * side, side])
    around = functional.pad(luma, (1, 1, 1, 1), mode="replicate")
    return functional.conv2d(around, torch.outer(row, row)[None, None])


def folded_state(model: Mini) -> dict[str, Tensor]:
    """The model's tensors with every batch norm folded into its convolution, float32."""
    state = {k: v.detach().clone() for k, v in model.state_dict().items() if ".norm." not in k}
    for name, module in model.named_modules():
        if isinstance(module, Conv) and module.norm is not None:
            norm, weight, bias = module.norm, f"{name}.conv.weight", f"{name}.conv.bias"
            assert norm.running_var is not None
            assert norm.running_mean is not None
            gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
            state[weight] = state[weight] * gain[:, None, None, None]
            state[bias] = ((state[bias] - norm.running_mean) * gain + norm.bias).detach()
    return state


def load(path: str | Path) -> Mini:
    """Load published weights.

    Args:
        path: A safetensors file of `folded_state`, any float type.

    Returns:
        The model in float32, on the CPU, in evaluation mode.
    """
    model = Mini()
    model.load_state_dict({k: v.float() for k, v in load_file(str(path)).items()})
    return model.eval()

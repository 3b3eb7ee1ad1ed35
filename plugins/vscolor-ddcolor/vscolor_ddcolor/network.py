"""DDColor (Kang et al. 2023, arXiv:2212.11613) in torch; names and shapes are the checkpoint's.

A pixel decoder upsamples the encoder's features to full size. In a colour decoder, 100 queries
attend to the pixel decoder's features; each becomes a map over the picture, and a last layer
predicts a and b from the maps and the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor_ddcolor.convnext import ConvNext

MULTIPLE = 32
QUERIES = 100
WIDTH = 256
HEADS = 8
FEED_FORWARD = 2048
LAYERS = 9
SCALES = 3
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Shape:
    """Sizes of the encoder.

    Attributes:
        depths: Blocks of its stages.
        widths: Channels of its stages.
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]


LARGE = Shape((3, 3, 27, 3), (192, 384, 768, 1536))
TINY = Shape((3, 3, 9, 3), (96, 192, 384, 768))


class SpectralConv(nn.Module):
    """A convolution whose weight is divided by its largest singular value.

    The singular vectors are the checkpoint's and stay fixed.
    """

    def __init__(self, before: int, after: int, kernel: int = 1, *, bias: bool = False) -> None:
        super().__init__()
        self.padding = kernel // 2
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.weight_orig = nn.Parameter(torch.zeros(after, before, kernel, kernel))
        self.register_buffer("weight_u", torch.ones(after))
        self.register_buffer("weight_v", torch.ones(before * kernel * kernel))

    def forward(self, x: Tensor) -> Tensor:
        """`[B,before,h,w]` to `[B,after,h,w]`."""
        sigma = torch.dot(self.weight_u, torch.mv(self.weight_orig.flatten(1), self.weight_v))
        return functional.conv2d(x, self.weight_orig / sigma, self.bias, padding=self.padding)


class Enlarge(nn.Module):
    """Sub-pixel convolution, then 2x2 averaging against its checkerboard artefacts."""

    def __init__(self, before: int, after: int, scale: int, *, norm: bool) -> None:
        super().__init__()
        wide = after * scale * scale
        conv = SpectralConv(before, wide, bias=not norm)
        self.conv = nn.Sequential(conv, nn.BatchNorm2d(wide)) if norm else nn.Sequential(conv)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        """`[B,before,h,w]` to `[B,after,scale*h,scale*w]`."""
        x = functional.pixel_shuffle(functional.relu(self.conv(x)), self.scale)
        return functional.avg_pool2d(functional.pad(x, (1, 0, 1, 0), mode="replicate"), 2, stride=1)


class Rise(nn.Module):
    """One level of the pixel decoder: upsample, concatenate the encoder's features, convolve."""

    def __init__(self, before: int, joined: int, after: int) -> None:
        super().__init__()
        self.shuf = Enlarge(before, after, 2, norm=True)
        self.bn = nn.BatchNorm2d(joined)
        conv = SpectralConv(after + joined, after, 3)
        self.conv = nn.Sequential(conv, nn.ReLU(), nn.BatchNorm2d(after))

    def forward(self, x: Tensor, joined: Tensor) -> Tensor:
        """`[B,before,h,w]` and `[B,joined,2h,2w]` to `[B,after,2h,2w]`."""
        both = torch.cat([self.shuf(x), self.bn(joined)], 1)
        made: Tensor = self.conv(functional.relu(both))
        return made


class Attention(nn.Module):
    """Multi-head attention with a residual connection and layer norm after the sum."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.add_module(name, nn.MultiheadAttention(WIDTH, HEADS, batch_first=True))
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Add the attention of `query` to `key` and `value` to `x` `[B,n,C]`, and normalise."""
        seen, _ = self.get_submodule(self.name)(query, key, value, need_weights=False)
        normed: Tensor = self.norm(x + seen)
        return normed


class FeedForward(nn.Module):
    """Two linear layers with a residual connection and layer norm after the sum."""

    def __init__(self) -> None:
        super().__init__()
        self.linear1, self.linear2 = nn.Linear(WIDTH, FEED_FORWARD), nn.Linear(FEED_FORWARD, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        """`[B,n,C]` to the same."""
        normed: Tensor = self.norm(x + self.linear2(functional.relu(self.linear1(x))))
        return normed


class Perceptron(nn.Module):
    """Three linear layers with ReLU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(3))

    def forward(self, x: Tensor) -> Tensor:
        """`[B,n,C]` to the same."""
        for layer in self.layers[:-1]:
            x = functional.relu(layer(x))
        made: Tensor = self.layers[-1](x)
        return made


class ColorDecoder(nn.Module):
    """Queries that attend to the pixel decoder's features, cycling from coarse to fine."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.query_feat = nn.Embedding(QUERIES, WIDTH)
        self.query_embed = nn.Embedding(QUERIES, WIDTH)
        self.level_embed = nn.Embedding(SCALES, WIDTH)
        self.input_proj = nn.ModuleList(nn.Conv2d(width, WIDTH, 1) for width in widths)
        self.transformer_self_attention_layers = nn.ModuleList(
            Attention("self_attn") for _ in range(LAYERS)
        )
        self.transformer_cross_attention_layers = nn.ModuleList(
            Attention("multihead_attn") for _ in range(LAYERS)
        )
        self.transformer_ffn_layers = nn.ModuleList(FeedForward() for _ in range(LAYERS))
        self.decoder_norm = nn.LayerNorm(WIDTH)
        self.color_embed = Perceptron()

    def forward(self, levels: list[Tensor], pixels: Tensor) -> Tensor:
        """A map for each query.

        Args:
            levels: Features at three scales, `[B,C,h,w]`.
            pixels: Features at full size, `[B,256,H,W]`.

        Returns:
            `[B,100,H,W]`.
        """
        batch = pixels.shape[0]
        values, places = [], []
        for number, (level, project) in enumerate(zip(levels, self.input_proj, strict=True)):
            rows = project(level).flatten(2).transpose(1, 2)
            values.append(rows + self.level_embed.weight[number])
            places.append(position(level, WIDTH // 2))
        where = self.query_embed.weight[None].expand(batch, -1, -1)
        x = self.query_feat.weight[None].expand(batch, -1, -1)
        for number in range(LAYERS):
            value, place = values[number % SCALES], places[number % SCALES]
            cross = self.transformer_cross_attention_layers[number]
            x = cross(x, x + where, value + place, value)
            own = self.transformer_self_attention_layers[number]
            x = own(x, x + where, x + where, x)
            x = self.transformer_ffn_layers[number](x)
        colors = self.color_embed(self.decoder_norm(x))
        return torch.einsum("bqc,bchw->bqhw", colors, pixels)


def position(like: Tensor, half: int) -> Tensor:
    """Sinusoidal position encoding, `[1,h*w,2*half]`: y first, then x."""
    h, w = like.shape[2:]
    number = torch.arange(half, dtype=like.dtype, device=like.device)
    period = 10000.0 ** (2 * torch.div(number, 2, rounding_mode="floor") / half)
    coded = []
    for side in (h, w):
        steps = torch.arange(1, side + 1, dtype=like.dtype, device=like.device)
        angle = (steps / (side + 1e-6) * 2 * math.pi)[:, None] / period
        coded.append(torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], 2).flatten(1))
    y = coded[0][:, None].expand(h, w, half)
    x = coded[1][None].expand(h, w, half)
    return torch.cat([y, x], 2).reshape(1, h * w, 2 * half)


class Decoder(nn.Module):
    """The pixel decoder and the colour decoder."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        fine, middle, coarse, top = widths
        self.layers = nn.ModuleList(
            [Rise(top, coarse, 512), Rise(512, middle, 512), Rise(512, fine, WIDTH)]
        )
        self.last_shuf = Enlarge(WIDTH, WIDTH, 4, norm=False)
        self.color_decoder = ColorDecoder((512, 512, WIDTH))

    def forward(self, features: list[Tensor]) -> Tensor:
        """Maps `[B,100,h,w]` from the encoder's features."""
        fine, middle, coarse, top = features
        levels, x = [], top
        for layer, joined in zip(self.layers, (coarse, middle, fine), strict=True):
            x = layer(x, joined)
            levels.append(x)
        maps: Tensor = self.color_decoder(levels, self.last_shuf(x))
        return maps


class Encoder(nn.Module):
    """Wraps ConvNeXt under the checkpoint's name."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.arch = ConvNext(shape.depths, shape.widths)


class DDColor(nn.Module):
    """Grey RGB to colour.

    Args:
        shape: `LARGE` or `TINY`.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.encoder = Encoder(shape)
        self.decoder = Decoder(shape.widths)
        self.refine_net = nn.Sequential(nn.Sequential(SpectralConv(QUERIES + 3, 2, bias=True)))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, rgb: Tensor) -> Tensor:
        """Ab `[B,2,h,w]` of grey RGB `[B,3,h,w]`, 0..1, h and w multiples of 32."""
        x = (rgb - self.mean) / self.std
        maps = self.decoder(self.encoder.arch(x))
        ab: Tensor = self.refine_net(torch.cat([maps, x], 1))
        return ab

"""Zhang et al., "Deep Exemplar-based Video Colorization", CVPR 2019, arXiv:1906.09909, in torch.

Three networks: VGG19 extracts features of frame and reference, `WarpNet` embeds them for
correspondence, by which the reference's colour is warped to the frame, and `ColorVidNet` predicts
the frame's colour from the warped colour and the frame before. Names and shapes are those of the
published checkpoints.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor.models.cielab import lab_to_srgb
from vscolor.models.layers import LEAK, conv3

L_CENTRE: Final = 50.0
AB_SCALE: Final = 128.0
EPSILON: Final = sys.float_info.epsilon
VGG_MEAN_BGR: Final = (0.40760392, 0.45795686, 0.48501961)
"""ImageNet's means, in the order of the Caffe weights."""
VGG_SCALE: Final = 255.0
VGG_DEPTHS: Final = {1: (64, 2), 2: (128, 2), 3: (256, 4), 4: (512, 4), 5: (512, 4)}
"""Channels and convolutions of each of VGG19's stages."""
FEATURE_LAYERS: Final = 2
"""ReLU outputs are taken after this many convolutions of a stage."""
MATCH_STRIDE: Final = 4
ARGMAX_TEMPERATURE: Final = 1e-10
ROWS_AT_ONCE: Final = 1024
"""Query positions matched together: the full matrix of a large frame takes gigabytes."""


class Vgg19(nn.Module):
    """VGG19's convolutions (Simonyan and Zisserman 2014), with the means of Caffe's weights."""

    def __init__(self) -> None:
        super().__init__()
        before = 3
        for number, (channels, layers) in VGG_DEPTHS.items():
            for layer in range(1, layers + 1):
                self.add_module(f"conv{number}_{layer}", conv3(before, channels))
                before = channels

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Features after ReLU 1_2, 2_2, 3_2, 4_2 and 5_2 of RGB `[B,3,h,w]`, 0..1."""
        # Rounded to single precision as by the authors: matching is sensitive to it.
        mean = torch.tensor(VGG_MEAN_BGR, dtype=torch.float32, device=rgb.device).to(rgb.dtype)
        mean = mean[:, None, None]
        x = (rgb.flip(1) - mean) * VGG_SCALE
        features = []
        for number, (_, layers) in VGG_DEPTHS.items():
            last = number == max(VGG_DEPTHS)
            for layer in range(1, (FEATURE_LAYERS if last else layers) + 1):
                x = functional.relu(self.get_submodule(f"conv{number}_{layer}")(x))
                if layer == FEATURE_LAYERS:
                    features.append(x)
            if not last:
                x = functional.max_pool2d(x, 2)
        return features


def _normalised_conv(before: int, after: int, stride: int = 1) -> list[nn.Module]:
    """Reflection padding, convolution, instance norm, PReLU with one slope."""
    return [
        nn.ReflectionPad2d(1),
        nn.Conv2d(before, after, 3, stride=stride),
        nn.InstanceNorm2d(after),
        nn.PReLU(),
    ]


class _Residual(nn.Module):
    """Residual block of two 3x3 convolutions; one PReLU is used twice."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(1)
        self.conv1 = nn.Conv2d(channels, channels, 3)
        self.conv2 = nn.Conv2d(channels, channels, 3)
        self.norm = nn.InstanceNorm2d(channels)
        self.prelu = nn.PReLU()

    def forward(self, x: Tensor) -> Tensor:
        """`[B,C,h,w]` to the same."""
        y = self.prelu(self.norm(self.conv1(self.pad(x))))
        y = self.norm(self.conv2(self.pad(y)))
        result: Tensor = self.prelu(x + y)
        return result


class WarpNet(nn.Module):
    """Correspondence between a frame and a reference (the paper's N and W)."""

    def __init__(self) -> None:
        super().__init__()
        double = nn.Upsample(scale_factor=2)
        self.layer2_1 = nn.Sequential(*_normalised_conv(128, 128), *_normalised_conv(128, 64, 2))
        self.layer3_1 = nn.Sequential(*_normalised_conv(256, 128), *_normalised_conv(128, 64))
        self.layer4_1 = nn.Sequential(
            *_normalised_conv(512, 256), *_normalised_conv(256, 64), double
        )
        self.layer5_1 = nn.Sequential(
            *_normalised_conv(512, 256), double, *_normalised_conv(256, 64), double
        )
        self.layer = nn.Sequential(*(_Residual(256) for _ in range(3)))
        self.theta = nn.Conv2d(256, 256, 1)
        self.phi = nn.Conv2d(256, 256, 1)

    def describe(self, features: list[Tensor]) -> Tensor:
        """Description `[B,256,h/4,w/4]`, from VGG's features of a picture `[B,3,h,w]`.

        h is a multiple of 8, w of 16. If h is an odd multiple of 8, the deepest branch is two rows
        short; its first and last row are repeated.
        """
        branches = [
            branch(_unit(f))
            for branch, f in zip(
                (self.layer2_1, self.layer3_1, self.layer4_1, self.layer5_1),
                features[1:],
                strict=True,
            )
        ]
        if branches[-1].shape[2] != branches[0].shape[2]:
            branches[-1] = functional.pad(branches[-1], (0, 0, 1, 1), mode="replicate")
        described: Tensor = self.layer(torch.cat(branches, 1))
        return described

    def query(self, description: Tensor) -> Tensor:
        """Unit vectors `[B,256,n]` of a frame's description."""
        return _centred_unit(self.theta(description))

    def key(self, description: Tensor) -> Tensor:
        """Unit vectors `[B,256,m]` of a reference's description."""
        return _centred_unit(self.phi(description))


def carry(
    query: Tensor, key: Tensor, lab: Tensor, size: tuple[int, int], temperature: float
) -> tuple[Tensor, Tensor]:
    """Warp a reference's colour to a frame by correspondence.

    Args:
        query: Of the frame, `[B,256,n]`, n = h/4 * w/4.
        key: Of the reference, `[B,256,m]`.
        lab: The reference `[B,3,H,W]`, m = H/4 * W/4.
        size: h and w of the frame.
        temperature: Of the softmax over positions; towards 0 only the best match counts.

    Returns:
        The warped Lab `[B,3,h,w]` and the similarity of the best match `[B,1,h,w]`, -1..1.
    """
    values = functional.avg_pool2d(lab, MATCH_STRIDE).flatten(2).transpose(1, 2)
    found, similar = search(query, key, values, temperature)
    h, w = size[0] // MATCH_STRIDE, size[1] // MATCH_STRIDE
    planes = found.transpose(1, 2).reshape(len(query), -1, h, w)
    best = similar.reshape(len(query), 1, h, w)
    return (
        functional.interpolate(planes, scale_factor=MATCH_STRIDE, mode="nearest"),
        functional.interpolate(best, scale_factor=MATCH_STRIDE, mode="nearest"),
    )


def search(
    query: Tensor, key: Tensor, values: Tensor, temperature: float, bias: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Softmax attention from a frame's positions to those of references.

    Args:
        query: Of the frame, `[B,256,n]`.
        key: Of the references, `[B,256,m]`.
        values: Of the references, `[B,m,C]`.
        temperature: Of the softmax over reference positions.
        bias: Added to the cosines, `[B,m]`; None for none.

    Returns:
        The attended values `[B,n,C]` and the largest biased cosine `[B,n]`.
    """
    found, similar = [], []
    for rows in torch.split(query, ROWS_AT_ONCE, dim=2):
        cosine = rows.transpose(1, 2) @ key
        if bias is not None:
            cosine = cosine + bias[:, None]
        similar.append(cosine.amax(2))
        found.append(torch.softmax(cosine / temperature, dim=2) @ values)
    return torch.cat(found, 1), torch.cat(similar, 1)


def _unit(x: Tensor) -> Tensor:
    length: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
    return x / (length + EPSILON)


def _centred_unit(x: Tensor) -> Tensor:
    flat = x.flatten(2)
    return _unit(flat - flat.mean(2, keepdim=True))


class ColorVidNet(nn.Module):
    """Colour from luma, warped colour and the frame before (the paper's C)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1_1 = nn.Sequential(conv3(7, 32), nn.ReLU(), conv3(32, 64))
        self.conv1_2 = conv3(64, 64)
        self._add_stage(2, 64, 128, 128)
        self._add_stage(3, 128, 256, 256, 256)
        self._add_stage(4, 256, 512, 512, 512)
        self._add_stage(5, 512, 512, 512, 512, dilation=2)
        self._add_stage(6, 512, 512, 512, 512, dilation=2)
        self._add_stage(7, 512, 512, 512, 512)
        for name, channels in (("conv1_2", 64), ("conv2_2", 128), ("conv3_3", 256)):
            halve = nn.Conv2d(channels, channels, 1, stride=2, groups=channels, bias=False)
            self.add_module(f"{name}norm_ss", halve)
        self.conv8_1 = self._doubling(512, 256)
        self.conv3_3_short = conv3(256, 256)
        self.conv8_2, self.conv8_3 = conv3(256, 256), conv3(256, 256)
        self.conv9_1 = self._doubling(256, 128)
        self.conv2_2_short = conv3(128, 128)
        self.conv9_2 = conv3(128, 128)
        self.conv10_1 = self._doubling(128, 128)
        self.conv1_2_short = conv3(64, 128)
        self.conv10_2 = conv3(128, 128)
        self.conv10_ab = nn.Conv2d(128, 2, 1)

    def _add_stage(self, number: int, *widths: int, dilation: int = 1) -> None:
        for layer, (before, after) in enumerate(pairwise(widths), 1):
            self.add_module(f"conv{number}_{layer}", conv3(before, after, dilation=dilation))

    @staticmethod
    def _doubling(before: int, after: int) -> nn.Sequential:
        return nn.Sequential(nn.Upsample(scale_factor=2), conv3(before, after))

    def _run_stage(self, x: Tensor, number: int, layers: int, first: int = 1) -> Tensor:
        """Convolutions, each followed by ReLU, and an instance norm at the end."""
        for layer in range(first, layers + 1):
            x = functional.relu(self.get_submodule(f"conv{number}_{layer}")(x))
        return functional.instance_norm(x)

    def forward(self, x: Tensor) -> Tensor:
        """Predict colour.

        Args:
            x: `[B,7,h,w]`: L - 50, warped a and b, similarity, and L - 50, a and b of the frame
                before (zeros if there is none); h and w multiples of 8.

        Returns:
            ab `[B,2,h,w]`, -128..128.
        """
        one = self._run_stage(x, 1, 2)
        two = self._run_stage(self.get_submodule("conv1_2norm_ss")(one), 2, 2)
        three = self._run_stage(self.get_submodule("conv2_2norm_ss")(two), 3, 3)
        deep = self.get_submodule("conv3_3norm_ss")(three)
        for number in (4, 5, 6, 7):
            deep = self._run_stage(deep, number, 3)
        up = functional.relu(self.conv8_1(deep) + self.conv3_3_short(three))
        up = self._run_stage(up, 8, 3, first=2)
        up = functional.relu(self.conv9_1(up) + self.conv2_2_short(two))
        up = self._run_stage(up, 9, 2, first=2)
        up = functional.relu(self.conv10_1(up) + self.conv1_2_short(one))
        up = functional.leaky_relu(self.conv10_2(up), LEAK)
        return torch.tanh(self.conv10_ab(up)) * AB_SCALE


@dataclass(frozen=True)
class EncodedReference:
    """A reference, encoded for matching.

    Attributes:
        key: `[B,256,m]` of `WarpNet.key`.
        lab: The reference, L - 50, a and b, `[B,3,H,W]`.
    """

    key: Tensor
    lab: Tensor


class Devc(nn.Module):
    """The three networks together. Lab is L - 50, a and b throughout."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg, self.warp, self.color = Vgg19(), WarpNet(), ColorVidNet()

    def reference_rgb(self, lab: Tensor) -> Tensor:
        """VGG's input for a reference: RGB `[B,3,h,w]`, 0..1."""
        luma, ab = lab[:, :1] + L_CENTRE, lab[:, 1:]
        return lab_to_srgb(torch.cat([luma, ab], 1)).clamp(0, 1)

    def encode_reference(self, lab: Tensor) -> EncodedReference:
        """Encode a reference `[B,3,h,w]`; h is a multiple of 8, w of 16."""
        return EncodedReference(
            self.warp.key(self.warp.describe(self.vgg(self.reference_rgb(lab)))), lab
        )

    def describe(self, luma: Tensor) -> Tensor:
        """WarpNet's description `[B,256,h/4,w/4]` of frames L - 50 `[B,1,h,w]`."""
        grey = ((luma + L_CENTRE) / 100).expand(-1, 3, -1, -1)
        return self.warp.describe(self.vgg(grey))

    def query(self, luma: Tensor) -> Tensor:
        """Unit vectors for matching `[B,256,h/4*w/4]` of frames L - 50 `[B,1,h,w]`."""
        return self.warp.query(self.describe(luma))

    def match(
        self, luma: Tensor, known: EncodedReference, temperature: float
    ) -> tuple[Tensor, Tensor]:
        """Warp a reference's colour to a frame L - 50 `[B,1,h,w]`; see `carry`."""
        size = luma.shape[2], luma.shape[3]
        return carry(self.query(luma), known.key, known.lab, size, temperature)

    def step(self, luma: Tensor, warped: Tensor, similarity: Tensor, last: Tensor) -> Tensor:
        """Colour a frame.

        Args:
            luma: L - 50 `[B,1,h,w]`.
            warped: The warped Lab `[B,3,h,w]`; only its ab is used.
            similarity: `[B,1,h,w]`.
            last: Lab of the frame before `[B,3,h,w]`, zeros if there is none.

        Returns:
            ab `[B,2,h,w]`.
        """
        ab: Tensor = self.color(torch.cat([luma, warped[:, 1:], similarity, last], 1))
        return ab

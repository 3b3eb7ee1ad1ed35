"""Su, Chu, Huang, "Instance-aware Image Colorization", CVPR 2020, arXiv:2005.10825, in torch.

Three networks of one architecture (Zhang et al. 2017, see `vscolor.models.siggraph17.network`): one
colours the whole picture if there are no objects; one colours crops of objects; the third colours
the whole picture with the objects' features fused into its own. Names and shapes are those of the
published checkpoints.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor.models.siggraph17.network import AB_SCALE, L_CENTRE, L_SCALE, Siggraph17

MASK_CENTRE: Final = 0.5
HIDDEN: Final = 16
OUTSIDE: Final = 100_000.0
"""Added to the background's logit outside all boxes, so that objects get no weight there."""

LAYERS: Final = {
    "1": ("weight_layer", 64, 1),
    "2": ("weight_layer2", 128, 2),
    "3": ("weight_layer3", 256, 4),
    "4": ("weight_layer4", 512, 8),
    "5": ("weight_layer5", 512, 8),
    "6": ("weight_layer6", 512, 8),
    "7": ("weight_layer7", 512, 8),
    "8up": ("weight_layer8_1", 256, 4),
    "8": ("weight_layer8_2", 256, 4),
    "9up": ("weight_layer9_1", 128, 2),
    "9": ("weight_layer9_2", 128, 2),
    "10up": ("weight_layer10_1", 128, 1),
    "10": ("weight_layer10_2", 128, 1),
}
"""By stage of the network: published name of its weight layer, channels, stride."""


@dataclass(frozen=True)
class Placement:
    """Where an object's crop lies in a feature map of some stride, in whole samples.

    Attributes:
        left: Samples left of it.
        right: Samples right of it.
        top: Samples above it.
        bottom: Samples below it.
        width: Of the crop.
        height: Of the crop.
    """

    left: int
    right: int
    top: int
    bottom: int
    width: int
    height: int

    def fit(self, crop: Tensor) -> Tensor:
        """Scale `[1,C,h,w]` to the crop's size and pad it with zeros to the whole map."""
        small = functional.interpolate(
            crop, size=(self.height, self.width), mode="bilinear", align_corners=False
        )
        return functional.pad(small, (self.left, self.right, self.top, self.bottom))

    def cover(self, like: Tensor) -> Tensor:
        """Mask of the crop: 1 inside, 0 outside, `[1,1,H,W]`."""
        inside = like.new_ones(1, 1, self.height, self.width)
        return functional.pad(inside, (self.left, self.right, self.top, self.bottom))


def _logits(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((channels, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class WeightLayer(nn.Module):
    """Fuses objects' features into the picture's, with learned per-position weights."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.simple_instance_conv = _logits(channels)
        self.simple_bg_conv = _logits(channels)

    def forward(self, whole: Tensor, crops: Tensor, places: list[Placement]) -> Tensor:
        """Fuse.

        Inside any box, the softmax includes objects whose boxes lie elsewhere, with logit 0 and
        feature 0, which attenuates the result. The published weights were trained that way.

        Args:
            whole: Features of the picture `[1,C,H,W]`.
            crops: Features of the objects `[N,C,h,w]`.
            places: Position of each in `whole`.

        Returns:
            `[1,C,H,W]`.
        """
        scores = self.simple_instance_conv(crops)
        logits = [p.fit(s) for p, s in zip(places, torch.split(scores, 1), strict=True)]
        covered = torch.stack([p.cover(whole) for p in places]).amax(0)
        background = self.simple_bg_conv(whole) + (1 - covered) * OUTSIDE
        shares = torch.softmax(torch.cat([*logits, background], 1), dim=1)
        fused = whole * shares[:, -1:]
        for number, (place, crop) in enumerate(zip(places, torch.split(crops, 1), strict=True)):
            fused = fused + place.fit(crop) * shares[:, number : number + 1]
        return fused


class FusionNet(Siggraph17):
    """The network for the whole picture, with a weight layer after every stage."""

    def __init__(self) -> None:
        super().__init__()
        for name, channels, _ in LAYERS.values():
            self.add_module(name, WeightLayer(channels))
        self.weight_layerout = WeightLayer(2)  # in the checkpoint but unused here

    def fuse(
        self, x: Tensor, crops: dict[str, Tensor], places: dict[int, list[Placement]]
    ) -> Tensor:
        """Colour a picture with its objects' features.

        Args:
            x: `[1,4,h,w]` as for `Siggraph17.scaled`.
            crops: The objects' features `[N,C,h',w']`, by stage.
            places: Their positions, by stride: 1, 2, 4 and 8.

        Returns:
            ab / 110, `[1,2,h,w]`.
        """

        def lay_over(stage: str, features: Tensor) -> Tensor:
            name, _, stride = LAYERS[stage]
            fused: Tensor = self.get_submodule(name)(features, crops[stage], places[stride])
            return fused

        return self.scaled(x, lay_over)


def unhinted(luma: Tensor) -> Tensor:
    """Input without hints, `[B,4,h,w]` for L* `[B,1,h,w]`; here the mask is centred on 0."""
    ab = luma.new_zeros(luma.shape[0], 2, *luma.shape[2:])
    return torch.cat([(luma - L_CENTRE) / L_SCALE, ab, torch.full_like(luma, -MASK_CENTRE)], 1)


class InstColor(nn.Module):
    """The three networks together."""

    def __init__(self) -> None:
        super().__init__()
        self.G, self.GComp, self.GF = Siggraph17(), Siggraph17(), FusionNet()

    def color_crops(self, luma: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Ab `[N,2,h,w]` of objects' crops L* `[N,1,h,w]`, and their features by stage."""
        features: dict[str, Tensor] = {}

        def note(stage: str, x: Tensor) -> Tensor:
            # Sums with skip connections are taken after the ReLU of the next stage, which the
            # published network applies in-place.
            features[stage] = functional.relu(x) if stage.endswith("up") else x
            return x

        ab = self.G.scaled(unhinted(luma), note) * AB_SCALE
        return ab, features

    def forward(
        self,
        luma: Tensor,
        crops: Tensor | None = None,
        places: dict[int, list[Placement]] | None = None,
    ) -> Tensor:
        """Predict colour.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of 8; B is 1 if there are objects.
            crops: L* of the objects `[N,1,h',w']`; None if there are none.
            places: Their positions, by stride.

        Returns:
            ab `[B,2,h,w]`, -110..110.
        """
        if crops is None or places is None:
            whole: Tensor = self.GComp.scaled(unhinted(luma)) * AB_SCALE
            return whole
        _, features = self.color_crops(crops)
        return self.GF.fuse(unhinted(luma), features, places) * AB_SCALE

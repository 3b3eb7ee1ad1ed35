"""Su, Chu, Huang, "Instance-aware Image Colorization", CVPR 2020, arXiv:2005.10825, in torch.

Three networks of one kind (Zhang et al. 2017, see `vscolor.models.siggraph17.network`): one colours
the whole picture where no object is known; one colours crops of objects; the third colours the
whole picture while the objects' features are laid over its own. Names and shapes are those of the
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
"""Added to the background's logit where no box is: objects then have no share."""

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
"""Stage of the network: the published name of its fusion, channels, stride."""


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
        """Scale `[1,C,h,w]` to the place and surround it with zeros."""
        small = functional.interpolate(
            crop, size=(self.height, self.width), mode="bilinear", align_corners=False
        )
        return functional.pad(small, (self.left, self.right, self.top, self.bottom))

    def cover(self, like: Tensor) -> Tensor:
        """1 inside, 0 outside, `[1,1,H,W]`."""
        inside = like.new_ones(1, 1, self.height, self.width)
        return functional.pad(inside, (self.left, self.right, self.top, self.bottom))


def _logits(channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in ((channels, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, 1)):
        layers += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers)


class WeightLayer(nn.Module):
    """Lays objects' features over the picture's, each with a weight that is learned."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.simple_instance_conv = _logits(channels)
        self.simple_bg_conv = _logits(channels)

    def forward(self, whole: Tensor, crops: Tensor, places: list[Placement]) -> Tensor:
        """Fuse.

        A pixel in one object's box is shared by all objects, those elsewhere with logit 0 and
        feature 0: they dim it. The published weights were trained so.

        Args:
            whole: Features of the picture `[1,C,H,W]`.
            crops: Features of the objects `[N,C,h,w]`.
            places: Where each belongs in `whole`.

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
    """The network of the whole picture, with a weight layer behind every stage."""

    def __init__(self) -> None:
        super().__init__()
        for name, channels, _ in LAYERS.values():
            self.add_module(name, WeightLayer(channels))
        self.weight_layerout = WeightLayer(2)  # in the checkpoint, and of no use here

    def fuse(
        self, x: Tensor, crops: dict[str, Tensor], places: dict[int, list[Placement]]
    ) -> Tensor:
        """Colour a picture with its objects' features.

        Args:
            x: `[1,4,h,w]` as of `Siggraph17.scaled`.
            crops: The objects' features `[N,C,h',w']`, by stage.
            places: Where they belong, by stride: 1, 2, 4 and 8.

        Returns:
            ab / 110, `[1,2,h,w]`.
        """

        def lay_over(stage: str, features: Tensor) -> Tensor:
            name, _, stride = LAYERS[stage]
            fused: Tensor = self.get_submodule(name)(features, crops[stage], places[stride])
            return fused

        return self.scaled(x, lay_over)


def unhinted(luma: Tensor) -> Tensor:
    """Input without hints, `[B,4,h,w]` of L* `[B,1,h,w]`: here their mask is centred."""
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
            # The sums with short cuts are handed over behind the ReLU of the stage they enter,
            # which the published network applies in place.
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
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of 8; B is 1 where there are objects.
            crops: L* of the objects `[N,1,h',w']`; None where there are none.
            places: Where they belong, by stride.

        Returns:
            ab `[B,2,h,w]`, -110..110.
        """
        if crops is None or places is None:
            whole: Tensor = self.GComp.scaled(unhinted(luma)) * AB_SCALE
            return whole
        _, features = self.color_crops(crops)
        return self.GF.fuse(unhinted(luma), features, places) * AB_SCALE

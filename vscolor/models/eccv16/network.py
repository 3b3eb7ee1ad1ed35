"""Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, arXiv:1603.08511, in torch.

Names and shapes are those of the published checkpoint, so that it loads strictly.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from vscolor.models.layers import conv3, stage

BINS = 313
MULTIPLE = 8
AB_STRIDE = 4
AB_SCALE = 110.0
L_CENTRE, L_SCALE = 50.0, 100.0


class Eccv16(nn.Module):
    """Luma to a distribution over 313 colours and its mean."""

    def __init__(self) -> None:
        super().__init__()
        self.model1 = stage(1, 64, 64, last_stride=2)
        self.model2 = stage(64, 128, 128, last_stride=2)
        self.model3 = stage(128, 256, 256, 256, last_stride=2)
        self.model4 = stage(256, 512, 512, 512)
        self.model5 = stage(512, 512, 512, 512, dilation=2)
        self.model6 = stage(512, 512, 512, 512, dilation=2)
        self.model7 = stage(512, 512, 512, 512)
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(512, 256, 4, stride=2, padding=1),
            nn.ReLU(),
            conv3(256, 256),
            nn.ReLU(),
            conv3(256, 256),
            nn.ReLU(),
            nn.Conv2d(256, BINS, 1),
        )
        self.model_out = nn.Conv2d(BINS, 2, 1, bias=False)

    def logits(self, luma: Tensor) -> Tensor:
        """Scores of the colours.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, of any size.

        Returns:
            `[B,313,2*ceil(h/8),2*ceil(w/8)]`.
        """
        x: Tensor = (luma - L_CENTRE) / L_SCALE
        for part in (self.model1, self.model2, self.model3, self.model4):
            x = part(x)
        for part in (self.model5, self.model6, self.model7, self.model8):
            x = part(x)
        return x

    def mean_color(self, logits: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
        """Mean colour of the sharpened distribution, ab `[B,2,h',w']` for logits `[B,313,h',w']`.

        The checkpoint uses a plain softmax (temperature 1); the paper's annealed mean uses 0.38
        (section 2.3).
        """
        mean: Tensor = self.model_out(torch.softmax(logits / temperature, dim=1)) * AB_SCALE
        return mean

    def small(self, luma: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
        """Ab `[B,2,2*ceil(h/8),2*ceil(w/8)]`, a quarter of luma's size."""
        return self.mean_color(self.logits(luma), temperature)

    def forward(self, luma: Tensor, temperature: float | Tensor = 1.0) -> Tensor:
        """Ab `[B,2,8*ceil(h/8),8*ceil(w/8)]` as published: `small` upscaled bilinearly."""
        return functional.interpolate(
            self.small(luma, temperature), scale_factor=4.0, mode="bilinear", align_corners=False
        )

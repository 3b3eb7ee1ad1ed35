"""Zhang et al., "Real-Time User-Guided Image Colorization", SIGGRAPH 2017, arXiv:1705.02999.

The main branch with local hints, in torch; names and shapes are the published checkpoint's.
Instance-aware colourization (Su et al. 2020) uses it too, modifying intermediate features and
centring the mask.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import torch
from torch import Tensor, nn

from vscolor.models.layers import LEAK, conv3, stage

MULTIPLE: Final = 8
AB_SCALE: Final = 110.0
L_CENTRE, L_SCALE = 50.0, 100.0
CLASSES: Final = 529

type Tap = Callable[[str, Tensor], Tensor]
"""Called with a stage's name (`1`, ..., `7`, `8up`, `8`, ..., `10`) and its features `[B,C,h,w]`;
its result replaces the features, also in the skip connections."""


def _keep(_stage: str, features: Tensor) -> Tensor:
    return features


def _short(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(conv3(channels_in, channels_out))


def _up(channels_in: int, channels_out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(channels_in, channels_out, 4, stride=2, padding=1))


class Siggraph17(nn.Module):
    """Colour from luma and the user's colour hints."""

    def __init__(self) -> None:
        super().__init__()
        self.model1 = stage(4, 64, 64)
        self.model2 = stage(64, 128, 128)
        self.model3 = stage(128, 256, 256, 256)
        self.model4 = stage(256, 512, 512, 512)
        self.model5 = stage(512, 512, 512, 512, dilation=2)
        self.model6 = stage(512, 512, 512, 512, dilation=2)
        self.model7 = stage(512, 512, 512, 512)
        self.model8up = _up(512, 256)
        self.model3short8 = _short(256, 256)
        self.model8 = stage(256, 256, 256, opens_with_relu=True)
        self.model9up = _up(256, 128)
        self.model2short9 = _short(128, 128)
        self.model9 = stage(128, 128, opens_with_relu=True)
        self.model10up = _up(128, 128)
        self.model1short10 = _short(64, 128)
        self.model10 = nn.Sequential(nn.ReLU(), conv3(128, 128), nn.LeakyReLU(LEAK))
        # In the checkpoint but unused here: the head of the training's second loss.
        self.model_class = nn.Sequential(nn.Conv2d(256, CLASSES, 1))
        self.model_out = nn.Sequential(nn.Conv2d(128, 2, 1))

    def scaled(self, x: Tensor, tap: Tap = _keep) -> Tensor:
        """Run the network on its own value ranges.

        Args:
            x: `[B,4,h,w]`: (L - 50) / 100, a / 110, b / 110 of the hints, and their mask; h and w
                multiples of 8.
            tap: Receives, and may replace, the features of every stage.

        Returns:
            ab / 110, `[B,2,h,w]`, -1..1.
        """
        # Downsampled by dropping every other sample: the published network has no stride here.
        conv1 = tap("1", self.model1(x))
        conv2 = tap("2", self.model2(conv1[:, :, ::2, ::2]))
        conv3 = tap("3", self.model3(conv2[:, :, ::2, ::2]))
        deep = tap("4", self.model4(conv3[:, :, ::2, ::2]))
        deep = tap("5", self.model5(deep))
        deep = tap("6", self.model6(deep))
        deep = tap("7", self.model7(deep))
        up = tap("8up", self.model8up(deep) + self.model3short8(conv3))
        up = tap("8", self.model8(up))
        up = tap("9up", self.model9up(up) + self.model2short9(conv2))
        up = tap("9", self.model9(up))
        up = tap("10up", self.model10up(up) + self.model1short10(conv1))
        up = tap("10", self.model10(up))
        return torch.tanh(self.model_out(up))

    def forward(
        self, luma: Tensor, hint_ab: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """Predict colour.

        Args:
            luma: L* `[B,1,h,w]`, 0..100, h and w multiples of 8.
            hint_ab: ab of the hints `[B,2,h,w]`, zero elsewhere; None for no hints.
            mask: 1 where a hint is, else 0, `[B,1,h,w]`; None for no hints.

        Returns:
            ab `[B,2,h,w]`, -110..110.
        """
        shape = luma.shape[0], 2, *luma.shape[2:]
        ab = luma.new_zeros(shape) if hint_ab is None else hint_ab / AB_SCALE
        marks = torch.zeros_like(luma) if mask is None else mask
        return self.scaled(torch.cat([(luma - L_CENTRE) / L_SCALE, ab, marks], 1)) * AB_SCALE

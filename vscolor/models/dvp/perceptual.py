"""The authors' perceptual loss on VGG-19, in both versions.

Their training without IRT uses it. `ReferenceFit` uses L1 instead, since VGG's weights cannot be
shipped; this loss is here to be compared with results of the authors' network. Its weights are the
`features` of torchvision's `vgg19-dcbb9e9d.pth`.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor, nn
from torch.nn import functional

WIDTHS: Final = ((64, 64), (128, 128), (256,) * 4, (512,) * 4, (512,) * 4)
WEIGHTS: Final = (1 / 2.6, 1 / 4.8, 1 / 3.7, 1 / 5.6, 10 / 1.5)
"""Weights of the second layer of each group."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
ORIGINAL_MEAN: Final = (123.68, 116.779, 103.939)


class Vgg19(nn.Module):
    """VGG-19 up to the second layer of its fifth group, with torchvision's keys."""

    def __init__(self, average: bool = False) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for group in WIDTHS:
            for width in group:
                layers += [nn.Conv2d(before, width, 3, padding=1), nn.ReLU()]
                before = width
            layers.append(nn.AvgPool2d(2) if average else nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Outputs of each group's second layer for `[B,3,h,w]`, after its ReLU."""
        taken, convolutions = [], 0
        for layer in self.features:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                convolutions += 1
                if convolutions == 2:
                    taken.append(x)
            elif not isinstance(layer, nn.Conv2d):
                convolutions = 0
            if len(taken) == len(WIDTHS):
                break
        return taken


class Perceptual:
    """The loss between two pictures, RGB 0..1 `[B,3,h,w]`.

    Args:
        vgg: `Vgg19` with weights; with average pooling for the original's version.
        original: Whether to use the TensorFlow original's version: inputs 0..255 minus a mean, all
            terms divided by 255.
    """

    def __init__(self, vgg: Vgg19, *, original: bool = False) -> None:
        self._vgg = vgg.requires_grad_(requires_grad=False)
        self._original = original

    def __call__(self, made: Tensor, wanted: Tensor) -> Tensor:
        """L1 of the pictures plus the weighted L1 of five layers' features."""
        made, wanted = self._normalised(made), self._normalised(wanted)
        total = functional.l1_loss(made, wanted)
        for weight, a, b in zip(WEIGHTS, self._vgg(made), self._vgg(wanted), strict=True):
            total = total + weight * functional.l1_loss(a, b)
        return total / 255 if self._original else total

    def _normalised(self, x: Tensor) -> Tensor:
        mean, deviation = (MEAN, DEVIATION)
        if self._original:
            return 255 * x - x.new_tensor(ORIGINAL_MEAN)[:, None, None]
        return (x - x.new_tensor(mean)[:, None, None]) / x.new_tensor(deviation)[:, None, None]

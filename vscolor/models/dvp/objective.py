"""The authors' losses of iteratively reweighted training, and TensorFlow's Adam.

A network with 6 output channels predicts two pictures, the main and the minor one; each pixel of
the frame is assigned to the closer one.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor
from torch.optim import Adam

MINOR_WEIGHT: Final = 0.9
"""Of the minor picture's loss while both are fitted to the first frame."""

DARKEST: Final = 0.1
"""Added to the input's brightness, by which differences are divided."""

RATE: Final = 1e-4


def halves(made: Tensor) -> tuple[Tensor, Tensor]:
    """Split an output into the main and the minor picture."""
    main, minor = made.chunk(2, dim=1)
    return main, minor


def first_frame_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Phase 1: both pictures are fitted to the same frame, the minor one with a lower weight."""
    main, minor = halves(made)
    return (main - wanted).abs().mean() + MINOR_WEIGHT * (minor - wanted).abs().mean()


def confidence(made: Tensor, wanted: Tensor, seen: Tensor) -> Tensor:
    """1 where the main picture is closer, else 0, `[B,1,h,w]`.

    Args:
        made: `[B,2C,h,w]`.
        wanted: `[B,C,h,w]`.
        seen: The network's input, `[B,C,h,w]` or `[B,1,h,w]`, in 0..1.
    """
    main, minor = (
        ((half - wanted).abs() / (seen + DARKEST)).amax(dim=1, keepdim=True)
        for half in halves(made.detach())
    )
    return (main < minor).to(made.dtype)


def reweighted_loss(made: Tensor, wanted: Tensor, share: Tensor) -> Tensor:
    """Phase 2: each picture is fitted to its own pixels only; means are over all pixels."""
    main, minor = halves(made)
    own = ((main - wanted).abs() * share).mean()
    return own + ((minor - wanted).abs() * (1 - share)).mean()


class TensorFlowAdam(Adam):
    """Adam with epsilon outside the bias correction, as in TensorFlow."""

    EPSILON: Final = 1e-8

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step, with epsilon set so that PyTorch's formula gives TensorFlow's result."""
        for group in self.param_groups:
            taken = [int(self.state[p]["step"]) for p in group["params"] if self.state[p]]
            count = 1 + max(taken, default=0)
            group["eps"] = self.EPSILON / (1 - group["betas"][1] ** count) ** 0.5
        super().step(closure)


def optimizer_step(optimizer: Adam, loss: Tensor) -> None:
    """Take one optimiser step on a loss."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

"""The authors' losses of iteratively reweighted training, and TensorFlow's Adam.

A network of 6 channels makes two pictures, the main one and the minor one; each pixel of the frame
is given to the one that is nearer.
"""

from __future__ import annotations

from typing import Final

from torch import Tensor
from torch.optim import Adam

MINOR_WEIGHT: Final = 0.9
"""Of the minor picture while both learn the first frame."""

DARKEST: Final = 0.1
"""Added to the input below the differences, which count by its brightness."""

RATE: Final = 1e-4


def halves(made: Tensor) -> tuple[Tensor, Tensor]:
    """The main and the minor picture."""
    main, minor = made.chunk(2, dim=1)
    return main, minor


def first_frame_loss(made: Tensor, wanted: Tensor) -> Tensor:
    """Phase 1: both pictures learn the same frame, the minor one more slowly."""
    main, minor = halves(made)
    return (main - wanted).abs().mean() + MINOR_WEIGHT * (minor - wanted).abs().mean()


def confidence(made: Tensor, wanted: Tensor, seen: Tensor) -> Tensor:
    """Where the main picture is nearer, `[B,1,h,w]` of 0 and 1.

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
    """Phase 2: each picture answers for its own pixels; means are over all of them."""
    main, minor = halves(made)
    own = ((main - wanted).abs() * share).mean()
    return own + ((minor - wanted).abs() * (1 - share)).mean()


class TensorFlowAdam(Adam):
    """Adam with epsilon outside the bias correction, as TensorFlow has it."""

    EPSILON: Final = 1e-8

    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Take a step; epsilon is set so that PyTorch's formula gives TensorFlow's result."""
        for group in self.param_groups:
            taken = [int(self.state[p]["step"]) for p in group["params"] if self.state[p]]
            count = 1 + max(taken, default=0)
            group["eps"] = self.EPSILON / (1 - group["betas"][1] ** count) ** 0.5
        super().step(closure)


def optimizer_step(optimizer: Adam, loss: Tensor) -> None:
    """One step down."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()

"""Fit a network to one scene: the project's loop and the authors'.

Both are stepwise, so that a fit can be saved, resumed and shown in progress. A step's data depend
only on the seed and the step's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.optim import Adam
from torch.optim.swa_utils import get_ema_multi_avg_fn

from vscolor.models.dvp import objective, reference
from vscolor.models.dvp.architecture import MULTIPLE, STRIDE
from vscolor.models.dvp.network import PriorNet, colours, initialise, select_mode

LEVELS: Final = 224.0
"""8-bit levels per nominal unit of chroma."""

BATCH: Final = 6
RATE: Final = 2e-3
AVERAGING: Final = 0.98
HELD_OUT: Final = 6
"""Every sixth frame is held out for early stopping."""

TOGETHER: Final = 120
"""Steps of the first phase, in which both colours are fitted to every frame."""

MIN_STEPS: Final = 300
MAX_STEPS: Final = 630
EPOCHS: Final = 12
"""Maximum passes over a long scene."""

CROP: Final = 2
"""Training crops are this many times smaller than the frame in each direction."""

LIGHT: Final = 0.1
"""Full range of a crop's random luma offset, and of its random gain around 1."""

CHECK_EVERY: Final = 30
PATIENCE: Final = 6
GAIN: Final = 0.997
"""A held-out error below this fraction of the best one counts as an improvement."""

SOFTNESS: Final = 4.0
"""Levels; smaller errors count about quadratically, larger ones linearly (with reweighting)."""

SHARE_WEIGHT: Final = 0.2
REFERENCE_EPOCHS: Final = 25
REFERENCE_FIRST: Final = 5
"""Epochs on the first frame alone, with iteratively reweighted training."""


@dataclass(frozen=True)
class Scene:
    """The frames to fit.

    Attributes:
        luma: `[N,1,h,w]`, nominal 0..1.
        chroma: U, V `[N,2,h/2,w/2]`, nominal -0.5..0.5; for the authors' network `[N,2,h,w]`.
    """

    luma: Tensor
    chroma: Tensor

    def __len__(self) -> int:
        """The number of frames."""
        return len(self.luma)


class Fit(Protocol):
    """A fit in progress."""

    step: int

    @property
    def steps(self) -> int:
        """The maximum number of steps."""
        ...

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        ...

    def advance(self) -> None:
        """Take a step."""
        ...

    def state(self) -> dict[str, Any]:
        """All that is needed to resume."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Resume from a result of `state`."""
        ...

    def result(self) -> dict[str, Tensor]:
        """The network's weights, in the form they are stored in."""
        ...


def robust(difference: Tensor) -> Tensor:
    """Element-wise Charbonnier loss of a chroma difference, in units of `SOFTNESS` levels."""
    levels = difference * (LEVELS / SOFTNESS)
    return (levels.square() + 1).sqrt() - 1


class PriorFit:
    """The project's fit: random batches, a moving average of the weights, early stopping.

    Args:
        scene: The frames to fit.
        irt: Whether to use iteratively reweighted training.
        seed: Random seed of initial weights, order and crops.
        device: Where to run.
    """

    def __init__(self, scene: Scene, *, irt: bool, seed: int, device: torch.device) -> None:
        self._irt, self._seed = irt, seed
        self._luma, self._chroma = scene.luma.to(device), scene.chroma.to(device)
        network = PriorNet(irt=irt)
        initialise(network, seed)
        self._network = network.to(device).to(memory_format=torch.channels_last)
        self._average = PriorNet(irt=irt).to(device).to(memory_format=torch.channels_last)
        self._average.load_state_dict(network.state_dict())
        self._optimizer = Adam(self._network.parameters(), lr=RATE, fused=True)
        held = [n for n in range(len(scene)) if n % HELD_OUT == HELD_OUT // 2]
        self._held = held if len(scene) >= HELD_OUT else []
        self._seen = [n for n in range(len(scene)) if n not in self._held]
        self._best = {k: v.clone() for k, v in self._average.state_dict().items()}
        self._least, self._since = float("inf"), 0
        self.step = 0

    @property
    def steps(self) -> int:
        """See `Fit`."""
        passes = EPOCHS * len(self._seen) // BATCH
        return max(MAX_STEPS, passes) if self._held else MIN_STEPS

    @property
    def done(self) -> bool:
        """See `Fit`."""
        return self.step >= self.steps or self._since >= PATIENCE

    def advance(self) -> None:
        """See `Fit`."""
        objective.optimizer_step(self._optimizer, self._loss(*self._parts()))
        self.step += 1
        decay = min(AVERAGING, self.step / (self.step + 9))
        means, weights = (list(n.parameters()) for n in (self._average, self._network))
        get_ema_multi_avg_fn(decay)(means, weights, self.step)
        if self.step % CHECK_EVERY == 0 or self.step == self.steps:
            self._check()

    def _batch(self) -> list[int]:
        """This step's frames, consecutive in an order that is reshuffled for every pass."""
        count = len(self._seen)
        places = range(self.step * BATCH, self.step * BATCH + min(BATCH, count))
        orders = {p // count: self._order(p // count) for p in places}
        return [self._seen[orders[p // count][p % count]] for p in places]

    def _parts(self) -> tuple[Tensor, Tensor]:
        """Random crops of this step's frames, with random gain and offset of luma.

        The network would recognise a whole frame and memorise its flicker; crops with altered
        luma are harder to recognise. They also cost less.
        """
        rng = torch.Generator().manual_seed(1_000_003 * self._seed + self.step)
        height, width = (
            max(MULTIPLE, n // CROP // MULTIPLE * MULTIPLE) for n in self._luma.shape[2:]
        )
        lumas, chromas = [], []
        for n in self._batch():
            chance = torch.rand(4, generator=rng).tolist()
            spare = [
                (a - b) // STRIDE
                for a, b in zip(self._luma.shape[2:], (height, width), strict=True)
            ]
            top, left = (STRIDE * round(c * s) for c, s in zip(chance, spare, strict=False))
            luma = self._luma[n, :, top : top + height, left : left + width]
            lumas.append(luma * (1 + LIGHT * (chance[2] - 0.5)) + LIGHT * (chance[3] - 0.5))
            top, left = top // STRIDE, left // STRIDE
            chromas.append(
                self._chroma[n, :, top : top + height // STRIDE, left : left + width // STRIDE]
            )
        return torch.stack(lumas), torch.stack(chromas)

    def _order(self, number: int) -> list[int]:
        rng = torch.Generator().manual_seed(1_000_003 * self._seed + number)
        order: list[int] = torch.randperm(len(self._seen), generator=rng).tolist()
        return order

    def _loss(self, luma: Tensor, wanted: Tensor) -> Tensor:
        made = self._network(luma)
        if not self._irt:
            return functional.mse_loss(made * LEVELS, wanted * LEVELS) / SOFTNESS**2
        main, minor, logit = colours(made)
        to_main, to_minor = (robust(x - wanted).mean(dim=1, keepdim=True) for x in (main, minor))
        if self.step < TOGETHER:
            # The minor colour is fitted mostly where the main one errs.
            missed = to_main.detach()
            missed = missed / missed.mean().clamp_min(1e-6)
            return to_main.mean() + (to_minor * missed).mean()
        nearer = (to_main < to_minor).to(made.dtype).detach()
        own = torch.where(nearer > 0, to_main, to_minor).mean()
        share = functional.binary_cross_entropy_with_logits(logit, nearer)
        return own + SHARE_WEIGHT * share

    @torch.no_grad()
    def _check(self) -> None:
        """Keep the averaged weights if the held-out error is the lowest so far."""
        if not self._held:
            self._keep()
            return
        if self.step <= TOGETHER and self._irt:
            return
        # The mean (no IRT) is judged by squared error, the majority (IRT) by absolute error.
        power = 1 if self._irt else 2
        errors = [
            (select_mode(self._average(self._luma[n : n + 1])) - self._chroma[n : n + 1])
            .abs()
            .pow(power)
            .mean()
            for n in self._held
        ]
        error = float(torch.stack(errors).mean())
        if error < GAIN * self._least:
            self._least, self._since = error, 0
            self._keep()
        elif self.step > MIN_STEPS:
            self._since += 1

    def _keep(self) -> None:
        self._best = {k: v.clone() for k, v in self._average.state_dict().items()}

    def state(self) -> dict[str, Any]:
        """See `Fit`."""
        return {
            "network": self._network.state_dict(),
            "average": self._average.state_dict(),
            "best": self._best,
            "optimizer": self._optimizer.state_dict(),
            "counts": [self.step, self._since],
            "least": self._least,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Fit`."""
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._best, self._least = state["best"], state["least"]
        self.step, self._since = state["counts"]

    def result(self) -> dict[str, Tensor]:
        """See `Fit`: the best averaged weights, half precision."""
        return {k: v.half().cpu().contiguous() for k, v in self._best.items()}


class ReferenceFit:
    """The authors' loop: one frame per step, in order, Adam 1e-4, a fixed number of epochs.

    Args:
        luma: `[N,1,h,w]`, the grey input.
        rgb: `[N,3,h,w]`, the processed frames, 0..1.
        irt: Whether to use iteratively reweighted training, with its phase on the first frame;
            without it the loss is L1 instead of theirs, which needs VGG-19.
        seed: Random seed of the initial weights.
        device: Where to run.
        epochs: Passes over the scene.
    """

    def __init__(
        self,
        luma: Tensor,
        rgb: Tensor,
        *,
        irt: bool,
        seed: int,
        device: torch.device,
        epochs: int = REFERENCE_EPOCHS,
    ) -> None:
        self._luma, self._rgb, self._irt = luma.to(device), rgb.to(device), irt
        network = reference.TorchNet(6 if irt else 3)
        reference.initialise(network, seed)
        self._network = network.to(device)
        self._optimizer = Adam(self._network.parameters(), lr=objective.RATE)
        self._epochs = epochs
        self.step = 0

    @property
    def steps(self) -> int:
        """See `Fit`."""
        return self._epochs * len(self._luma)

    @property
    def done(self) -> bool:
        """See `Fit`."""
        return self.step >= self.steps

    def advance(self) -> None:
        """See `Fit`."""
        epoch, n = divmod(self.step, len(self._luma))
        first = self._irt and epoch < REFERENCE_FIRST
        n = 0 if first else n
        seen, wanted = self._luma[n : n + 1].expand(-1, 3, -1, -1), self._rgb[n : n + 1]
        made = self._network(seen)
        if not self._irt:
            loss = functional.l1_loss(made, wanted)
        elif first:
            loss = objective.first_frame_loss(made, wanted)
        else:
            loss = objective.reweighted_loss(made, wanted, objective.confidence(made, wanted, seen))
        objective.optimizer_step(self._optimizer, loss)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """See `Fit`."""
        return {
            "network": self._network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "counts": [self.step],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """See `Fit`."""
        self._network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        (self.step,) = state["counts"]

    def result(self) -> dict[str, Tensor]:
        """See `Fit`: the current weights."""
        return {k: v.cpu().contiguous() for k, v in self._network.state_dict().items()}

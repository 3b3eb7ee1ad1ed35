"""Train `blind` on pairs of steady chroma and the same chroma with flicker added.

The loss is the error of each frame's output against the steady chroma, plus the change of that
error from frame to frame: a constant error costs less than a flickering one. No optical flow is
needed, as the steady chroma moves with the picture. Checkpoints and weight averaging (EMA) are
those of `vscolor.training.run`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from vscolor.models.blind.architecture import VERSION
from vscolor.models.blind.network import Blind, load
from vscolor.training.flicker import flickering
from vscolor.training.footage import CHROMA_LEVELS, FRAMES, Piece, Shot, camera_piece, shot_piece
from vscolor.training.photographs import Photographs
from vscolor.training.record import data_of, hash_of, open_run
from vscolor.training.run import (
    CHECKPOINT,
    Progress,
    Run,
    Tell,
    tell_nobody,
    training_loop,
    update_ema,
    write_weights,
)


@dataclass(frozen=True)
class Recipe:
    """All settings that affect the result, apart from the pictures.

    Attributes:
        minutes: Length of the schedule in processor time, which does not depend on other programs.
        steps: Maximum number of steps.
        rate: Peak learning rate.
        pieces: Pieces in a batch.
        frames: Frames of a piece.
        side: Height and width of a piece, a multiple of 8.
        film_share: Fraction of the pieces that come from films.
        steadiness: Weight of the error's change from frame to frame.
        averaging: Decay of the EMA of the weights, per step.
        seed: Random seed.
    """

    minutes: float = 15.0
    steps: int = 100_000
    rate: float = 2e-3
    pieces: int = 8
    frames: int = FRAMES
    side: int = 96
    film_share: float = 0.5
    steadiness: float = 2.0
    averaging: float = 0.99
    seed: int = 0


class Batch(NamedTuple):
    """Luma `[T,B,1,h,w]` in 0..1, input and target chroma `[T,B,2,h/4,w/4]` in nominal units."""

    luma: Tensor
    given: Tensor
    steady: Tensor


def make_batch(photographs: Photographs, shots: Sequence[Shot], recipe: Recipe, step: int) -> Batch:
    """Make batch number `step`, a pure function of the arguments."""
    rng = np.random.default_rng((recipe.seed, step))
    pieces = []
    for _ in range(recipe.pieces):
        from_film = bool(shots) and rng.random() < recipe.film_share
        size = (recipe.frames, recipe.side)
        piece = (
            shot_piece(shots, *size, rng) if from_film else camera_piece(photographs, *size, rng)
        )
        if piece.steady is None:
            piece = Piece(piece.luma, flickering(piece.chroma, rng), piece.chroma)
        pieces.append(_worn(piece, rng))
    luma = np.stack([p.luma for p in pieces], axis=1)[:, :, None]
    given, steady = (
        np.stack([getattr(p, name) for p in pieces], axis=1) / CHROMA_LEVELS
        for name in ("chroma", "steady")
    )
    return Batch(*(torch.from_numpy(np.asarray(x, np.float32)) for x in (luma, given, steady)))


def _worn(piece: Piece, rng: np.random.Generator) -> Piece:
    """Add grain and brightness flicker to the luma of one piece in three."""
    if rng.random() > 1 / 3:
        return piece
    light = rng.normal(1, 0.03, (len(piece.luma), 1, 1))
    grain = rng.normal(0, rng.uniform(0, 0.03), piece.luma.shape)
    return Piece(np.asarray(piece.luma * light + grain, np.float32), piece.chroma, piece.steady)


def run(network: Blind, luma: Tensor, given: Tensor) -> Tensor:
    """Run the network over all frames of a batch; its outputs `[T,B,2,h/4,w/4]`."""
    memory, made = network.fresh_memory(luma[0]), [given[0]]
    for t in range(len(luma)):
        steady, memory = network(luma[t], luma[max(0, t - 1)], given[t], made[-1], memory)
        made.append(steady)
    return torch.stack(made[1:])


def loss(network: Blind, batch: Batch, steadiness: float) -> tuple[Tensor, Tensor]:
    """The loss, and its term for the change from frame to frame alone, in 8-bit levels."""
    error = CHROMA_LEVELS * (run(network, batch.luma, batch.given) - batch.steady)
    still = torch.sqrt(error[1:] ** 2 + 0.25).mean()
    moving = torch.sqrt((error[1:] - error[:-1]) ** 2 + 0.0625).mean()
    return still + steadiness * moving, moving


class Trainer(Run[Blind]):
    """One training run: network, EMA, optimizer and progress, saved and restored together."""

    def __init__(self, recipe: Recipe, initial: Path | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.progress = recipe, Progress()
        self.model = Blind() if initial is None else load(initial)
        self.optimizer = AdamW(self.model.parameters(), lr=recipe.rate, weight_decay=1e-4)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}

    @property
    def share(self) -> float:
        """Fraction of the schedule done, 0..1."""
        spent = self.progress.seconds / (60 * self.recipe.minutes)
        return min(1.0, max(spent, self.progress.step / self.recipe.steps))

    def learn(self, batch: Batch, share: float) -> dict[str, float]:
        """Train one step at `share` of the schedule; returns the values to log."""
        rate = min(1.0, share / 0.02 + 0.05) * (0.51 + 0.49 * math.cos(math.pi * share))
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate * rate
        total, moving = loss(self.model, batch, self.recipe.steadiness)
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.progress.step += 1
        update_ema(self.average, self.model, self.progress.step, self.recipe.averaging)
        with torch.no_grad():
            flicker = (batch.given - batch.steady).diff(dim=0).abs().mean() * CHROMA_LEVELS
        return {
            "loss": total.item(),
            "rate": self.recipe.rate * rate,
            "moving": moving.item(),
            "before": flicker.item(),
        }

    def publish(self, path: Path) -> None:
        """Write the EMA weights for release: half precision, safetensors."""
        write_weights(self.average, path, VERSION)


def train(
    recipe: Recipe,
    photographs: Photographs,
    shots: Sequence[Shot],
    folder: Path,
    *,
    films: Sequence[str] = (),
    resume: bool = False,
    initial: Path | None = None,
    every: float = 60.0,
    tell: Tell = tell_nobody,
) -> Path:
    """Train, writing into a folder as `still.train` does, here `blind.safetensors`.

    Args:
        recipe: Training settings.
        photographs: Pictures for the moving camera.
        shots: Shots of films; may be empty.
        folder: Where to write.
        films: Names of the films the shots come from, for the record.
        resume: Continue from the folder's checkpoint.
        initial: Weights to start from; None for untrained ones.
        every: Seconds between checkpoints.
        tell: Called after every step.

    Returns:
        The weight file.

    Raises:
        SettingError, WeightsError, KeyboardInterrupt: As in `still.train`.
    """
    trainer = Trainer(recipe, initial)
    weights, checkpoint = folder / "blind.safetensors", folder / CHECKPOINT
    record = {
        "model": "blind",
        "recipe": asdict(recipe),
        "initial": hash_of(initial),
        "pictures": data_of(photographs.names),
        "films": list(films),
        "shots": [shot.rgb.shape for shot in shots],
    }
    open_run(folder, checkpoint, record, resume=resume)
    if resume:
        trainer.restore(checkpoint)
    steps = range(trainer.progress.step, recipe.steps)
    training_loop(
        trainer,
        (make_batch(photographs, shots, recipe, step) for step in steps),
        trainer.learn,
        lambda: trainer.publish(weights),
        share=lambda: trainer.share,
        folder=folder,
        every=every,
        tell=tell,
        clock=time.process_time,
    )
    return weights

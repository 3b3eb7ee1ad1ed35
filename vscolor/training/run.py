"""What every training run does: schedule, average, checkpoint, log, and weights as they ship."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from vscolor.files import replacing

type State = dict[str, Tensor]


class BatchSize(Protocol):
    """How batches are drawn; `size` is what the schedule counts."""

    @property
    def size(self) -> int:
        """Samples in a batch."""
        ...


class Schedule(Protocol):
    """What a recipe says of a run's length and its learning rate."""

    @property
    def samples(self) -> int:
        """Samples to see in all."""
        ...

    @property
    def hours(self) -> float | None:
        """Wall-clock limit; None trains until `samples`."""
        ...

    @property
    def warm_up(self) -> float:
        """Part of the schedule in which the rate rises."""
        ...

    @property
    def final_rate(self) -> float:
        """Rate at the end, relative to the peak."""
        ...

    @property
    def batches(self) -> BatchSize:
        """How samples become batches."""
        ...


@dataclass(frozen=True)
class Places:
    """Where a run reads and writes.

    Attributes:
        photographs: Folder of colour photographs.
        run: Folder for checkpoint, log and weights.
        cache: Folder for the decoded pictures.
    """

    photographs: Path
    run: Path
    cache: Path


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: Batches done.
        started: Clock at the start of the run, seconds since 1970.
    """

    step: int
    started: float

    def share(self, recipe: Schedule, now: float) -> float:
        """Part of the schedule that is behind us, 0..1."""
        share = self.step * recipe.batches.size / recipe.samples
        if recipe.hours is not None:
            share = max(share, (now - self.started) / (3600.0 * recipe.hours))
        return min(share, 1.0)


def steps_of(recipe: Schedule) -> int:
    """Batches in the whole schedule."""
    return math.ceil(recipe.samples / recipe.batches.size)


def rate_at(share: float, recipe: Schedule) -> float:
    """Learning rate relative to the peak: linear rise, cosine fall."""
    if share < recipe.warm_up:
        return max(share / recipe.warm_up, 1e-2)
    fallen = (share - recipe.warm_up) / (1.0 - recipe.warm_up)
    return recipe.final_rate + (1.0 - recipe.final_rate) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def average_in(average: State, model: nn.Module, step: int, limit: float) -> None:
    """Move an average of the weights towards them, faster while the run is young.

    Args:
        average: Written to.
        model: What the step number `step` made.
        step: Steps done.
        limit: Decay per step of a run that is not young.
    """
    decay = min(limit, (1.0 + step) / (10.0 + step))
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a run's state, whole or not at all."""
    with replacing(path) as part:
        torch.save(state, part)


def write_weights(state: State, path: Path, version: int) -> None:
    """Write weights as they ship: half precision, safetensors, whole or not at all."""
    halves = {name: value.half().contiguous() for name, value in state.items()}
    with replacing(path) as part:
        save_file(halves, str(part), metadata={"format": "pt", "architecture": str(version)})
        part.chmod(0o644)  # safetensors writes it for the owner alone


class Run[Model: nn.Module]:
    """A model, its average, its optimizer and its progress, saved and restored as one."""

    model: Model
    average: State
    optimizer: Optimizer
    progress: Progress

    def save(self, path: Path) -> None:
        """Write the whole run, whole or not at all."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
        }
        write_checkpoint(state, path)

    def restore(self, path: Path) -> None:
        """Continue a run that `save` wrote; the recipe must be the same."""
        state: dict[str, Any] = torch.load(path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.progress = Progress(**state["progress"])


def go_through[Batch](
    run: Run[Any],
    batches: Iterable[Batch],
    learn: Callable[[Batch, float], dict[str, float]],
    publish: Callable[[], None],
    *,
    recipe: Schedule,
    folder: Path,
    every: float,
    say: Callable[[str], None],
) -> None:
    """Train until the schedule is done, writing `checkpoint.pt`, `log.jsonl` and weights.

    Args:
        run: The run.
        batches: From its progress on.
        learn: Takes one step on a batch, at a share of the schedule; returns what the log keeps.
        publish: Writes the weights.
        recipe: The schedule.
        folder: Where to write.
        every: Seconds between checkpoints.
        say: Gets a line now and then.
    """
    saved = time.time()
    with (folder / "log.jsonl").open("a") as log:
        for batch in batches:
            now = time.time()
            share = run.progress.share(recipe, now)
            if share >= 1.0:
                break
            scores = learn(batch, share)
            note = {"step": run.progress.step, "time": now, "share": share, **scores}
            log.write(json.dumps({k: round(v, 6) for k, v in note.items()}) + "\n")
            if now - saved > every:
                log.flush()
                run.save(folder / "checkpoint.pt")
                publish()
                say(f"step {run.progress.step}, {share:.0%}, loss {scores['loss']:.3f}")
                saved = now
    run.save(folder / "checkpoint.pt")
    publish()

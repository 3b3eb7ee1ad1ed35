"""Common to all training runs: schedule, EMA, checkpoint, log, and release weights."""

from __future__ import annotations

import json
import math
import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.optim import Optimizer

from vscolor.errors import SettingError, WeightsError
from vscolor.files import atomic_write
from vscolor.training.interruption import noting_interruptions

type State = dict[str, Tensor]

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


class BatchSize(Protocol):
    """Batch settings, as far as the schedule needs them."""

    @property
    def size(self) -> int:
        """Samples in a batch."""
        ...


class Schedule(Protocol):
    """The settings of a recipe that decide a run's length and learning rate."""

    @property
    def samples(self) -> int:
        """Total number of samples to train on."""
        ...

    @property
    def hours(self) -> float | None:
        """Wall-clock limit; None trains until `samples`."""
        ...

    @property
    def warm_up(self) -> float:
        """Fraction of the schedule in which the rate rises."""
        ...

    @property
    def final_rate(self) -> float:
        """Rate at the end, relative to the peak."""
        ...

    @property
    def batches(self) -> BatchSize:
        """Batch settings."""
        ...


@dataclass
class Progress:
    """Progress of a run.

    Attributes:
        step: Batches done.
        seconds: Time spent on them, without the pauses before a run is resumed.
    """

    step: int = 0
    seconds: float = 0.0

    def share(self, recipe: Schedule) -> float:
        """Fraction of the schedule done, 0..1."""
        share = self.step * recipe.batches.size / recipe.samples
        if recipe.hours is not None:
            share = max(share, self.seconds / (3600.0 * recipe.hours))
        return min(share, 1.0)


class StepReport(NamedTuple):
    """Progress of a run after a step.

    Attributes:
        step: Batches done.
        share: Fraction of the schedule done before the step, 0..1.
        loss: The step's loss.
        saved: Whether checkpoint and weights were written after it.
    """

    step: int
    share: float
    loss: float
    saved: bool


type Tell = Callable[[StepReport], None]
"""Callback, called after every step."""


def tell_nobody(_: StepReport) -> None:
    """A `Tell` that does nothing."""


def steps_of(recipe: Schedule) -> int:
    """Batches in the whole schedule."""
    return math.ceil(recipe.samples / recipe.batches.size)


def rate_at(share: float, recipe: Schedule) -> float:
    """Learning rate relative to the peak: linear warm-up, cosine decay."""
    if share < recipe.warm_up:
        return max(share / recipe.warm_up, 1e-2)
    fallen = (share - recipe.warm_up) / (1.0 - recipe.warm_up)
    return recipe.final_rate + (1.0 - recipe.final_rate) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def update_ema(average: State, model: nn.Module, step: int, limit: float) -> None:
    """Update the exponential moving average (EMA) of the weights; it decays faster early on.

    Args:
        average: The EMA, updated in place.
        model: The model after `step` steps.
        step: Steps done.
        limit: Largest decay per step, reached as the run goes on.
    """
    decay = min(limit, (1.0 + step) / (10.0 + step))
    for name, value in model.state_dict().items():
        if value.is_floating_point():
            average[name].lerp_(value, 1.0 - decay)


def write_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write a run's state, atomically."""
    with atomic_write(path) as part:
        torch.save(state, part)


def write_weights(state: State, path: Path, version: int) -> None:
    """Write weights for release: half precision, safetensors, atomically.

    Raises:
        SettingError: Some are NaN or infinite, or too large for half precision.
    """
    halves = {name: value.half().contiguous() for name, value in state.items()}
    if odd := next((name for name, half in halves.items() if not half.isfinite().all()), None):
        raise SettingError(f"{path} is not written: {odd} holds what is no number; lower --rate")
    with atomic_write(path) as part:
        save_file(halves, str(part), metadata={"architecture": str(version)})
        part.chmod(0o644)  # safetensors makes it readable by the owner only


class Run[Model: nn.Module]:
    """A model, its EMA, its optimizer and its progress, saved and restored together."""

    model: Model
    average: State
    optimizer: Optimizer
    progress: Progress

    def save(self, path: Path) -> None:
        """Write the whole run, atomically."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "progress": asdict(self.progress),
        }
        write_checkpoint(state, path)

    def restore(self, path: Path) -> None:
        """Continue a run that `save` wrote; the recipe must be the same.

        Raises:
            WeightsError: The file is damaged, or of another model.
        """
        try:
            state: dict[str, Any] = torch.load(path, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.progress = state["average"], Progress(**state["progress"])
        except (RuntimeError, LookupError, ValueError, TypeError, EOFError) as error:
            raise _unreadable(path, error) from error
        except pickle.UnpicklingError as error:
            raise _unreadable(path, "it is no checkpoint") from error


def _unreadable(path: Path, reason: object) -> WeightsError:
    first = str(reason).strip().splitlines()[:1]
    return WeightsError(f"{path} cannot be gone on from: {''.join(first)}")


def training_loop[Batch](
    run: Run[Any],
    batches: Iterable[Batch],
    learn: Callable[[Batch, float], dict[str, float]],
    publish: Callable[[], None],
    *,
    share: Callable[[], float],
    folder: Path,
    every: float,
    tell: Tell,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Train until the schedule is done, writing `checkpoint.pt`, `log.jsonl` and weights.

    Ctrl-C and termination signals wait for the end of the step; the run is saved even then.

    Args:
        run: The run.
        batches: The batches from the run's progress on.
        learn: Trains on a batch, at a fraction of the schedule; returns the values to log.
        publish: Writes the weights.
        share: Returns the fraction of the schedule done, 0..1.
        folder: Where to write.
        every: Seconds between checkpoints.
        tell: Called after every step.
        clock: Clock for `run.progress.seconds`, in seconds.

    Raises:
        KeyboardInterrupt: The run was interrupted; its state is saved.
        SettingError: The loss became NaN or infinite.
    """

    def save() -> None:
        run.save(folder / CHECKPOINT)
        publish()

    with noting_interruptions() as interrupted, (folder / LOG).open("a", buffering=1) as log:
        saved, begun = time.monotonic(), clock()
        for batch in batches:
            done = share()
            if done >= 1.0 or interrupted():
                break
            scores = learn(batch, done)
            if not math.isfinite(scores["loss"]):
                raise SettingError(
                    f"{folder}: the loss of step {run.progress.step} is {scores['loss']}, expected "
                    "a number; a lower --rate may help. What was saved before is kept"
                )
            now = clock()
            run.progress.seconds, begun = run.progress.seconds + now - begun, now
            note = {"step": run.progress.step, "time": time.time(), "share": done, **scores}
            log.write(json.dumps({k: round(v, 6) for k, v in note.items()}) + "\n")
            due = time.monotonic() - saved > every
            if due:
                save()
                saved = time.monotonic()
            tell(StepReport(run.progress.step, done, scores["loss"], due))
        save()

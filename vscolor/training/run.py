"""What every training run does: schedule, average, checkpoint, log, and weights as they ship."""

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


@dataclass
class Progress:
    """How far a run has come.

    Attributes:
        step: Batches done.
        seconds: Spent on them; pauses between two sittings do not count.
    """

    step: int = 0
    seconds: float = 0.0

    def share(self, recipe: Schedule) -> float:
        """Part of the schedule that is behind us, 0..1."""
        share = self.step * recipe.batches.size / recipe.samples
        if recipe.hours is not None:
            share = max(share, self.seconds / (3600.0 * recipe.hours))
        return min(share, 1.0)


class StepReport(NamedTuple):
    """Where a run stands after a step.

    Attributes:
        step: Batches done.
        share: Part of the schedule that is behind us, 0..1.
        loss: Of the step.
        saved: Whether checkpoint and weights were written after it.
    """

    step: int
    share: float
    loss: float
    saved: bool


type Tell = Callable[[StepReport], None]
"""Is told of every step."""


def tell_nobody(_: StepReport) -> None:
    """A `Tell` for those who do not ask."""


def steps_of(recipe: Schedule) -> int:
    """Batches in the whole schedule."""
    return math.ceil(recipe.samples / recipe.batches.size)


def rate_at(share: float, recipe: Schedule) -> float:
    """Learning rate relative to the peak: linear rise, cosine fall."""
    if share < recipe.warm_up:
        return max(share / recipe.warm_up, 1e-2)
    fallen = (share - recipe.warm_up) / (1.0 - recipe.warm_up)
    return recipe.final_rate + (1.0 - recipe.final_rate) * 0.5 * (1.0 + math.cos(math.pi * fallen))


def update_ema(average: State, model: nn.Module, step: int, limit: float) -> None:
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
    with atomic_write(path) as part:
        torch.save(state, part)


def write_weights(state: State, path: Path, version: int) -> None:
    """Write weights as they ship: half precision, safetensors, whole or not at all.

    Raises:
        SettingError: Some of them are no numbers, or too large for half precision.
    """
    halves = {name: value.half().contiguous() for name, value in state.items()}
    if odd := next((name for name, half in halves.items() if not half.isfinite().all()), None):
        raise SettingError(f"{path} is not written: {odd} holds what is no number; lower --rate")
    with atomic_write(path) as part:
        save_file(halves, str(part), metadata={"architecture": str(version)})
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

    Ctrl-C and its like wait for the end of the step; then the run is saved all the same.

    Args:
        run: The run.
        batches: From its progress on.
        learn: Takes one step on a batch, at a share of the schedule; returns what the log keeps.
        publish: Writes the weights.
        share: Tells the part of the schedule that is behind the run, 0..1.
        folder: Where to write.
        every: Seconds between checkpoints.
        tell: Is told of every step.
        clock: The seconds that `run.progress` counts.

    Raises:
        KeyboardInterrupt: It was asked for; what was learnt so far is saved.
        SettingError: The loss is no number any more.
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

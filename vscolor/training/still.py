"""Train the still model `mini` from a folder of photographs.

First only the decoder is trained, on the ImageNet encoder; then the encoder's deeper blocks too, at
a tenth of the rate. The schedule follows the samples seen or, with a time limit, the clock,
whichever is further, so that a run on a busy machine still ends with a low rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from vscolor.models.mini import bins
from vscolor.models.mini.architecture import TAPS, VERSION
from vscolor.models.mini.network import Mini, folded_state, load
from vscolor.training.batches import Batch, Batches, BatchSettings, batches_from
from vscolor.training.imagenet import initialise_encoder
from vscolor.training.objective import (
    Terms,
    distillation_loss,
    frequencies,
    rebalancing,
    soft_table,
    terms,
)
from vscolor.training.photographs import MIN_SPREAD, Photographs, shares
from vscolor.training.record import data_of, hash_of, list_pictures, open_run
from vscolor.training.run import (
    CHECKPOINT,
    Progress,
    Run,
    State,
    Tell,
    rate_at,
    steps_of,
    tell_nobody,
    training_loop,
    update_ema,
    write_weights,
)
from vscolor.weights import reading


@dataclass(frozen=True)
class Recipe:
    """All settings that affect the result, apart from the pictures.

    Attributes:
        samples: Total number of pictures to train on.
        hours: Wall-clock limit; None trains until `samples`.
        rate: Peak learning rate of the decoder.
        encoder_rate: Rate of the unfrozen encoder blocks, relative to `rate`.
        frozen_share: Fraction of the schedule during which the whole encoder is frozen.
        frozen_blocks: Encoder blocks (after the stem) that stay frozen to the end; they detect
            edges, which grey pictures share with ImageNet, and cost most of a step.
        warm_up: Fraction of the schedule in which the rate rises.
        final_rate: Rate at the end, relative to the peak.
        decay: AdamW's weight decay on the decoder's weights.
        mean_weight: Weight of the smooth-L1 term.
        temperature: Temperature of the annealed mean inside that term.
        power: Exponent of the rebalancing weights.
        teaching: Weight of distillation from the teachers, 0 to 1; the rest is the loss on the
            true colours.
        kept: Fraction of the pixels that the loss is computed on; neighbours are redundant.
        averaging: Decay of the EMA of the weights, per step.
        batches: How batches are drawn.
        collections: Relative weight of each picture of a collection; see `photographs.shares`.
        least_spread: Spread of ab below which a picture counts as grey and is never drawn.
    """

    samples: int = 400_000
    hours: float | None = None
    rate: float = 2e-3
    encoder_rate: float = 0.1
    frozen_share: float = 0.12
    frozen_blocks: int = 5
    warm_up: float = 0.02
    final_rate: float = 0.02
    decay: float = 1e-2
    mean_weight: float = 0.5
    temperature: float = 0.5
    power: float = 0.5
    teaching: float = 0.7
    kept: float = 0.25
    averaging: float = 0.998
    batches: BatchSettings = field(default_factory=BatchSettings)
    collections: dict[str, float] = field(default_factory=dict)
    least_spread: float = MIN_SPREAD


TUNING = Recipe(
    samples=4800,
    rate=5e-4,
    frozen_share=0.0,
    frozen_blocks=TAPS[-1] + 1,
    warm_up=0.05,
    least_spread=0.5,
)
"""Fine-tunes trained weights on a few dozen pictures, in minutes.

The encoder blocks that `mini-video` uses stay frozen, so that the result works with it too. Muted
pictures count, as they were chosen on purpose here.
"""


def encoder_rate_at(share: float, recipe: Recipe) -> float:
    """The encoder's rate relative to the decoder's peak: 0 while frozen, then its own warm-up."""
    since = share - recipe.frozen_share
    if since < 0.0:
        return 0.0
    rise = min(1.0, since / max(recipe.warm_up, 1e-9) + 1e-2)
    return rise * recipe.encoder_rate * rate_at(share, recipe)


def release(model: Mini, blocks: int | None) -> None:
    """Freeze the whole encoder (None) or its stem and first `blocks`."""
    model.stem.requires_grad_(blocks is not None and blocks == 0)
    for index, block in enumerate(model.encoder):
        block.requires_grad_(blocks is not None and index >= blocks)


def optimizer_of(model: Mini, recipe: Recipe) -> AdamW:
    """AdamW over decoder weights, and, without decay, decoder gains and biases and the encoder."""
    encoder = [*model.stem.parameters(), *model.encoder.parameters()]
    known = {id(p) for p in encoder}
    rest = [p for p in model.parameters() if id(p) not in known]
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": recipe.decay},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0},
        {"params": encoder, "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=recipe.rate)


class Trainer(Run[Mini]):
    """One training run: model, EMA, optimizer and progress, saved and restored together.

    Args:
        recipe: Training settings.
        pictures: Training data.
        initial: A published weight file to start from; None starts from ImageNet.
        teachers: Weight files whose averaged predictions are distilled, besides the true colours.
    """

    def __init__(
        self,
        recipe: Recipe,
        pictures: Photographs,
        initial: Path | None = None,
        teachers: Sequence[Path] = (),
    ) -> None:
        torch.manual_seed(recipe.batches.seed)
        self.recipe, self.pictures = recipe, pictures
        self.model = _from_imagenet() if initial is None else _from_file(initial)
        self.teachers = [_from_file(path).requires_grad_(False) for path in teachers]
        self.optimizer = optimizer_of(self.model, recipe)
        self.average: State = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.progress = Progress()
        self.chances = shares(pictures, recipe.collections, recipe.least_spread)
        self.table = soft_table(self.model.centres.numpy())
        self.weights = rebalancing(self._prior(), power=recipe.power)

    def _prior(self) -> Tensor:
        rng = np.random.default_rng(self.recipe.batches.seed)
        drawn = min(4000, 20 * len(self.pictures))
        chosen = rng.choice(len(self.pictures), drawn, p=self.chances)
        colours = np.concatenate([self.pictures.small_ab(int(i), 16) for i in chosen])
        return frequencies(self.table, colours)

    def loss(self, batch: Batch) -> tuple[Tensor, Terms]:
        """The objective on a random subset of the batch's pixels."""
        luma = batch.luma.contiguous(memory_format=torch.channels_last)
        generator = torch.Generator().manual_seed(self.progress.step)
        kept = torch.randperm(batch.ab[:, 0].numel(), generator=generator)
        kept = kept[: max(1, int(len(kept) * self.recipe.kept))]
        logits = _logits(self.model, luma, kept)
        decoded = self.model.annealed_mean(logits, self.recipe.temperature)
        true = batch.ab.permute(0, 2, 3, 1).reshape(-1, 2)[kept]
        parts = terms(logits, decoded, true, self.table, self.weights)
        loss = parts.classes + self.recipe.mean_weight * parts.mean
        if self.teachers:
            teacher_scores = self._teacher_scores(luma, kept)
            taught = teacher_scores.softmax(dim=1)
            taught_ab = self.model.annealed_mean(teacher_scores, self.recipe.temperature)
            entropy, error = distillation_loss(logits, decoded, taught, taught_ab)
            answer = entropy + self.recipe.mean_weight * error
            loss = torch.lerp(loss, answer, self.recipe.teaching)
        return loss, parts

    @torch.no_grad()
    def _teacher_scores(self, luma: Tensor, kept: Tensor) -> Tensor:
        """Averaged predictions of the teachers `[N,313]`: the mean of their log-probabilities."""
        said = [_logits(teacher, luma, kept).log_softmax(dim=1) for teacher in self.teachers]
        return torch.stack(said).mean(dim=0)

    def step(self, batch: Batch, share: float) -> dict[str, float]:
        """Train one step at `share` of the schedule; returns the values to log."""
        encoder_rate = encoder_rate_at(share, self.recipe)
        release(self.model, self.recipe.frozen_blocks if encoder_rate else None)
        decoder_rate = rate_at(share, self.recipe)
        for group, rate in zip(
            self.optimizer.param_groups, (decoder_rate, decoder_rate, encoder_rate), strict=True
        ):
            group["lr"] = rate * self.recipe.rate
        self.model.train()
        loss, parts = self.loss(batch)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.progress.step += 1
        update_ema(self.average, self.model, self.progress.step, self.recipe.averaging)
        scores = {"loss": loss.item(), "rate": decoder_rate * self.recipe.rate}
        return scores | {k: v.item() for k, v in parts._asdict().items()}

    def averaged(self) -> Mini:
        """A copy of the model with the EMA weights."""
        copy = Mini(norm=any(".norm." in name for name in self.average))
        copy.load_state_dict(self.average)
        return copy.eval()


def _from_imagenet() -> Mini:
    model = Mini(norm=True)
    initialise_encoder(model)
    model.centres.copy_(torch.from_numpy(bins.centres().copy()))
    return model.to(memory_format=torch.channels_last)


def _from_file(path: Path) -> Mini:
    with reading(path, "mini", VERSION):
        return load(path).to(memory_format=torch.channels_last)


def _logits(model: Mini, luma: Tensor, kept: Tensor) -> Tensor:
    """Scores `[N,313]` at the kept pixels of a batch only, as the head is expensive."""
    features = model.decode(model.taps(luma, rough_blocks(model)), luma)
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1])
    head = model.head.conv
    return nn.functional.linear(rows[kept], head.weight.flatten(1), head.bias)


def rough_blocks(model: Mini) -> int:
    """Leading encoder blocks to run in bfloat16: the frozen ones, on CPUs with bfloat16 units.

    On others 0, as bfloat16 is slower than single precision there.
    """
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    if not capabilities.get("amx_bf16"):
        return 0
    learns = [any(p.requires_grad for p in block.parameters()) for block in model.encoder]
    return learns.index(True) if True in learns else len(learns)


def publish(model: Mini, path: Path) -> None:
    """Write weights for release: batch norms folded, half precision, safetensors."""
    write_weights(folded_state(model), path, VERSION)


def train(
    recipe: Recipe,
    pictures: Photographs,
    folder: Path,
    *,
    resume: bool = False,
    initial: Path | None = None,
    teachers: Sequence[Path] = (),
    every: float = 200.0,
    workers: int = 1,
    tell: Tell = tell_nobody,
) -> Path:
    """Train, writing into a folder.

    Writes `checkpoint.pt`, `log.jsonl` and `mini.safetensors`, and at the start `recipe.json` and
    `pictures.tsv`, which record the settings and the data.

    Args:
        recipe: Training settings.
        pictures: Training data.
        folder: Where to write.
        resume: Continue from the folder's checkpoint.
        initial: Weights to fine-tune instead of ImageNet's.
        teachers: Weights to distil from; see `Trainer`.
        every: Seconds between checkpoints.
        workers: Processes that make batches; 0 makes them in this one.
        tell: Called after every step.

    Returns:
        The weight file.

    Raises:
        SettingError: The pictures or the folder cannot be used; see `open_run`.
        WeightsError: A weight file or checkpoint is damaged, or of another model.
        KeyboardInterrupt: The run was interrupted; it is saved and can be resumed.
    """
    trainer = Trainer(recipe, pictures, initial, teachers)
    weights, checkpoint = folder / "mini.safetensors", folder / CHECKPOINT
    record = {
        "model": "mini",
        "recipe": asdict(recipe),
        "initial": hash_of(initial),
        "teachers": [hash_of(path) for path in teachers],
        "pictures": data_of(pictures.names),
    }
    open_run(folder, checkpoint, record, resume=resume)
    list_pictures(folder, pictures.names, trainer.chances)
    if resume:
        trainer.restore(checkpoint)
    batches = Batches(pictures, trainer.chances, recipe.batches)
    training_loop(
        trainer,
        batches_from(batches, trainer.progress.step, steps_of(recipe), workers),
        lambda batch, share: trainer.step(Batch(*batch), share),
        lambda: publish(trainer.averaged(), weights),
        share=lambda: trainer.progress.share(recipe),
        folder=folder,
        every=every,
        tell=tell,
    )
    return weights

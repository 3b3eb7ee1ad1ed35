"""Train the video model `mini-video` from a folder of photographs, on scenes made from them.

`mini` stays frozen; the embedding used for correspondence and the fusion that chooses among the
candidates are trained, over a few recurrent steps at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import AdamW

from vscolor.models.mini_video import architecture as arch
from vscolor.models.mini_video.motion import MAX_RESIDUAL
from vscolor.models.mini_video.network import FusionInputs, MiniVideo, attend, load, mix
from vscolor.training.batches import batches_from
from vscolor.training.episodes import EpisodeBatches, Episodes, EpisodeSettings, NetworkFiles
from vscolor.training.photographs import Bytes, Photographs, shares
from vscolor.training.record import data_of, hash_of, list_pictures, open_run
from vscolor.training.run import (
    CHECKPOINT,
    Progress,
    Run,
    Tell,
    rate_at,
    steps_of,
    tell_nobody,
    training_loop,
    update_ema,
    write_weights,
)
from vscolor.training.targets import Shares, Targets, make_targets, warp
from vscolor.training.video_objective import (
    ColourEncoder,
    Losses,
    colour_error,
    contextual,
    place_error,
    smoothness,
)
from vscolor.weights import reading

WEIGHTS = {
    "colour": 1.0,
    "match": 0.3,
    "places": 0.3,
    "temporal": 0.3,
    "smooth": 0.05,
    "perceptual": 0.1,
    "contextual": 0.02,
}


FILM_SIDE = 224
"""Short side of films for training, in pixels; scenes are cropped from them."""

STILL_THERE = 3.0
"""Luma residual, in L* units, below which the warped colour of the frame before must be kept."""


@dataclass(frozen=True)
class VideoRecipe:
    """All settings that affect the result, apart from the pictures.

    Attributes:
        samples: Total number of scenes to train on.
        hours: Wall-clock limit; None trains until `samples`.
        rate: Peak learning rate.
        warm_up: Fraction of the schedule in which the rate rises.
        final_rate: Rate at the end, relative to the peak.
        decay: AdamW's weight decay.
        averaging: Decay of the EMA of the weights, per step.
        shares: Probability of each kind of reference.
        weights: Weights of the losses.
        batches: How batches are drawn.
    """

    samples: int = 60_000
    hours: float | None = None
    rate: float = 2e-3
    warm_up: float = 0.02
    final_rate: float = 0.02
    decay: float = 1e-3
    averaging: float = 0.998
    shares: Shares = field(default_factory=Shares)
    weights: dict[str, float] = field(default_factory=lambda: dict(WEIGHTS))
    batches: EpisodeSettings = field(default_factory=EpisodeSettings)


class VideoTrainer(Run[MiniVideo]):
    """One training run: model, EMA, optimizer and progress, saved and restored together."""

    def __init__(self, recipe: VideoRecipe, initial: Path | None = None) -> None:
        torch.manual_seed(recipe.batches.seed)
        self.recipe = recipe
        if initial is None:
            self.model = MiniVideo()
            _start_sensibly(self.model)
        else:
            with reading(initial, "mini-video"):
                self.model = load(initial)
        self.model.to(memory_format=torch.channels_last)
        self.colours = ColourEncoder().to(memory_format=torch.channels_last)
        self.optimizer = AdamW(self.model.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
        self.average = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.progress = Progress()

    def prepare(self, batch: Episodes) -> Targets:
        """Inputs and targets of the next step; see `targets.make_targets`."""
        return make_targets(batch, self.model.embedding, self.recipe.shares, self.progress.step)

    def unroll(self, batch: Episodes, targets: Targets) -> Losses:
        """Colour the frames one after the other and compute the losses."""
        fine = functional.avg_pool2d(batch.luma.flatten(0, 1), 4).unflatten(0, batch.luma.shape[:2])
        ab, memory = targets.history, torch.zeros_like(fine[:, 1]).repeat(1, arch.HIDDEN, 1, 1)
        has_history = targets.has_history
        terms: list[dict[str, Tensor]] = []
        for n in range(2, batch.luma.shape[1]):
            matched, found = self._match(batch, targets, n)
            back, direct = batch.back[:, n - 2], batch.direct[:, n - 2]
            before = warp(ab, back)
            memory = warp(memory, _coarser(back))
            followed = _along_estimates(targets.reference, direct, batch.direct_shares[:, n - 2])
            sharp = [
                before * (has_history == 0).view(-1, 1, 1, 1),
                followed * (targets.direct == 0).view(-1, 1, 1, 1),
            ]
            pooled = torch.cat(
                [
                    *(functional.avg_pool2d(ab, arch.FUSE_STRIDE) for ab in sharp),
                    _grown(matched.ab, arch.MATCH_STRIDE // arch.FUSE_STRIDE),
                    batch.still[:, n],
                ],
                dim=1,
            )
            candidates = torch.cat(
                [*sharp, _grown(matched.ab, arch.MATCH_STRIDE), targets.still[:, n]], dim=1
            )
            cues = torch.cat(
                [
                    _or_worst(batch.back_residual[:, n - 2], has_history),
                    _or_worst(batch.direct_residual[:, n - 2], targets.direct),
                    matched.cues,
                ],
                dim=1,
            )
            nothing = torch.zeros_like(has_history)
            score_bias = torch.stack([has_history, targets.direct, nothing, nothing], dim=1)
            seen = FusionInputs(fine[:, n], targets.context[:, n], cues, memory)
            blend, memory = self.model.fusion(seen, pooled, score_bias[..., None, None])
            ab = mix(blend, candidates)
            known = (batch.back_residual[:, n - 2] < STILL_THERE).float()
            steady = Steadied(before if terms else ab, known)
            terms.append(found | self._score(batch.luma, targets, n, ab, steady))
            has_history = nothing
        return Losses(*(_mean_of(name, terms) for name in Losses._fields))

    def _match(
        self, batch: Episodes, targets: Targets, n: int
    ) -> tuple[Matched, dict[str, Tensor]]:
        """The reference's colours by correspondence with their cues, and the losses on both."""
        query, keys = (targets.vectors[:, i].flatten(2).transpose(1, 2) for i in (n, 0))
        shape = targets.vectors.shape[-2:]
        values = reference_values(
            functional.avg_pool2d(batch.luma[:, 0], arch.MATCH_STRIDE),
            functional.avg_pool2d(targets.reference, arch.MATCH_STRIDE),
        )
        bias = torch.zeros(len(keys), 1, keys.shape[1])
        temperature = self.model.temperature.clamp(*arch.TEMPERATURES)
        found, cosine = attend(query, keys, values, bias, temperature)
        planes = found.transpose(1, 2).unflatten(2, shape)
        now = functional.avg_pool2d(batch.luma[:, n], arch.MATCH_STRIDE)
        top = cosine.transpose(1, 2).unflatten(2, shape)
        matched = read_match(planes, top, now)
        eighth = arch.MATCH_STRIDE
        seen = (functional.avg_pool2d(targets.seen[:, n], eighth) > 0.8).float()
        goal = functional.avg_pool2d(targets.wanted[:, n], eighth)
        places = functional.avg_pool2d(batch.places[:, n], eighth)
        index = _nearest(places, shape)
        return matched, {
            "match": colour_error(planes[:, :2], goal, seen),
            "places": place_error(
                query @ keys.transpose(1, 2), index, seen.flatten(1), temperature
            ),
        }

    def _score(
        self, luma: Tensor, targets: Targets, n: int, ab: Tensor, steady: Steadied
    ) -> dict[str, Tensor]:
        """The losses on frame n, `luma` being all frames' `[B,F,1,h,w]`."""
        known = functional.interpolate(
            steady.known, scale_factor=float(arch.FUSE_STRIDE), mode="nearest"
        )
        scores = {
            "colour": colour_error(ab, targets.wanted[:, n], targets.weight[:, n]),
            "temporal": colour_error(ab, steady.ab, known),
            "smooth": smoothness(ab, luma[:, n]),
        }
        if n < luma.shape[1] - 1:
            return scores
        # The colour encoder costs more than everything else, so it runs on the last frame only, at
        # half size.
        given, true, model = (
            self.colours(*(functional.avg_pool2d(x, 2) for x in pair))
            for pair in (
                (luma[:, n], ab),
                (luma[:, n], targets.wanted[:, n]),
                (luma[:, 0], targets.reference),
            )
        )
        return scores | {
            "perceptual": functional.mse_loss(given, true),
            "contextual": contextual(given, model),
        }

    def step(self, batch: Episodes, share: float) -> dict[str, float]:
        """Train one step at `share` of the schedule; returns the values to log."""
        rate = self.recipe.rate * rate_at(share, self.recipe)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self.unroll(batch, self.prepare(batch))
        loss = losses.weighted(self.recipe.weights)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), 5.0)
        self.optimizer.step()
        self.progress.step += 1
        update_ema(self.average, self.model, self.progress.step, self.recipe.averaging)
        scores = {k: v.item() for k, v in losses._asdict().items()}
        return {"loss": loss.item(), "rate": rate, **scores}


class Steadied(NamedTuple):
    """Warped colours of the frame before `[B,2,h,w]`, and where they hold `[B,1,h/4,w/4]`."""

    ab: Tensor
    known: Tensor


class Matched(NamedTuple):
    """Result of correspondence: ab `[B,2,h/8,w/8]` and its cues `[B,4,h/4,w/4]`."""

    ab: Tensor
    cues: Tensor


def reference_values(luma: Tensor, ab: Tensor) -> Tensor:
    """Values at a reference's positions `[B,M,5]`: ab, L*, |ab| squared, and 1 for confidence.

    Args:
        luma: `[B,1,h/8,w/8]`.
        ab: `[B,2,h/8,w/8]`.
    """
    planes = torch.cat([ab, luma, ab.pow(2).sum(1, True), torch.ones_like(luma)], dim=1)
    return planes.flatten(2).transpose(1, 2)


def read_match(planes: Tensor, cosine: Tensor, luma: Tensor) -> Matched:
    """Convert matched values at stride 8 to inputs of the fusion.

    Args:
        planes: The values matched to the frame `[B,5,h/8,w/8]`.
        cosine: Cosine of the best match `[B,1,h/8,w/8]`.
        luma: The frame's L* `[B,1,h/8,w/8]`.
    """
    ab, there, square, confidence = planes.split([2, 1, 1, 1], dim=1)
    spread = (square - ab.pow(2).sum(1, True)).clamp(min=1e-4).sqrt()
    cues = torch.cat([cosine, (luma - there).abs(), spread, confidence], dim=1)
    return Matched(ab, _grown(cues, arch.MATCH_STRIDE // arch.FUSE_STRIDE))


def _mean_of(name: str, terms: list[dict[str, Tensor]]) -> Tensor:
    return torch.stack([scores[name] for scores in terms if name in scores]).mean()


def _start_sensibly(model: MiniVideo) -> None:
    """Initialise by a rule of thumb: prefer candidates that explain the luma, correct nothing."""
    fusion = model.fusion
    nn.init.zeros_(fusion.leave.conv.weight)
    assert fusion.leave.conv.bias is not None
    nn.init.zeros_(fusion.leave.conv.bias)
    weight, bias = fusion.prior.conv.weight.data, fusion.prior.conv.bias
    assert bias is not None
    weight.zero_()
    first = arch.FUSE_INPUTS - arch.HIDDEN - len(arch.CUE_SCALES)
    weight[0, first] = weight[1, first + 1] = -4.0
    weight[2, first + 2 : first + 5, 0, 0] = torch.tensor([6.0, -1.0, -2.0])
    bias.data.copy_(torch.tensor([2.0, 2.5, -3.6, -1.5]))
    for blocks in (fusion.first, fusion.coarse, fusion.last):
        for block in blocks:
            nn.init.zeros_(block.project.conv.weight)  # type: ignore[union-attr, arg-type]


def _grown(planes: Tensor, factor: int) -> Tensor:
    return functional.interpolate(planes, scale_factor=float(factor), mode="bilinear")


def _coarser(flow: Tensor) -> Tensor:
    return functional.avg_pool2d(flow, arch.FUSE_STRIDE) / arch.FUSE_STRIDE


def _along_estimates(ab: Tensor, flows: Tensor, shares: Tensor) -> Tensor:
    """Ab `[B,2,h,w]` warped along flows `[B,M,2,h,w]`, averaged with weights `[B,M,h/4,w/4]`."""
    moved = torch.stack([warp(ab, flow) for flow in flows.unbind(1)], dim=1)
    return (moved * _grown(shares, arch.FUSE_STRIDE)[:, :, None]).sum(dim=1)


def _or_worst(residual: Tensor, absent: Tensor) -> Tensor:
    return torch.where((absent < 0).view(-1, 1, 1, 1), MAX_RESIDUAL, residual)


def _nearest(places: Tensor, shape: torch.Size) -> Tensor:
    """Index of the nearest point of the `MATCH_STRIDE` grid for positions `[B,2,h,w]` in pixels."""
    places = (places + 0.5) / arch.MATCH_STRIDE - 0.5
    x = places[:, 0].round().clamp(0, shape[1] - 1)
    y = places[:, 1].round().clamp(0, shape[0] - 1)
    return (y * shape[1] + x).long().flatten(1)


def publish(trainer: VideoTrainer, path: Path) -> None:
    """Write the EMA weights for release: half precision, safetensors."""
    write_weights(trainer.average, path, arch.VERSION)


def train(
    recipe: VideoRecipe,
    pictures: Photographs,
    folder: Path,
    mini: Path,
    shots: Sequence[Bytes] = (),
    *,
    resume: bool = False,
    initial: Path | None = None,
    every: float = 200.0,
    workers: int = 1,
    tell: Tell = tell_nobody,
) -> Path:
    """Train, writing into a folder as `still.train` does, here `mini_video.safetensors`.

    Args:
        recipe: Training settings.
        pictures: Photographs to make scenes from.
        folder: Where to write.
        mini: Weights of the still model, which stays frozen.
        shots: Shots of films, R'G'B' `[N,h,w,3]`, at least 192x160 pixels; may be empty.
        resume: Continue from the folder's checkpoint.
        initial: Weights to start from; None for untrained ones.
        every: Seconds between checkpoints.
        workers: Processes that make scenes; 0 makes them in this one.
        tell: Called after every step.

    Returns:
        The weight file.

    Raises:
        SettingError, WeightsError, KeyboardInterrupt: As in `still.train`.
    """
    chances = shares(pictures, {})
    trainer = VideoTrainer(recipe, initial)
    weights, checkpoint = folder / "mini_video.safetensors", folder / CHECKPOINT
    record = {
        "model": "mini-video",
        "recipe": asdict(recipe),
        "mini": hash_of(mini),
        "initial": hash_of(initial),
        "pictures": data_of(pictures.names),
        "shots": [shot.shape for shot in shots],
    }
    open_run(folder, checkpoint, record, resume=resume)
    list_pictures(folder, pictures.names, chances)
    if resume:
        trainer.restore(checkpoint)
    batches = EpisodeBatches(pictures, chances, recipe.batches, NetworkFiles(mini, initial), shots)
    training_loop(
        trainer,
        batches_from(batches, trainer.progress.step, steps_of(recipe), workers),
        lambda batch, share: trainer.step(Episodes(*batch), share),
        lambda: publish(trainer, weights),
        share=lambda: trainer.progress.share(recipe),
        folder=folder,
        every=every,
        tell=tell,
    )
    return weights

"""Training examples for the video model: reference, history and target colours of scenes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from vscolor.models.mini_video import architecture as arch
from vscolor.models.mini_video.network import Embedding
from vscolor.training.episodes import Episodes


@dataclass(frozen=True)
class Shares:
    """Probability of each kind of training reference.

    Attributes:
        still: `mini`'s colouring of the reference frame.
        odd: True colours with the hue rotated and the chroma reduced.
        stranger: The reference of another scene.
        no_flow: Used by correspondence only, not warped along flow.
    """

    still: float = 0.35
    odd: float = 0.3
    stranger: float = 0.07
    no_flow: float = 0.2


class Targets(NamedTuple):
    """Network features, inputs and targets for a batch of `Episodes`.

    Attributes:
        vectors: Embedding of every frame for correspondence `[B,F,64,h/8,w/8]`.
        context: Features of every frame for the fusion `[B,F,16,h/4,w/4]`.
        still: `mini`'s colours of every frame, upscaled, `[B,F,2,h,w]`.
        reference: Colours of the reference `[B,2,h,w]`.
        wanted: Target colours of every frame `[B,F,2,h,w]`.
        weight: Loss weight of each pixel `[B,F,1,h,w]`.
        seen: Whether each pixel is visible in the reference `[B,F,1,h,w]`, 0 or 1.
        direct: 0, or `arch.ABSENT` where the reference must not be warped along flow, `[B]`.
        history: Colours of frame 1 to start from `[B,2,h,w]`.
        has_history: 0, or `arch.ABSENT` where there is no history, `[B]`.
    """

    vectors: Tensor
    context: Tensor
    still: Tensor
    reference: Tensor
    wanted: Tensor
    weight: Tensor
    seen: Tensor
    direct: Tensor
    history: Tensor
    has_history: Tensor


def make_targets(batch: Episodes, embedding: Embedding, shares: Shares, step: int) -> Targets:
    """Choose each scene's reference and target colours.

    Args:
        batch: The scenes.
        embedding: The embedding of the model in training.
        shares: Probability of each kind of reference.
        step: Batch number, the random seed.
    """
    b, frames = batch.luma.shape[:2]
    chance = torch.Generator().manual_seed(step)
    draw = torch.rand((6, b), generator=chance)
    still = functional.interpolate(
        batch.still.flatten(0, 1), scale_factor=float(arch.FUSE_STRIDE), mode="bilinear"
    ).unflatten(0, (b, frames))
    taps = {index: tap.flatten(0, 1) for index, tap in zip(arch.TAPS, batch.taps, strict=True)}
    vectors, context = embedding(taps)
    vectors, context = (x.unflatten(0, (b, frames)) for x in (vectors, context))

    odd = (draw[0] < shares.odd).float()
    true = turned(batch.ab, odd * (draw[1] * 2 - 1) * math.pi, 1 - odd * 0.5 * (1 - draw[2]))
    # Where a colour other than the true one moves to is known only with known positions.
    known = batch.visible.flatten(1).amax(1) > 0
    by_still = (draw[3] < shares.still) & known
    stranger = (draw[4] < shares.stranger) & ~by_still
    reference = torch.where(by_still[:, None, None, None], still[:, 0], true[:, 0])
    flat = batch.places.flatten(0, 1)
    moved = sample(reference.repeat_interleave(frames, 0), flat).unflatten(0, (b, frames))
    seen = (batch.visible > 0.9).float()
    five = (b, 1, 1, 1, 1)
    wanted = torch.where(by_still.view(five), moved * seen + still * (1 - seen), true)
    weight = torch.where(by_still.view(five), 0.3 + 0.7 * seen, torch.ones_like(seen))
    no_flow = (draw[5] < shares.no_flow) | stranger
    started = torch.rand((3, b), generator=chance)
    history = wanted[:, 1] + _blotches(wanted[:, 1], chance) * started[1].view(b, 1, 1, 1)
    history = torch.where((started[2] < 0.15).view(b, 1, 1, 1), still[:, 1], history)
    targets = Targets(
        vectors,
        context,
        still,
        reference,
        wanted,
        weight,
        seen,
        no_flow.float() * arch.ABSENT,
        history,
        (started[0] < 0.5).float() * arch.ABSENT,
    )
    return _estranged(targets, stranger, batch.ab)


def warp(planes: Tensor, flow: Tensor) -> Tensor:
    """Warp `[B,C,h,w]` along a flow `[B,2,h,w]` in pixels; a differentiable `motion.warp`."""
    height, width = planes.shape[2:]
    x = flow[:, 0] + torch.arange(width, dtype=flow.dtype)
    y = flow[:, 1] + torch.arange(height, dtype=flow.dtype)[:, None]
    return sample(planes, torch.stack([x, y], dim=1))


def sample(planes: Tensor, places: Tensor) -> Tensor:
    """Values of `[B,C,h,w]` at positions `[B,2,h',w']` in pixels, x then y."""
    size = torch.tensor([planes.shape[3], planes.shape[2]], dtype=places.dtype).view(1, 2, 1, 1)
    grid = ((places + 0.5) / size * 2 - 1).permute(0, 2, 3, 1)
    return functional.grid_sample(planes, grid, padding_mode="border", align_corners=False)


def turned(ab: Tensor, angle: Tensor, gain: Tensor) -> Tensor:
    """Ab `[B,...,2,h,w]` with the hue rotated by `angle` `[B]`, the chroma times `gain` `[B]`."""
    shape = (-1,) + (1,) * (ab.ndim - 2)
    cos, sin = (gain * angle.cos()).view(shape), (gain * angle.sin()).view(shape)
    a, b = ab.unbind(dim=-3)
    cos, sin = cos.expand_as(a), sin.expand_as(a)
    return torch.stack([cos * a - sin * b, sin * a + cos * b], dim=-3)


def _estranged(targets: Targets, stranger: Tensor, true: Tensor) -> Targets:
    """Give some scenes the reference of another one; their target is the true colours."""
    five = stranger.view(-1, 1, 1, 1, 1)
    vectors = targets.vectors
    others = torch.cat([vectors[:, :1].roll(1, 0), vectors[:, 1:]], dim=1)
    reference = targets.reference
    return targets._replace(
        vectors=torch.where(five, others, vectors),
        reference=torch.where(five[:, 0], reference.roll(1, 0), reference),
        wanted=torch.where(five, true, targets.wanted),
        seen=torch.where(five, torch.zeros_like(targets.seen), targets.seen),
        weight=torch.where(five, 0.5 * torch.ones_like(targets.weight), targets.weight),
    )


def _blotches(like: Tensor, chance: torch.Generator) -> Tensor:
    """Smooth random colour errors, a few ab units strong, like those a long history accumulates."""
    coarse = torch.randn((len(like), 2, 4, 5), generator=chance) * 8.0
    return functional.interpolate(coarse, size=like.shape[-2:], mode="bilinear")

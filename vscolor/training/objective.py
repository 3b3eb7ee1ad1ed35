"""The still model's objective: colour classification with class rebalancing.

Zhang, Isola and Efros 2016 (arXiv:1603.08511), section 2.2: soft-encoded targets, multinomial
cross-entropy, weights that rebalance the classes. Two departures, which help a small network
(measured in docs/training.md): the weights are raised to a power below 1, and a smooth-L1 term on
the decoded colour ties the distribution to the picture that is shown.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from vscolor.models.mini import bins
from vscolor.training.lab import Float

STEP = 2.0
"""Spacing of the soft-encoding table, in ab units: rounds by at most 1, against a sigma of 5."""

_CELLS = int(2 * bins.REACH / STEP) + 1
AB_UNIT = 10.0
"""Width of a bin, in ab units: smooth-L1 is quadratic below it and linear above."""


class SoftTable(NamedTuple):
    """Soft encoding by look-up.

    Attributes:
        bins: Bins of each cell, nearest first, `[K,5]` int64.
        share: Their weights, summing to 1, `[K,5]`.
    """

    bins: Tensor
    share: Tensor

    def encode(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Bins and weights, each `[N,5]`, of colours `[N,2]`."""
        cell = ((ab + bins.REACH) / STEP).round().long().clamp(0, _CELLS - 1)
        flat = cell[:, 0] * _CELLS + cell[:, 1]
        return self.bins[flat], self.share[flat]


def soft_table(centres: Float) -> SoftTable:
    """Encode every cell of the ab plane into its five nearest bins."""
    axis = np.arange(_CELLS, dtype=np.float32) * STEP - bins.REACH
    plane = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(-1, 2)
    index, share = bins.soft_encode(plane, centres)
    return SoftTable(torch.from_numpy(index), torch.from_numpy(share))


def frequencies(table: SoftTable, colours: Float) -> Tensor:
    """Relative frequency `[313]` of each bin among colours `[N,2]`, summing to 1."""
    counts = torch.zeros(bins.COUNT, dtype=torch.float64)
    for part in np.array_split(colours, max(1, len(colours) >> 18)):
        index, share = table.encode(torch.from_numpy(part))
        counts.index_add_(0, index.flatten(), share.flatten().double())
    return (counts / counts.sum()).float()


def rebalancing(prior: Tensor, mix: float = 0.5, power: float = 0.5) -> Tensor:
    """Class weights `[313]`, with expectation 1 under the prior.

    Args:
        prior: Relative frequency of each bin, summing to 1.
        mix: Weight of the uniform distribution mixed into the prior (lambda in the paper).
        power: 1 as in the paper; 0 for no rebalancing.
    """
    weight = (1.0 / ((1.0 - mix) * prior + mix / len(prior))) ** power
    return weight / (prior * weight).sum()


class Terms(NamedTuple):
    """The parts of the objective, each a scalar.

    Attributes:
        classes: Rebalanced cross-entropy, in nats.
        mean: Smooth-L1 between decoded and true colour, in bins.
        gain: PSNR-like gain of the decoded ab over grey in this batch, in dB; for the log only.
    """

    classes: Tensor
    mean: Tensor
    gain: Tensor


def terms(logits: Tensor, decoded: Tensor, ab: Tensor, table: SoftTable, weights: Tensor) -> Terms:
    """Compute the terms of the objective.

    Args:
        logits: Scores `[N,313]`.
        decoded: Their annealed mean, `[N,2]`.
        ab: True colours `[N,2]`.
        table: Soft encoding.
        weights: Class weights `[313]`, looked up by the bin nearest the true colour.
    """
    index, share = table.encode(ab)
    picked = (logits.gather(1, index) * share).sum(dim=1)
    entropy = torch.logsumexp(logits, dim=1) - picked
    error = _smooth_l1(decoded, ab)
    with torch.no_grad():
        gain = 10.0 * torch.log10(ab.square().mean() / (decoded - ab).square().mean())
    return Terms((weights[index[:, 0]] * entropy).mean(), error, gain)


def distillation_loss(
    logits: Tensor, decoded: Tensor, taught: Tensor, taught_ab: Tensor
) -> tuple[Tensor, Tensor]:
    """Distillation loss against the teachers' predictions (Hinton et al. 2015, arXiv:1503.02531).

    Args:
        logits: Scores `[N,313]`.
        decoded: Their annealed mean `[N,2]`.
        taught: The teachers' distribution `[N,313]`; not rebalanced, as they were trained so.
        taught_ab: Its annealed mean `[N,2]`.

    Returns:
        Cross-entropy in nats, and smooth-L1 in bins, as in `Terms`.
    """
    return functional.cross_entropy(logits, taught), _smooth_l1(decoded, taught_ab)


def _smooth_l1(decoded: Tensor, ab: Tensor) -> Tensor:
    return functional.smooth_l1_loss(decoded / AB_UNIT, ab / AB_UNIT)

"""What every video model must do: row sizes, range, determinism, no memory but its state.

Used as `vscolor.testing.conformance` is, with `VideoSubject` and `video_checks()`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from vscolor.models.base import Array
from vscolor.models.video import SOURCES, AttributingModel, Exemplar, Strengths, VideoModel
from vscolor.testing.conformance import (
    AB_LIMIT,
    ROUNDING,
    Registered,
    expect,
    expect_luma_and_order,
    expect_refused,
    pictures,
)

FRAMES: Final = 3


@dataclass(frozen=True)
class VideoSubject(Registered):
    """A video model under test; its attributes are `Registered`'s."""

    @cached_property
    def model(self) -> VideoModel:
        """The model, ready."""
        return self.entry.open_video(self.place, self.weights, self.options, Strengths())

    @cached_property
    def luma(self) -> Array:
        """A few frames, L* `[FRAMES,1,h,w]`."""
        return pictures(FRAMES, self.side, 1.5, self.model.grid.multiple, 0)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the frames."""
        return self.luma.shape[2], self.luma.shape[3]

    def exemplar(self) -> Exemplar:
        """The first frame, coloured as the model colours it on its own."""
        features = self.model.encode(self.luma[:1])[0]
        ab = self.model.still(features, *self.size)
        confidence = np.ones(ab.shape[1:], np.float32)
        return Exemplar(self.luma[0, 0], ab, confidence, features, 1.0, True)

    def matched(self, n: int, exemplars: list[Exemplar]) -> Array:
        """What `match` says of frame n."""
        features = self.model.encode(self.luma[n : n + 1])[0]
        before = self.luma[max(n - 1, 0), 0]
        return self.model.match(self.luma[n, 0], before, features, exemplars)


type VideoCheck = Callable[[VideoSubject], None]


def video_checks() -> list[VideoCheck]:
    """All checks, cheap ones first."""
    return [
        has_a_plan_and_history,
        makes_rows_of_the_promised_size,
        encodes_each_row_on_its_own,
        colours_in_shape_and_range,
        keeps_nothing_but_its_state,
        runs_without_exemplars,
        tells_its_shares_if_it_can,
        refuses_video_options_it_lacks,
        keeps_luma_and_order_with_history,
    ]


def has_a_plan_and_history(subject: VideoSubject) -> None:
    """Its card says history and references, and its blocks are longer than their warm-up."""
    card, plan = subject.entry.card, subject.model.blocks
    expect(card.kind == "video", f"the card's kind is {card.kind!r}, expected 'video'")
    missing = {"history", "references"} - card.supports
    expect(not missing, f"the card does not say that it supports {', '.join(sorted(missing))}")
    expect(0 <= plan.warm_up <= plan.length, f"{plan}: the warm-up is longer than the block")


def makes_rows_of_the_promised_size(subject: VideoSubject) -> None:
    """`encode`, `match` and `step` return as many floats as they say."""
    features = subject.model.encode(subject.luma)
    wanted = (FRAMES, subject.model.feature_size(*subject.size))
    expect(features.shape == wanted, f"encode returned {features.shape}, expected {wanted}")
    matched = subject.matched(1, [subject.exemplar()])
    size = (subject.model.match_size(*subject.size),)
    expect(matched.shape == size, f"match returned {matched.shape}, expected {size}")
    _, state = subject.model.step(matched, None, *subject.size)
    shape = subject.model.state_shape(*subject.size)
    expect(state.shape == shape, f"step's state is {state.shape}, expected {shape}")
    for name, row in (("encode", features), ("match", matched), ("step's state", state)):
        expect(row.dtype == np.float32, f"{name} returned {row.dtype}, expected float32")


def encodes_each_row_on_its_own(subject: VideoSubject) -> None:
    """A frame's features do not depend on what else is in its batch."""
    together = subject.model.encode(subject.luma)
    for row in range(FRAMES):
        alone = subject.model.encode(subject.luma[row : row + 1])[0]
        apart = float(np.abs(alone - together[row]).max())
        expect(apart <= ROUNDING, f"row {row} of encode moves by {apart:.3f} with its batch")


def colours_in_shape_and_range(subject: VideoSubject) -> None:
    """`still` and `step` return ab of the grid's size, finite and within -128 to 127."""
    stride = subject.model.grid.ab_stride
    wanted = (2, *(side // stride for side in subject.size))
    known = subject.exemplar()
    ab, _ = subject.model.step(subject.matched(1, [known]), None, *subject.size)
    for name, found in (("still", known.ab), ("step", ab)):
        expect(found.shape == wanted, f"{name} returned {found.shape}, expected {wanted}")
        expect(bool(np.isfinite(found).all()), f"ab of {name} is not finite")
        largest = float(np.abs(found).max())
        expect(largest <= AB_LIMIT, f"ab of {name} reaches {largest:.1f}, expected {AB_LIMIT:g}")


def keeps_nothing_but_its_state(subject: VideoSubject) -> None:
    """A step repeated from the same state gives the same bytes, whatever ran between."""
    known = [subject.exemplar()]
    rows = [subject.matched(n, known) for n in range(FRAMES)]
    _, state = subject.model.step(rows[0], None, *subject.size)
    first, _ = subject.model.step(rows[1], state, *subject.size)
    subject.model.step(rows[2], None, *subject.size)
    again, _ = subject.model.step(rows[1], state, *subject.size)
    expect(np.array_equal(first, again), "a step from the same state gave other bytes")
    alone, _ = subject.model.step(rows[1], None, *subject.size)
    expect(not np.array_equal(first, alone), "the frame before counts for nothing")


def runs_without_exemplars(subject: VideoSubject) -> None:
    """Where there is nothing to take colours from, it still colours."""
    ab, _ = subject.model.step(subject.matched(1, []), None, *subject.size)
    expect(bool(np.isfinite(ab).all()), "without exemplars ab is not finite")


def tells_its_shares_if_it_can(subject: VideoSubject) -> None:
    """If it has `source_weights`, they have the grid's size and sum to 1 everywhere."""
    model = subject.model
    if not isinstance(model, AttributingModel):
        return
    stride = model.grid.ab_stride
    wanted = (len(SOURCES), *(side // stride for side in subject.size))
    row = subject.matched(1, [subject.exemplar()])
    _, state = model.step(row, None, *subject.size)
    for before in (None, state):
        found = model.source_weights(row, before, *subject.size)
        expect(found.shape == wanted, f"source_weights returned {found.shape}, expected {wanted}")
        low, high = float(found.min()), float(found.max())
        expect(
            low >= -ROUNDING and high <= 1 + ROUNDING, f"source weights reach from {low} to {high}"
        )
        apart = float(np.abs(found.sum(axis=0) - 1).max())
        expect(apart <= ROUNDING, f"source weights sum to 1 but for {apart:.3f}")


def refuses_video_options_it_lacks(subject: VideoSubject) -> None:
    """An unknown option is refused by name."""
    expect_refused(subject.entry.open_video, subject, Strengths())


def keeps_luma_and_order_with_history(subject: VideoSubject) -> None:
    """Through `colorize`, luma is kept, and frames are the same in any order of requests."""
    expect_luma_and_order(subject, scenes=())

"""The conformance suite: our models pass it, and models with faults do not."""

from dataclasses import replace

import numpy as np
import pytest

from vscolor.models.base import Grid
from vscolor.models.options import Option
from vscolor.models.registry import Entry, registry
from vscolor.testing import (
    TINY_CARD,
    TINY_VIDEO_CARD,
    Subject,
    TinyModel,
    TinyVideoModel,
    VideoSubject,
    assert_conforms,
    checks,
    tiny_video_entry,
    video_checks,
)


@pytest.mark.parametrize("check", checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["tiny", "mini"])
def test_ours_conform(name, check):
    check(Subject(name))


class Faulty(TinyModel):
    """Right but for one fault."""

    calls = 0

    def __init__(self, fault):
        self.fault = fault
        self.grid = Grid(8, 3) if fault == "grid" else Grid(8, 4)

    def predict(self, luma):
        Faulty.calls += 1
        if self.fault == "writes":
            luma[0, 0, 0, 0] = 5
        ab = super().predict(luma)
        return {
            "shape": lambda: ab[:, :, :-1],
            "dtype": lambda: ab.astype(np.float64),
            "range": lambda: ab * 5,
            "nan": lambda: np.where(luma.mean() < 1, np.nan, ab).astype(np.float32),
            "batch": lambda: ab - ab.mean(axis=0),
            "memory": lambda: ab + np.float32(Faulty.calls),
        }.get(self.fault, lambda: ab)()


class Exportable(Faulty):
    """What it writes as ONNX is another network."""

    graph_multiple = 8

    def graph(self):
        import torch

        class Wrong(torch.nn.Module):
            def forward(self, luma):
                halved = torch.nn.functional.avg_pool2d(luma, 4)
                return torch.cat([halved, -halved], 1)

        return Wrong()


FAULTS = {
    "shape": "returns_the_right_shape",
    "dtype": "returns_the_right_shape",
    "range": "stays_in_range",
    "nan": "stays_in_range",
    "batch": "colours_each_row_on_its_own",
    "memory": "repeats_itself",
    "grid": "has_a_sensible_grid",
    "card": "has_a_card",
    "kind": "has_a_card",
    "option": "declares_its_options_well",
    "writes": "leaves_its_input_alone: ValueError",
    "hints": "takes_hints_if_it_says_so",
    "onnx": "is_the_same_in_onnx_if_it_says_so: the card has onnx, the model has no graph",
    "graph": "is_the_same_in_onnx_if_it_says_so: ab of the ONNX file is off",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(monkeypatch, fault):
    changed = {
        "card": {"summary": ""},
        "kind": {"kind": "other"},
        "hints": {"supports": frozenset({"hints"})},
        "onnx": {"supports": frozenset({"onnx"})},
        "graph": {"supports": frozenset({"onnx"})},
    }
    card = replace(TINY_CARD, name="faulty", **changed.get(fault, {}))
    made = Exportable if fault == "graph" else Faulty
    options = (Option("x", int, 9, "x", high=3),) if fault == "option" else ()
    entry = Entry(card, lambda *_: made(fault), lambda: True, options=options)
    monkeypatch.setitem(registry._entries, "faulty", entry)
    subject = Subject("faulty")
    with pytest.raises(AssertionError, match=f"faulty does not conform:(.|\n)*{FAULTS[fault]}"):
        assert_conforms(subject)


@pytest.mark.parametrize("check", video_checks(), ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", ["tiny-video", "mini-video"])
def test_our_video_models_conform(monkeypatch, name, check):
    monkeypatch.setitem(registry._entries, "tiny-video", tiny_video_entry())
    check(VideoSubject(name))


class FaultyVideo(TinyVideoModel):
    """Right but for one fault."""

    def __init__(self, fault):
        super().__init__()
        self.fault, self.last = fault, None

    def encode(self, luma):
        row = super().encode(luma)
        return row - row.mean(axis=0) if self.fault == "batch" else row

    def match(self, *given):
        row = super().match(*given)
        return row[:-1] if self.fault == "rows" else row

    def step(self, matched, state, height, width):
        if self.fault == "forgets":
            state = None
        if self.fault == "remembers":
            state = self.last if self.last is not None else state
        ab, state = super().step(matched, state, height, width)
        self.last = state
        return (ab * 9 if self.fault == "range" else ab), state


VIDEO_FAULTS = {
    "batch": "encodes_each_row_on_its_own",
    "rows": "makes_rows_of_the_promised_size",
    "forgets": "keeps_nothing_but_its_state",
    "remembers": "keeps_nothing_but_its_state",
    "range": "colours_in_shape_and_range",
}


@pytest.mark.parametrize("fault", VIDEO_FAULTS)
def test_faults_of_video_models_are_found(monkeypatch, fault):
    card = replace(TINY_VIDEO_CARD, name="faulty-video")
    entry = Entry(card, lambda *_: FaultyVideo(fault), lambda: True)
    monkeypatch.setitem(registry._entries, "faulty-video", entry)
    (check,) = [c for c in video_checks() if c.__name__ == VIDEO_FAULTS[fault]]
    with pytest.raises(AssertionError, match=r"."):
        check(VideoSubject("faulty-video"))

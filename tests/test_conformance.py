"""The conformance suite: our models pass it, and models with faults do not."""

from dataclasses import replace

import numpy as np
import pytest

from vscolor.models.base import Grid
from vscolor.models.options import Option
from vscolor.models.registry import Entry, registry
from vscolor.testing import TINY_CARD, Subject, TinyModel, assert_conforms, checks


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
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(monkeypatch, fault):
    changed = {
        "card": {"summary": ""},
        "kind": {"kind": "other"},
        "hints": {"supports": frozenset({"hints"})},
    }
    card = replace(TINY_CARD, name="faulty", **changed.get(fault, {}))
    options = (Option("x", int, 9, "x", high=3),) if fault == "option" else ()
    entry = Entry(card, lambda *_: Faulty(fault), lambda: True, options=options)
    monkeypatch.setitem(registry._entries, "faulty", entry)
    subject = Subject("faulty")
    with pytest.raises(AssertionError, match=f"faulty does not conform:(.|\n)*{FAULTS[fault]}: "):
        assert_conforms(subject)

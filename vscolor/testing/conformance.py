"""What every still model must do, whoever wrote it: shape, range, order, batch, device, errors.

In a test of a plugin:

    from vscolor.testing import Subject, checks

    SUBJECT = Subject("mymodel", weights="path/of/some/weights.pth")

    @pytest.mark.parametrize("check", checks(), ids=lambda c: c.__name__)
    def test_conforms(check):
        check(SUBJECT)

A check raises `AssertionError` that says what came and what was expected. Weights need not be
trained ones: nothing here asks what the colours are.
"""

from __future__ import annotations

import importlib.util
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import vapoursynth as vs

from vscolor.device import RUNTIMES, Device
from vscolor.errors import SettingError, VscolorError, WeightsError
from vscolor.filters import colorize
from vscolor.models.base import Array, ExportableModel, HintedModel, StillModel, WindowedModel
from vscolor.models.export import export
from vscolor.models.registry import Entry, registry
from vscolor.testing.builders import noise_clip, planes_of

KINDS: Final = ("still", "video")
ABILITIES: Final = frozenset({"hints", "references", "history", "onnx"})
AB_LIMIT: Final = 128.0
ROUNDING: Final = 0.02
"""Tolerance on ab, for runtimes whose order of summation depends on the batch."""
CELL: Final = 8


@dataclass(frozen=True)
class Registered:
    """A model under test, by its name.

    Attributes:
        name: As it is registered: of this package, or by a plugin's entry point.
        weights: What to give as `weights=`; None for its own.
        options: What to give as `options=`.
        side: Short side of the pictures, in pixels; more than the model's multiple.
        device: Where to run it.
    """

    name: str
    weights: str | Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    side: int = 64
    device: str = "cpu"

    @cached_property
    def entry(self) -> Entry:
        """The model as registered."""
        return registry.get(self.name)

    @property
    def place(self) -> Device:
        """Where it runs."""
        return self.entry.resolve_device(self.device, None)


@dataclass(frozen=True)
class Subject(Registered):
    """A still model under test; its attributes are `Registered`'s."""

    @cached_property
    def model(self) -> StillModel:
        """The model, ready."""
        return self.entry.open(self.place, self.weights, self.options)

    def luma(self, batch: int, wide: float = 1.5, seed: int = 0) -> Array:
        """Pictures of soft cells and noise, L* `[batch,1,h,w]`, no two alike."""
        return pictures(batch, self.side, wide, self.model.grid.multiple, seed)


def pictures(batch: int, side: int, wide: float, multiple: int, seed: int) -> Array:
    """Soft cells and noise, L* `[batch,1,h,w]`, no two alike.

    Args:
        batch: How many.
        side: Height in pixels, rounded to `multiple`.
        wide: Width over height.
        multiple: Of both sides.
        seed: Of NumPy's PCG64.
    """
    h, w = (max(1, round(s / multiple)) * multiple for s in (side, side * wide))
    rng = np.random.default_rng(seed)
    cells = rng.uniform(5, 90, (batch, 1, h // CELL + 1, w // CELL + 1))
    grown = cells.repeat(CELL, 2).repeat(CELL, 3)[:, :, :h, :w]
    return np.asarray(grown + rng.uniform(0, 5, grown.shape), np.float32)


type Check = Callable[[Subject], None]


def checks() -> list[Check]:
    """All checks, cheap ones first."""
    return [
        has_a_card,
        has_a_sensible_grid,
        declares_its_options_well,
        returns_the_right_shape,
        stays_in_range,
        colours_each_row_on_its_own,
        repeats_itself,
        leaves_its_input_alone,
        takes_any_memory_layout,
        runs_in_threads,
        takes_hints_if_it_says_so,
        agrees_alone_if_windowed,
        refuses_runtimes_it_lacks,
        refuses_options_it_lacks,
        refuses_bad_weights,
        keeps_luma_and_order_in_the_filter,
        is_the_same_in_onnx_if_it_says_so,
    ]


def assert_conforms(subject: Subject) -> None:
    """Run all checks.

    Raises:
        AssertionError: At least one failed; the message has a line for each.
    """
    failures = []
    for check in checks():
        try:
            check(subject)
        except AssertionError as error:
            failures.append(f"{check.__name__}: {error}")
        except Exception as error:  # a model may fail in any way
            failures.append(f"{check.__name__}: {type(error).__name__}: {error}")
    if failures:
        raise AssertionError("\n".join([f"{subject.name} does not conform:", *failures]))


def expect(true: bool, message: str) -> None:
    """Raise `AssertionError` with a message if a condition does not hold."""
    if not true:
        raise AssertionError(message)


def has_a_card(subject: Subject) -> None:
    """Its card is filled in and bears its name."""
    card = subject.entry.card
    expect(card.name == subject.name, f"the card names it {card.name!r}")
    expect(card.kind in KINDS, f"kind is {card.kind!r}, expected one of {KINDS}")
    empty = [
        n for n in ("summary", "paper", "code_licence", "weights_licence") if not getattr(card, n)
    ]
    expect(not empty, f"the card says nothing of {', '.join(empty)}")
    unknown = card.supports - ABILITIES
    expect(not unknown, f"supports is {set(card.supports)}, expected of {set(ABILITIES)}")


def has_a_sensible_grid(subject: Subject) -> None:
    """Its grid's numbers are consistent."""
    grid = subject.model.grid
    expect(grid.multiple >= 1 <= grid.ab_stride, f"{grid} has a number below 1")
    expect(grid.multiple % grid.ab_stride == 0, f"{grid}: ab_stride does not divide multiple")
    expect(64 <= grid.size <= 2048, f"{grid}: size is outside 64 to 2048")


def declares_its_options_well(subject: Subject) -> None:
    """Each option's default is a value it accepts, and no name comes twice."""
    names = [option.name for option in subject.entry.options]
    expect(len(names) == len(set(names)), f"an option is declared twice: {names}")
    for option in subject.entry.options:
        expect(bool(option.summary), f"option {option.name} has no summary")
        try:
            option.check(option.default)
        except SettingError as error:
            raise AssertionError(f"the default of an option is refused: {error}") from error


def returns_the_right_shape(subject: Subject) -> None:
    """Ab is `[B,2,h/s,w/s]` in single precision, for any batch and aspect."""
    stride = subject.model.grid.ab_stride
    for batch, wide in ((1, 1.0), (2, 1.5), (3, 0.75), (1, 2.4)):
        luma = subject.luma(batch, wide)
        ab = subject.model.predict(luma)
        expected = (batch, 2, luma.shape[2] // stride, luma.shape[3] // stride)
        expect(ab.shape == expected, f"L {luma.shape} gave ab {ab.shape}, expected {expected}")
        expect(ab.dtype == np.float32, f"ab is {ab.dtype}, expected float32")


def stays_in_range(subject: Subject) -> None:
    """Ab is finite and within -128 to 127, for black, white and noise too."""
    picture = subject.luma(1)
    noise = np.random.default_rng(1).uniform(0, 100, picture.shape).astype(np.float32)
    for name, luma in (
        ("a picture", picture),
        ("black", np.zeros_like(picture)),
        ("white", np.full_like(picture, 100)),
        ("noise", noise),
    ):
        ab = subject.model.predict(luma)
        expect(bool(np.isfinite(ab).all()), f"ab of {name} is not finite")
        largest = float(np.abs(ab).max())
        expect(largest <= AB_LIMIT, f"ab of {name} reaches {largest:.1f}, expected {AB_LIMIT:g}")


def colours_each_row_on_its_own(subject: Subject) -> None:
    """A frame's colour does not depend on what else is in its batch."""
    luma = subject.luma(3)
    together = subject.model.predict(luma)
    for row in range(3):
        alone = subject.model.predict(luma[row : row + 1])[0]
        apart = float(np.abs(alone - together[row]).max())
        expect(apart <= ROUNDING, f"row {row} moves by {apart:.3f} with its batch")
    swapped = subject.model.predict(np.ascontiguousarray(luma[::-1]))[::-1]
    apart = float(np.abs(swapped - together).max())
    expect(apart <= ROUNDING, f"the order in a batch moves ab by {apart:.3f}")


def repeats_itself(subject: Subject) -> None:
    """The same batch gives the same bytes, whatever came between, also from a second loading."""
    luma = subject.luma(2)
    first = subject.model.predict(luma)
    subject.model.predict(subject.luma(2, seed=7))
    expect(np.array_equal(subject.model.predict(luma), first), "the same batch gave other bytes")
    again = subject.entry.open(subject.place, subject.weights, subject.options)
    expect(np.array_equal(again.predict(luma), first), "loaded again it gives other bytes")


def leaves_its_input_alone(subject: Subject) -> None:
    """It does not modify its input."""
    luma = subject.luma(1)
    kept = luma.copy()
    luma.setflags(write=False)
    subject.model.predict(luma)
    expect(np.array_equal(luma, kept), "predict changed its input")


def takes_any_memory_layout(subject: Subject) -> None:
    """Input that is not contiguous in memory gives the same result."""
    luma = subject.luma(2)
    strided = np.repeat(luma, 2, axis=3)[:, :, :, ::2]
    same = np.array_equal(subject.model.predict(strided), subject.model.predict(luma))
    expect(same, "strided luma gave other bytes")


def runs_in_threads(subject: Subject) -> None:
    """Several threads at once get the same result as one."""
    pictures = [subject.luma(1, seed=seed) for seed in range(4)]
    alone = [subject.model.predict(luma) for luma in pictures]
    found: dict[int, Array] = {}

    def work(number: int) -> None:
        found[number] = subject.model.predict(pictures[number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expect(len(found) == 4, "predict failed in a thread")
    same = all(np.array_equal(found[n], alone[n]) for n in range(4))
    expect(same, "threads got other bytes than one alone")


def takes_hints_if_it_says_so(subject: Subject) -> None:
    """With no hint set it predicts as without, and a hint changes something."""
    says, does = "hints" in subject.entry.card.supports, isinstance(subject.model, HintedModel)
    expect(says == does, f"the card {'has' if says else 'lacks'} hints, the model does not agree")
    if not isinstance(subject.model, HintedModel):
        return
    luma = subject.luma(1)
    ab, mask = np.zeros((1, 2, *luma.shape[2:]), np.float32), np.zeros_like(luma)
    plain = subject.model.predict(luma)
    same = np.allclose(subject.model.predict_hinted(luma, ab, mask), plain, atol=ROUNDING)
    expect(same, "without a hint set, predict_hinted differs from predict")
    middle = (..., slice(luma.shape[2] // 2, None), slice(luma.shape[3] // 2, None))
    ab[middle], mask[middle] = 60, 1
    changed = not np.array_equal(subject.model.predict_hinted(luma, ab, mask), plain)
    expect(changed, "a hint changes nothing")


def agrees_alone_if_windowed(subject: Subject) -> None:
    """Given its own analysis alone, a model that uses neighbours predicts as without."""
    if not isinstance(subject.model, WindowedModel):
        return
    expect(subject.model.radius >= 0, f"radius is {subject.model.radius}")
    luma = subject.luma(1)
    analysis = subject.model.analyse(luma)
    expect(np.asarray(analysis).ndim == 1, "analyse returned no flat array")
    among = subject.model.predict_windowed(luma, [{0: np.asarray(analysis, np.float32)}])
    same = np.allclose(among, subject.model.predict(luma), atol=ROUNDING)
    expect(same, "a frame alone in its scene is coloured otherwise by predict_windowed")


def refuses_runtimes_it_lacks(subject: Subject) -> None:
    """A runtime it does not run on is refused by name."""
    for runtime in set(RUNTIMES) - set(subject.entry.runtimes):
        try:
            subject.entry.resolve_device("cpu", runtime)
        except SettingError as error:
            expect(runtime in str(error), f"the refusal of {runtime} does not name it: {error}")
        else:
            raise AssertionError(f"runtime {runtime} is not refused")


def refuses_options_it_lacks(subject: Subject) -> None:
    """An unknown option is refused by name."""
    expect_refused(subject.entry.open, subject)


def expect_refused(load: Callable[..., object], subject: Registered, *more: object) -> None:
    """Expect a loader to refuse an unknown option by name; `more` are its further arguments."""
    given = {**subject.options, "no_such_option": 1}
    try:
        load(subject.place, subject.weights, given, *more)
    except SettingError as error:
        expect("no_such_option" in str(error), f"the refusal does not name it: {error}")
    else:
        raise AssertionError("an unknown option is not refused")


def refuses_bad_weights(subject: Subject) -> None:
    """A weight file that is missing or no weight file is refused by name, in one line."""
    if not (subject.entry.needs or subject.entry.files):
        return
    with tempfile.TemporaryDirectory() as folder:
        text = Path(folder) / "text.pth"
        text.write_text("no weights")
        for path in (Path(folder) / "missing.pth", text):
            try:
                subject.entry.open(subject.place, path, subject.options)
            except WeightsError as error:
                told = str(error)
                expect(path.name in told, f"the refusal does not name the file: {told}")
                expect("\n" not in told, f"the refusal has more than a line: {told}")
            except VscolorError as error:
                raise AssertionError(f"{path.name} raised {type(error).__name__}") from error
            else:
                raise AssertionError(f"{path.name} is not refused")


def keeps_luma_and_order_in_the_filter(subject: Subject) -> None:
    """Through `colorize`, luma is kept, and frames are the same in any order of requests."""
    expect_luma_and_order(subject)


def expect_luma_and_order(subject: Registered, **more: Any) -> None:
    """Expect `colorize`, with more arguments, to keep luma and not to depend on request order."""
    clip = noise_clip(vs.YUV420P8, 3 * subject.side // 2, subject.side, 4)

    def coloured() -> vs.VideoNode:
        return colorize(
            clip,
            subject.name,
            size=subject.side,
            device=subject.device,
            weights=subject.weights,
            options=subject.options,
            **more,
        )

    out, fresh = coloured(), coloured()
    straight = [planes_of(out, n) for n in range(4)]
    for n in (2, 0, 3, 1):
        planes = planes_of(fresh, n)
        expect(np.array_equal(planes[0], planes_of(clip, n)[0]), f"luma of frame {n} changed")
        same = all(np.array_equal(a, b) for a, b in zip(planes, straight[n], strict=True))
        expect(same, f"frame {n} differs when frames are asked for in another order")


def is_the_same_in_onnx_if_it_says_so(subject: Subject) -> None:
    """Its ONNX file gives its colour, at any size and batch.

    Nothing is asked where torch or onnx is not installed.
    """
    absent = [n for n in ("torch", "onnx") if importlib.util.find_spec(n) is None]
    if absent or "onnx" not in subject.entry.card.supports:
        return
    import onnxruntime

    model = subject.entry.open(Device("torch", "cpu"), subject.weights, subject.options)
    expect(isinstance(model, ExportableModel), "the card has onnx, the model has no graph")
    multiple = getattr(model, "graph_multiple", 1)
    luma = pictures(2, max(subject.side, multiple), 1.5, multiple, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(subject.name, path, "lab", weights=subject.weights, options=subject.options)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        (ab,) = session.run(None, {"luma": luma})
    expected = model.predict(luma)
    expect(ab.shape == expected.shape, f"ONNX gave ab {ab.shape}, expected {expected.shape}")
    apart = float(np.abs(ab - expected).max())
    expect(apart <= ROUNDING, f"ab of the ONNX file is off by {apart:.3f}")

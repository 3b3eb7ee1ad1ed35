"""The methods of `stabilize`: each says what to add to a clip's chroma."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import vapoursynth as vs

from vscolor import clip as core
from vscolor import device as devices
from vscolor import motion
from vscolor.errors import SettingError
from vscolor.pictures import chroma_planes
from vscolor.prior import Prior

if TYPE_CHECKING:
    from vscolor import fitting

METHODS: Final = ("motion", "dvp")
CALLER: Final = "stabilize"
MIN_SIZE, MAX_SIZE = 64, 1024
OWN_OPTIONS: Final = {
    "motion": {"radius", "match", "slow"},
    "dvp": {"size", "device", "seed", "irt", "reference", "fit"},
}


@dataclass(frozen=True)
class Options:
    """What a caller may set; None for the method's own default.

    Attributes:
        radius: Of `motion`, frames to each side.
        match: Of `motion`, largest luma difference of blocks taken for the same.
        slow: Of `motion`, whether to look for slow pulsing.
        size: Of `dvp`, short side of the luma the network sees.
        device: Of `dvp`.
        seed: Of `dvp`.
        irt: Of `dvp`, whether to use iteratively reweighted training.
        reference: Of `dvp`, whether it is the authors' network and loop.
        fit: Of `dvp`, whether to fit now what is not fitted yet.
    """

    radius: int | None = None
    match: float | None = None
    slow: bool | None = None
    size: int | None = None
    device: str | None = None
    seed: int | None = None
    irt: bool | None = None
    reference: bool | None = None
    fit: bool | None = None

    def check_method(self, method: str) -> None:
        """Refuse an unknown method, and options that it does not have.

        Raises:
            SettingError: With the names of those that fit.
        """
        if method not in METHODS:
            raise SettingError(f"method= is {method!r}, expected one of {', '.join(METHODS)}")
        given = {name for name, value in vars(self).items() if value is not None}
        foreign = sorted(given - OWN_OPTIONS[method])
        if foreign:
            names = ", ".join(f"{name}=" for name in sorted(OWN_OPTIONS[method]))
            raise SettingError(f"{foreign[0]}= is not of method {method}, expected of {names}")


@dataclass(frozen=True)
class Work:
    """A clip to be steadied.

    Attributes:
        canvas: The clip, YUV.
        luma: GRAY, what tells how things moved.
        cuts: First frames of scenes; None to find them.
    """

    canvas: core.Film
    luma: vs.VideoNode
    cuts: Iterable[int] | None


def correction(method: str, work: Work, options: Options) -> list[vs.VideoNode]:
    """What to add to chroma: GRAYS clips for U and V, in nominal units.

    Raises:
        VscolorError: A setting cannot be used.
    """
    options.check_method(method)
    steady = {"motion": _by_motion, "dvp": _by_fit}[method]
    return steady(work, options)


def _by_motion(work: Work, options: Options) -> list[vs.VideoNode]:
    radius = 4 if options.radius is None else options.radius
    match = 8.0 if options.match is None else options.match
    window = motion.Window(
        radius=whole_in_range("radius", radius, 1, motion.MAX_RADIUS),
        match=in_range("match", match, 1, 50),
        slow=bool(options.slow),
    )
    return motion.correction(work.canvas.clip, work.luma, window, work.cuts)


def prior_of(options: Options) -> Prior:
    """The settings of a fit.

    Raises:
        SettingError: One is out of range.
    """
    default = Prior()
    size = default.size if options.size is None else options.size
    return Prior(
        size=whole_in_range("size", size, MIN_SIZE, MAX_SIZE),
        seed=whole_in_range("seed", 0 if options.seed is None else options.seed, 0, 2**31 - 1),
        irt=default.irt if options.irt is None else bool(options.irt),
        reference=bool(options.reference),
    )


def fit_task(work: Work, options: Options) -> fitting.Task:
    """What `dvp` fits, or has fitted.

    Raises:
        SettingError: An option is not of the method or out of range.
        DeviceError: There is no such device, or no torch.
    """
    from vscolor import fitting

    options.check_method("dvp")
    prior = prior_of(options)
    devices.require_torch()
    where = devices.resolve(options.device, "torch")
    return fitting.Task.of(work.canvas, work.luma, work.cuts, prior, where)


def _by_fit(work: Work, options: Options) -> list[vs.VideoNode]:
    from vscolor import fitting

    task = fit_task(work, options)
    if options.fit:
        fitting.fit_with_bar(task)
    return chroma_planes(fitting.change(task, CALLER))


def in_range(name: str, value: float, low: float, high: float) -> float:
    """A number within bounds.

    Raises:
        SettingError: It is none, or outside.
    """
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (number and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected {low:g} to {high:g}")
    return float(value)


def whole_in_range(name: str, value: int, low: int, high: int) -> int:
    """A whole number within bounds.

    Raises:
        SettingError: It is none, or outside.
    """
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not (whole and low <= value <= high):
        raise SettingError(f"{name}= is {value!r}, expected a whole number from {low} to {high}")
    return value

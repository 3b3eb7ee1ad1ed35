"""The methods of `stabilize`: each returns what to add to a clip's chroma."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import vapoursynth as vs

from vscolor import device as devices
from vscolor import nodes
from vscolor.arguments import in_range, inspect_guide, one_of, read_cuts, whole_in_range, yes_or_no
from vscolor.batching import guarded
from vscolor.errors import SettingError
from vscolor.film import Film, check_frame, inspect
from vscolor.models.stepper import Stepper
from vscolor.steadying import motion, recurrence
from vscolor.steadying.pictures import Sizes, chroma_planes, small_pictures
from vscolor.steadying.prior import Prior

if TYPE_CHECKING:
    from vscolor.steadying import fitting

METHODS: Final = ("motion", "blind", "dvp")
CALLER: Final = "stabilize"
MIN_SIZE, MAX_SIZE = 64, 1024
BLIND_SIZE: Final = 256
# Chosen by comparing the step of chroma at a block's first frame with the steps inside it.
BLOCK, OVERLAP, WARM_UP = 24, 8, 8
PUBLISHED: Final = (".pth", ".pt")
OWN_OPTIONS: Final = {
    "motion": {"radius", "match", "slow"},
    "blind": {"size", "device", "runtime", "weights"},
    "dvp": {"size", "device", "seed", "irt", "reference", "fit"},
}
SWITCHES: Final = {"slow", "irt", "reference", "fit"}


@dataclass(frozen=True)
class Options:
    """What a caller may set; None for the method's own default.

    Attributes:
        radius: Of `motion`, frames to each side.
        match: Of `motion`, largest mean luma difference of matching blocks.
        slow: Of `motion`, whether to correct slow pulsing.
        size: Of `blind` and `dvp`, short side of the luma the network sees.
        device: Of `blind` and `dvp`.
        runtime: Of `blind`.
        weights: Of `blind`, a weight file.
        seed: Of `dvp`.
        irt: Of `dvp`, whether to use iteratively reweighted training.
        reference: Of `dvp`, whether to use the authors' network and training loop.
        fit: Of `dvp`, whether to fit now the scenes that are not fitted yet.
    """

    radius: int | None = None
    match: float | None = None
    slow: bool | None = None
    size: int | None = None
    device: str | None = None
    runtime: str | None = None
    weights: str | Path | None = None
    seed: int | None = None
    irt: bool | None = None
    reference: bool | None = None
    fit: bool | None = None

    def check_method(self, method: str) -> None:
        """Refuse an unknown method, options it does not have, and switches that are no booleans.

        Raises:
            SettingError: One of these is given; the message lists what is accepted.
        """
        one_of("method", method, METHODS)
        given = {name for name, value in vars(self).items() if value is not None}
        foreign = sorted(given - OWN_OPTIONS[method])
        if foreign:
            names = ", ".join(f"{name}=" for name in sorted(OWN_OPTIONS[method]))
            raise SettingError(
                f"{foreign[0]}= does not apply to method {method}, expected of {names}"
            )
        for name in SWITCHES & given:
            yes_or_no(name, getattr(self, name))


@dataclass(frozen=True)
class StabilizeInput:
    """A clip to be steadied.

    Attributes:
        canvas: The clip, YUV.
        luma: GRAY, the luma that the method looks at: the guide's, if there is one.
        cuts: First frames of scenes; None to find them.
    """

    canvas: Film
    luma: vs.VideoNode
    cuts: Iterable[int] | None


def stabilize_input(
    clip: vs.VideoNode, guide: vs.VideoNode | None, scenes: Iterable[int] | str | Path | None
) -> tuple[Film, StabilizeInput]:
    """The caller's clip as given, and prepared for a method.

    Raises:
        SettingError: It is GRAY or of an unsupported format, the guide does not fit it, or the
            list of scenes cannot be used.
    """
    film = inspect(clip)
    if clip.format.color_family == vs.GRAY:
        raise SettingError("clip is GRAY, expected a coloured one; colorize it first")
    canvas = nodes.to_yuv(film)
    seen = canvas if guide is None else inspect_guide(guide, clip, CALLER)
    return film, StabilizeInput(canvas, nodes.luma_of(seen), read_cuts(scenes, clip.num_frames))


def checked_input(
    clip: vs.VideoNode, guide: vs.VideoNode | None, scenes: Iterable[int] | str | Path | None
) -> StabilizeInput:
    """The same for callers that return no clip: each frame is checked when it is used."""
    film, work = stabilize_input(clip, guide, scenes)
    check = partial(check_frame, film)
    passed = guarded(work.canvas.clip, clip, check, CALLER)
    return replace(work, canvas=replace(work.canvas, clip=passed))


def correction(method: str, work: StabilizeInput, options: Options) -> list[vs.VideoNode]:
    """What to add to chroma: GRAYS clips for U and V, in nominal units.

    Raises:
        VscolorError: A setting cannot be used.
    """
    options.check_method(method)
    steady = {"motion": _by_motion, "blind": _by_network, "dvp": _by_fit}[method]
    return steady(work, options)


def _by_motion(work: StabilizeInput, options: Options) -> list[vs.VideoNode]:
    radius = 4 if options.radius is None else options.radius
    match = 8.0 if options.match is None else options.match
    window = motion.Window(
        radius=whole_in_range("radius", radius, 1, motion.MAX_RADIUS),
        match=in_range("match", match, 1, 50),
        slow=bool(options.slow),
    )
    return motion.correction(work.canvas.clip, work.luma, window, work.cuts)


def _by_network(work: StabilizeInput, options: Options) -> list[vs.VideoNode]:
    size = BLIND_SIZE if options.size is None else options.size
    whole_in_range("size", size, MIN_SIZE, MAX_SIZE)
    stepper, where = _stepper(work, options)
    height, width = nodes.model_size(work.canvas, size, stepper.multiple)
    sizes = Sizes(width, height, stepper.stride)
    pictures = small_pictures(work.canvas.clip, work.luma, sizes, work.cuts)
    lanes = where.lanes(vs.core.num_threads)
    plan = recurrence.Blocks(pictures.num_frames, BLOCK, OVERLAP, WARM_UP, lanes)
    return chroma_planes(recurrence.correction_in_blocks(pictures, stepper, plan, CALLER))


def _stepper(work: StabilizeInput, options: Options) -> tuple[Stepper, devices.Device]:
    """The network of `blind`, the project's or the published one, and where it runs."""
    weights, runtime = options.weights, options.runtime
    if weights is not None and str(weights).endswith(PUBLISHED):
        from vscolor.models.lai import adapter as lai

        if runtime == "onnx":
            raise SettingError(f"runtime= is 'onnx', but {weights} runs on torch")
        where = devices.resolve(options.device, "torch")
        return lai.load(where, weights, work.canvas.colorimetry.matrix), where
    from vscolor.models.blind import adapter

    where = devices.resolve(options.device, runtime)
    return adapter.load(where, weights), where


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


def fit_task(work: StabilizeInput, options: Options) -> fitting.Task:
    """The task of a `dvp` fit, to be done or done before.

    Raises:
        SettingError: An option does not belong to the method or is out of range.
        DeviceError: There is no such device.
        MissingExtraError: torch is not installed.
    """
    from vscolor.steadying import fitting

    options.check_method("dvp")
    prior = prior_of(options)
    devices.require_torch()
    where = devices.resolve(options.device, "torch")
    return fitting.Task.of(work.canvas, work.luma, work.cuts, prior, where)


def _by_fit(work: StabilizeInput, options: Options) -> list[vs.VideoNode]:
    from vscolor.steadying import fitting

    task = fit_task(work, options)
    if options.fit:
        fitting.fit_with_bar(task, range(task.pictures.num_frames))
    return chroma_planes(fitting.correction(task, CALLER))

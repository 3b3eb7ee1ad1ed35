"""Fit Deep Video Prior to the scenes of a clip, ahead of time.

The clip is read scene by scene at the size the network sees. A scene that was fitted before, here
or in another edit of the film, is not fitted again. Of two processes that come to the same scene,
one waits for the other; a crash loses the work since the last checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import vapoursynth as vs

from vscolor import console, nodes
from vscolor import device as devices
from vscolor.color import yuv_matrix
from vscolor.errors import DeviceMemoryError, SettingError
from vscolor.files import atomic_write
from vscolor.film import Film
from vscolor.models.dvp.architecture import MULTIPLE
from vscolor.models.running import is_out_of_memory
from vscolor.models.stepper import Picture
from vscolor.scenes import starts_scene
from vscolor.steadying import prior
from vscolor.steadying.fits import SceneEntry, Store, digest
from vscolor.steadying.pictures import Sizes, read_picture, small_pictures

if TYPE_CHECKING:
    from vscolor.device import Device
    from vscolor.models.dvp.fitting import Fit

SECONDS_AT_RISK: Final = 20.0
MAX_SCENE: Final = 1500
"""Most frames fitted together, all held in memory; a longer scene is fitted in parts."""

type Tell = Callable[[float], None]
"""Called with the number of frames done, which may be fractional."""


@dataclass(frozen=True)
class Task:
    """A clip, and how it is or will be fitted.

    Attributes:
        pictures: As `vscolor.steadying.pictures.small_pictures` makes them.
        cuts: As the caller gave them, for the clip's key.
        settings: Of the fit.
        device: A device of the runtime torch.
        matrix: The clip's, an H.273 number.
        store: Where fits are kept.
    """

    pictures: vs.VideoNode
    cuts: tuple[int, ...] | None
    settings: prior.Prior
    device: Device
    matrix: int
    store: Store = field(default_factory=Store)

    @classmethod
    def of(
        cls,
        canvas: Film,
        luma: vs.VideoNode,
        cuts: Iterable[int] | None,
        settings: prior.Prior,
        device: Device,
    ) -> Task:
        """For a clip and the luma that the network sees (the guide's, if there is one)."""
        listed = None if cuts is None else tuple(cuts)
        height, width = nodes.model_size(canvas, settings.size, MULTIPLE)
        sizes = Sizes(width, height, settings.stride)
        pictures = small_pictures(canvas.clip, luma, sizes, listed)
        return cls(pictures, listed, settings, device, canvas.colorimetry.matrix)

    def key(self) -> str:
        """The clip's key."""
        return prior.clip_key(self.pictures, self.settings, self.cuts, self.matrix)


def correction(task: Task, caller: str) -> vs.VideoNode:
    """What to add to chroma, by the stored fit.

    Raises:
        SettingError: There is no fit; the message says how to make one.
    """
    scenes = task.store.read_clip(task.key())
    if not scenes:
        raise SettingError(f"method dvp has no fit of this clip; {prior.REMEDY}")
    maker = prior.Maker(task.store, task.settings, task.device, task.matrix)
    return prior.correction_by_fit(task.pictures, scenes, task.settings, maker, caller)


def fit_with_bar(task: Task, span: range, quiet: bool = False) -> int:
    """Fit with a progress bar on stderr; see `fit`."""
    with console.frames_bar(f"Fitting dvp on {task.device}", len(span), quiet) as advance:
        return fit(task, lambda done: advance(int(done)), span)


def fit(task: Task, tell: Tell = lambda _: None, span: range | None = None) -> int:
    """Fit every scene of a clip that has frames in a span.

    Args:
        task: What to fit.
        tell: Called with the number of frames of the span that are done.
        span: The frames that matter; default: all.

    Returns:
        How many scenes were fitted; the others were fitted before.

    Raises:
        SettingError: The fits are larger than the store may be.
        DeviceError: The device failed.
    """
    span = range(task.pictures.num_frames) if span is None else span
    key = task.key()
    known = task.store.read_clip(key)
    held = {scene.key for scene in known if scene.first < span.stop and span.start < scene.stop}
    fitted = done = 0
    for start, pictures in _scenes(task.pictures, span):
        inside = min(span.stop, start + len(pictures)) - max(span.start, start)
        scene = _SceneFit(task, pictures)

        def advance(part: float, before: int = done, share: int = inside) -> None:
            tell(before + part * share)

        fitted += scene.run(advance)
        done += inside
        tell(done)
        held.add(scene.key)
        task.store.prune(held)
        task.store.add_to_clip(key, SceneEntry(start, start + len(pictures), scene.key))
    return fitted


def _scenes(pictures: vs.VideoNode, span: range) -> Iterator[tuple[int, list[Picture]]]:
    """The scenes with frames in a span, each with the number of its first frame."""
    begin = span.start
    while begin > 0 and not starts_scene(begin, pictures.get_frame(begin)):
        begin -= 1
    held: list[Picture] = []
    for n, frame in enumerate(pictures[begin:].frames(close=True), begin):
        if held and (starts_scene(n, frame) or len(held) == MAX_SCENE):
            if n > span.start:  # else a part of a long scene, before the span
                yield n - len(held), held
            held = []
            if n >= span.stop:
                return
        held.append(read_picture(frame))
    yield pictures.num_frames - len(held), held


class _SceneFit:
    """One scene on its way from pictures to a network in the store."""

    def __init__(self, task: Task, pictures: list[Picture]) -> None:
        self._task = task
        self._luma = np.concatenate([p.luma for p in pictures])
        self._chroma = np.concatenate([p.chroma for p in pictures])
        self._looks = np.stack([prior.thumbnail(p) for p in pictures])
        codes = (np.round(65535 * plane).astype("<i4") for plane in (self._luma, self._chroma))
        self.key = digest(task.settings.identity(), task.matrix, *(c.tobytes() for c in codes))

    def run(self, tell: Tell) -> bool:
        """Fit, unless this or another process has done so; returns whether it fitted."""
        store = self._task.store
        if store.holds(self.key):
            return False
        with store.lock(self.key):
            if store.holds(self.key):
                return False
            try:
                fit = self._fit(tell)
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                batch, _, height, width = self._luma.shape
                raise DeviceMemoryError(str(self._task.device), batch, height, width) from error
            store.write_scene(self.key, fit.result(), self._looks)
        return True

    def _fit(self, tell: Tell) -> Fit:
        place = self._task.store.checkpoint(self.key)
        fit = self._resumed(place) if place.exists() else self._begun()
        saved = monotonic()
        with nullcontext() if self._task.settings.reference else _one_thread():
            while not fit.done:
                fit.advance()
                tell(fit.step / fit.steps)
                if monotonic() - saved > SECONDS_AT_RISK:
                    _save(fit, place)
                    saved = monotonic()
        return fit

    def _resumed(self, place: Path) -> Fit:
        """A fit resumed from a checkpoint, made on any device; a new fit if that cannot be read."""
        import pickle

        import torch

        fit = self._begun()
        try:
            state: dict[str, Any] = torch.load(place, map_location="cpu", weights_only=True)
            fit.restore(state)
        except (RuntimeError, LookupError, ValueError, EOFError, TypeError, pickle.UnpicklingError):
            # The checkpoint may be half loaded, and a fit must be a function of its seed.
            return self._begun()
        return fit

    def _begun(self) -> Fit:
        import torch

        from vscolor.models.dvp import fitting

        settings, where = self._task.settings, devices.torch_device(self._task.device)
        luma = torch.from_numpy(self._luma)
        if not settings.reference:
            scene = fitting.Scene(luma, torch.from_numpy(self._chroma))
            return fitting.PriorFit(scene, irt=settings.irt, seed=settings.seed, device=where)
        yuv = np.concatenate([self._luma, self._chroma], axis=1)
        rgb = np.einsum("kc,bchw->bkhw", np.linalg.inv(yuv_matrix(self._task.matrix)), yuv)
        wanted = torch.from_numpy(np.clip(rgb, 0, 1).astype(np.float32))
        return fitting.ReferenceFit(
            luma, wanted, irt=settings.irt, seed=settings.seed, device=where
        )


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run torch on one thread.

    The network is so small that threads wait for each other longer than they work: on a busy
    machine two took 2.4 times the processor time of one. Also, a fit then does not depend on the
    number of cores.
    """
    import torch

    devices.same_threads()  # record the usual number before it is changed
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _save(fit: Fit, place: Path) -> None:
    import torch

    with atomic_write(place) as part:
        torch.save(fit.state(), part)

"""All available models by name: those of this package, then those of plugins.

A plugin is a package with an entry point in the group `vscolor.models`, which has the model's name
and refers to an `Entry`. Plugins are searched when a name is not built in or all are listed, and
imported when their model is needed: importing vscolor imports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Final, cast

from vscolor import device as devices
from vscolor.device import Device
from vscolor.errors import SettingError
from vscolor.models import options as choices
from vscolor.models.base import WINDOW_OPTION, Card, Option, StillLoader, StillModel
from vscolor.models.devc import adapter as devc
from vscolor.models.eccv16 import adapter as eccv16
from vscolor.models.instcolor import adapter as instcolor
from vscolor.models.mini import adapter as mini
from vscolor.models.mini_video import adapter as mini_video
from vscolor.models.siggraph17 import adapter as siggraph17
from vscolor.models.video import Strengths, VideoLoader, VideoModel
from vscolor.weights.catalog import WeightAlternatives, WeightSet, are_installed

GROUP: Final = "vscolor.models"


@dataclass(frozen=True)
class Entry:
    """A model in the registry.

    Attributes:
        card: What the user should know about it.
        load: Loads it on a device; a `VideoLoader` if the card's kind is `video`.
        installed: Whether all its weights are in place.
        files: Weight files inside its package, for their size.
        options: Its own settings.
        runtimes: Runtimes it runs on.
        needs: Weights to be fetched or added: one set of each need must be installed.
    """

    card: Card
    load: StillLoader | VideoLoader
    installed: Callable[[], bool]
    files: tuple[Path, ...] = ()
    options: tuple[Option, ...] = ()
    runtimes: tuple[str, ...] = devices.RUNTIMES
    needs: tuple[WeightAlternatives, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of its weight files on disk."""
        kept = [s.path(f) for need in self.needs for s in need for f in s.files]
        return sum(f.stat().st_size for f in {*self.files, *kept} if f.is_file())

    def resolve_device(self, device: str | None, runtime: str | None) -> Device:
        """Choose the model's device and runtime; see `vscolor.device.resolve`.

        Raises:
            SettingError: The model does not run on that runtime.
        """
        if runtime in devices.RUNTIMES and runtime not in self.runtimes:
            raise SettingError(
                f"runtime= is {runtime!r}, but model {self.card.name} runs on "
                f"{' or '.join(self.runtimes)}"
            )
        only = self.runtimes[0] if runtime is None and len(self.runtimes) == 1 else runtime
        return devices.resolve(device, only)

    def needs_neighbours(self, given: Mapping[str, Any] | None) -> bool:
        """Whether, with these options, the model uses frames other than the one it colours."""
        options = self._settled(given)
        return self.card.kind == "video" or bool(options.get(WINDOW_OPTION))

    def open(
        self, device: Device, weights: str | Path | None, given: Mapping[str, Any] | None
    ) -> StillModel:
        """Check the user's options and load the model; see `StillLoader`.

        Raises:
            SettingError: An option is unknown to the model or out of range.
        """
        load = cast(StillLoader, self.load)
        return load(device, weights, self._settled(given))

    def open_video(
        self,
        device: Device,
        weights: str | Path | None,
        given: Mapping[str, Any] | None,
        strengths: Strengths,
    ) -> VideoModel:
        """Check the options and load a video model; see `VideoLoader`."""
        load = cast(VideoLoader, self.load)
        return load(device, weights, self._settled(given), strengths)

    def _settled(self, given: Mapping[str, Any] | None) -> Mapping[str, Any]:
        return choices.resolve_options(self.card.name, self.options, given)

    @property
    def sets(self) -> list[WeightSet]:
        """All sets of weights, including alternatives."""
        return [s for need in self.needs for s in need]


@dataclass(frozen=True)
class Broken:
    """A plugin that cannot be used.

    Attributes:
        name: Name of its entry point.
        package: Name and version of its package.
        reason: What went wrong, one line.
    """

    name: str
    package: str
    reason: str

    def __str__(self) -> str:
        return f"model {self.name} of {self.package} is broken: {self.reason}"


class Registry:
    """Models by name: those registered, in order, then those of plugins.

    Args:
        group: Entry-point group of plugins; empty for none.
    """

    def __init__(self, group: str = "") -> None:
        self._entries: dict[str, Entry] = {}
        self._group = group

    def add(self, entry: Entry) -> None:
        """Register a model.

        Raises:
            ValueError: The name is taken.
        """
        if entry.card.name in self._entries:
            raise ValueError(f"a model named {entry.card.name!r} is registered already")
        self._entries[entry.card.name] = entry

    def get(self, name: str) -> Entry:
        """Look a model up.

        Raises:
            SettingError: No model has that name, or it is a broken plugin's.
        """
        if not isinstance(name, str):
            raise SettingError(f"model= is {name!r}, expected the name of one")
        if name in self._entries:
            return self._entries[name]
        for found in self._plugins:
            if found.name == name:
                loaded = self._load(found)
                if isinstance(loaded, Broken):
                    raise SettingError(f"model= is {name!r}: {loaded}")
                return loaded
        raise SettingError(f"model= is {name!r}, expected one of {', '.join(self.names())}")

    def open_still(self, name: str, beside: Device) -> StillModel:
        """Load a still model for a video model to take colours from.

        Args:
            name: The still model's name.
            beside: The video model's device; on a CPU ONNX Runtime is preferred to torch.

        Raises:
            SettingError: No model has that name, or it is not a still model.
        """
        entry = self.get(name)
        if entry.card.kind != "still":
            raise SettingError(f"still= is {name!r}, expected a still model")
        preferred = ("onnx", "torch") if beside.kind == "cpu" else ("torch", "onnx")
        runtime = next(r for r in preferred if r in entry.runtimes)
        return entry.open(replace(beside, runtime=runtime), None, None)

    def names(self) -> list[str]:
        """All names, including those of broken plugins."""
        return list(dict.fromkeys([*self._entries, *(p.name for p in self._plugins)]))

    def __iter__(self) -> Iterator[Entry]:
        """Every usable model."""
        yield from self._entries.values()
        yield from (e for e in map(self._load, self._plugins) if isinstance(e, Entry))

    def broken(self) -> list[Broken]:
        """Every unusable plugin."""
        return [e for e in map(self._load, self._plugins) if isinstance(e, Broken)]

    @cached_property
    def _plugins(self) -> tuple[EntryPoint, ...]:
        return tuple(entry_points(group=self._group)) if self._group else ()

    def _load(self, found: EntryPoint) -> Entry | Broken:
        """Import a plugin; whatever it raises is reported as that plugin's fault."""
        package = f"{found.dist.name} {found.dist.version}" if found.dist else "a package"
        first = next(p for p in self._plugins if p.name == found.name)
        if found.name in self._entries or found is not first:
            return Broken(found.name, package, "another model has this name")
        try:
            entry = found.load()
        except Exception as error:  # a plugin may fail in any way
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            return Broken(found.name, package, reason)
        if not isinstance(entry, Entry):
            return Broken(found.name, package, f"{found.value} is no Entry of vscolor")
        if entry.card.name != found.name:
            return Broken(found.name, package, f"its card names it {entry.card.name!r}")
        return entry


def published(
    card: Card,
    load: StillLoader | VideoLoader,
    needs: tuple[WeightAlternatives, ...],
    options: tuple[Option, ...] = (),
) -> Entry:
    """An `Entry` for a torch model whose weights are fetched or added."""
    return Entry(
        card,
        load,
        installed=partial(are_installed, needs),
        options=options,
        runtimes=("torch",),
        needs=needs,
    )


registry = Registry(GROUP)
registry.add(
    Entry(
        mini.CARD,
        mini.load,
        mini.installed,
        (mini.ONNX_FILE, mini.TORCH_FILE),
        options=mini.OPTIONS,
    )
)
registry.add(
    Entry(
        mini_video.CARD,
        mini_video.load,
        mini_video.installed,
        (*mini_video.ONNX_FILES.values(), mini_video.TORCH_FILE),
        options=mini_video.OPTIONS,
    )
)
for _adapter in (eccv16, siggraph17, instcolor):
    registry.add(published(_adapter.CARD, _adapter.load, _adapter.NEEDS, _adapter.OPTIONS))
_load_devc = partial(devc.load, open_still=registry.open_still)
registry.add(published(devc.CARD, _load_devc, devc.NEEDS, devc.OPTIONS))

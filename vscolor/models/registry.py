"""The models there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from vscolor.errors import SettingError
from vscolor.models.base import Card, StillLoader
from vscolor.models.mini import adapter as mini


@dataclass(frozen=True)
class Entry:
    """A model as the registry knows it.

    Attributes:
        card: What a person should know.
        load: Makes it ready on a device.
        installed: Whether its weights are in place.
        files: Its weight files, for their size.
    """

    card: Card
    load: StillLoader
    installed: Callable[[], bool]
    files: tuple[Path, ...]

    @property
    def size(self) -> int:
        """Bytes of its weight files on disk."""
        return sum(f.stat().st_size for f in self.files if f.is_file())


class Registry:
    """Models by name, in the order of their registration."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}

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
            SettingError: There is none of that name.
        """
        if name not in self._entries:
            raise SettingError(f"model= is {name!r}, expected one of {', '.join(self.names())}")
        return self._entries[name]

    def names(self) -> list[str]:
        """All names."""
        return list(self._entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self._entries.values())


registry = Registry()
registry.add(Entry(mini.CARD, mini.load, mini.installed, (mini.ONNX_FILE, mini.TORCH_FILE)))

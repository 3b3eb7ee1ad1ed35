"""Fits of scenes on disk: content-addressed, written atomically, locked, bounded in size.

`scenes/KEY.safetensors` is one scene's network, KEY a digest of its pictures, the settings and the
version, so that another edit of a film finds the scenes it shares. `clips/KEY.json` lists the
scenes of a whole clip, KEY a digest of a sample of its frames, so that a filter finds its scenes
without reading the whole film. While a scene is fitted, `scenes/KEY.checkpoint` holds the progress
and the process holds the lock `scenes/KEY.lock`.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import platformdirs
from numpy.typing import NDArray

from vscolor.errors import SettingError
from vscolor.files import atomic_write

if TYPE_CHECKING:
    from filelock import BaseFileLock
    from torch import Tensor

CACHE_VARIABLE: Final = "VSCOLOR_CACHE"
LIMIT_VARIABLE: Final = "VSCOLOR_FIT_LIMIT"
DEFAULT_LIMIT: Final = 4_000_000_000
GIGABYTE: Final = 1_000_000_000
THUMBNAILS: Final = "thumbnails"
HEAVY: Final = {".safetensors", ".checkpoint"}
"""Suffixes of the files that count towards the limit."""


@dataclass(frozen=True)
class SceneEntry:
    """One scene of a clip.

    Attributes:
        first: Its first frame.
        stop: The frame after its last one.
        key: Of its fit.
    """

    first: int
    stop: int
    key: str


def digest(*parts: bytes | str | int) -> str:
    """A key made of these parts."""
    total = hashlib.sha256()
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        total.update(len(raw).to_bytes(8, "little") + raw)
    return total.hexdigest()[:40]


def default_folder() -> Path:
    """Where fits are kept: below `VSCOLOR_CACHE`, or in the user's cache if that is not set."""
    named = os.environ.get(CACHE_VARIABLE)
    root = Path(named).expanduser() if named else platformdirs.user_cache_path("vscolor")
    return root / "fits"


def default_limit() -> int:
    """Bytes that fits may take: `VSCOLOR_FIT_LIMIT` in gigabytes; 4 GB if that is not set.

    Raises:
        SettingError: The variable is not a finite number above 0.
    """
    named = os.environ.get(LIMIT_VARIABLE)
    if named is None:
        return DEFAULT_LIMIT
    try:
        limit = float(named)
    except ValueError:
        limit = 0.0
    if not 0 < limit < math.inf:
        raise SettingError(f"{LIMIT_VARIABLE} is {named!r}, expected gigabytes, above 0")
    return int(limit * GIGABYTE)


class Store:
    """The fits in a folder.

    Args:
        folder: Where; created when something is written.
        limit: Bytes that networks and checkpoints may take together.
    """

    def __init__(self, folder: Path | None = None, limit: int | None = None) -> None:
        self.folder = default_folder() if folder is None else folder
        self.limit = default_limit() if limit is None else limit

    def scene_file(self, key: str) -> Path:
        """Where a scene's network is or will be."""
        return self.folder / "scenes" / f"{key}.safetensors"

    def holds(self, key: str) -> bool:
        """Whether a scene's network exists and is readable."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(self.scene_file(key)), "np"):
                return True
        except (OSError, SafetensorError):
            return False

    def checkpoint(self, key: str) -> Path:
        """Where the checkpoint of an unfinished fit is or will be."""
        return self.folder / "scenes" / f"{key}.checkpoint"

    def lock(self, key: str) -> BaseFileLock:
        """A lock that one process at a time holds while it fits a scene.

        Raises:
            SettingError: The folder cannot be created.
        """
        from filelock import FileLock

        place = self.folder / "scenes"
        try:
            place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingError(
                f"{place} cannot be made: {error.strerror or error}; {CACHE_VARIABLE} names "
                "another folder for fits"
            ) from error
        return FileLock(place / f"{key}.lock")

    def write_scene(
        self, key: str, network: dict[str, Tensor], thumbnails: NDArray[np.uint8]
    ) -> None:
        """Store a network with thumbnails of the frames it was fitted to, atomically."""
        import torch
        from safetensors.torch import save_file

        self.scene_file(key).parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(self.scene_file(key)) as part:
            save_file({**network, THUMBNAILS: torch.from_numpy(thumbnails)}, str(part))
        self.checkpoint(key).unlink(missing_ok=True)

    def read_scene(self, key: str) -> tuple[dict[str, Tensor], NDArray[np.uint8]]:
        """A network and its thumbnails; marks its file as used now.

        Raises:
            SettingError: It is not there any more, or damaged.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.scene_file(key)
        try:
            held = load_file(str(path))
        except FileNotFoundError:
            raise SettingError(f"the fit {path} is gone; fit the clip again") from None
        except SafetensorError as error:
            raise SettingError(
                f"the fit {path} is damaged ({error}); delete it and fit the clip again"
            ) from error
        with suppress(OSError):  # the folder may be another user's
            os.utime(path)
        thumbnails: NDArray[np.uint8] = held.pop(THUMBNAILS).numpy()
        return held, thumbnails

    def add_to_clip(self, key: str, scene: SceneEntry) -> None:
        """Put a scene into a clip's list, in place of those it overlaps.

        Locked, since other processes may fit other scenes of the clip meanwhile.
        """
        from filelock import FileLock

        path = self.folder / "clips" / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.with_suffix(".lock")), atomic_write(path) as part:
            others = self.read_clip(key)
            kept = [o for o in others if o.stop <= scene.first or scene.stop <= o.first]
            listed = sorted([*kept, scene], key=lambda entry: entry.first)
            part.write_text(json.dumps([asdict(entry) for entry in listed]))

    def read_clip(self, key: str) -> list[SceneEntry]:
        """The scenes of a clip, ascending; none if it was never fitted or its list is damaged."""
        try:
            held: list[dict[str, Any]] = json.loads(
                (self.folder / "clips" / f"{key}.json").read_text()
            )
            return [SceneEntry(**scene) for scene in held]
        except (OSError, ValueError, TypeError):
            return []

    def prune(self, kept: Iterable[str]) -> None:
        """Remove the networks and checkpoints used longest ago until the rest fits the limit.

        Those that a process is working on stay.

        Args:
            kept: Keys of networks that stay whatever their age.

        Raises:
            SettingError: These alone are larger than the limit; nothing is removed then.
        """
        stay = {self.scene_file(key) for key in kept}
        files = self._files()
        needed = sum(size for _, size, path in files if path in stay)
        if needed > self.limit:
            raise SettingError(
                f"the fits of this clip take {needed / GIGABYTE:.3g} GB, more than the "
                f"{self.limit / GIGABYTE:.3g} that {LIMIT_VARIABLE} allows; raise it, or steady a "
                "part (--start, --end)"
            )
        total = sum(size for _, size, _ in files)
        for _, size, path in files:
            if total <= self.limit:
                return
            if path not in stay and self._drop(path):
                total -= size

    def _files(self) -> list[tuple[float, int, Path]]:
        """Time of last use, size and path of each file that counts, least recently used first."""
        found = []
        for path in (self.folder / "scenes").glob("*"):
            # Another process may remove it at any time.
            with suppress(FileNotFoundError):
                if path.suffix in HEAVY and not path.name.startswith("."):
                    found.append((path.stat().st_mtime, path.stat().st_size, path))
        return sorted(found)

    def _drop(self, path: Path) -> bool:
        """Remove a file, unless a process holds its scene's lock.

        Keep the lock file: if it were unlinked, one process could hold the old inode while another
        locks a new file.
        """
        from filelock import Timeout

        try:
            with self.lock(path.stem).acquire(timeout=0):
                path.unlink(missing_ok=True)
        except Timeout:
            return False
        return True

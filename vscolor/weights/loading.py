"""Finding weight files, and loading each once per process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

from safetensors import SafetensorError, safe_open

from vscolor.errors import WeightsError
from vscolor.files import expanded

_lock = threading.Lock()
_loaded: dict[tuple[Hashable, tuple[tuple[int, int], ...], Hashable], Any] = {}


def find(given: str | Path | None, embedded: Path) -> Path:
    """Return the path of the weight file to load.

    Args:
        given: The caller's `weights=`; None for the embedded file.
        embedded: The file that came with the package.

    Raises:
        WeightsError: It does not exist, or is no file.
    """
    if not isinstance(given, str | Path | None):
        raise WeightsError(f"weights= is {given!r}, expected the path of a weight file")
    path = embedded if given is None else expanded(given)
    if path.is_dir():
        raise WeightsError(f"weights {path} is a folder, expected a weight file of this model")
    if not path.is_file():
        remedy = (
            "it is made when the package is built; reinstall vscolor"
            if given is None
            else "expected the path of a weight file"
        )
        raise WeightsError(f"weights file {path} does not exist; {remedy}")
    return path.resolve()


@contextmanager
def reading(path: Path, name: str, version: int | None = None) -> Iterator[None]:
    """Turn exceptions from reading a model's weight file into a `WeightsError` of one line.

    Args:
        path: The file.
        name: The model.
        version: Expected version of the architecture; the error states if the file has another.
    """
    try:
        yield
    except (SafetensorError, RuntimeError, KeyError, ValueError) as error:
        # torch lists every key that is missing.
        reason = shorten(" ".join(str(error).strip().splitlines()[:2]), 200, placeholder=" ...")
        if isinstance(error, KeyError):
            reason = f"{error.args[0]} is missing"
        said = None if version is None else _version_of(path)
        if said not in (None, str(version)):
            reason = f"its shape is of version {said}, expected {version}; {reason}"
        raise WeightsError(f"{path} does not hold {name}'s weights: {reason}") from error


def _version_of(path: Path) -> str | None:
    """The architecture version stored in one of our safetensors files."""
    try:
        with safe_open(str(path), "np") as file:
            return (file.metadata() or {}).get("architecture")
    except (SafetensorError, OSError):
        return None


def load_once[T](paths: Path | tuple[Path, ...], variant: Hashable, load: Callable[[], T]) -> T:
    """Return what `load` makes of files, shared by all clips of the process.

    Files that changed on disk are loaded again; earlier clips keep what they have.

    Args:
        paths: The file or files `load` reads.
        variant: Whatever else the result depends on: network, device.
        load: Called at most once for these files and a variant, under a lock.
    """
    files = (paths,) if isinstance(paths, Path) else paths
    state = tuple((s.st_mtime_ns, s.st_size) for s in (path.stat() for path in files))
    key = (files, state, variant)
    with _lock:
        if key not in _loaded:
            for stale in [k for k in _loaded if k[0] == files and k[1] != state]:
                del _loaded[stale]
            _loaded[key] = load()
        return _loaded[key]  # type: ignore[no-any-return]

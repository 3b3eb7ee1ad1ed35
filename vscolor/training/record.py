"""The record of a run's settings and data in its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout
from numpy.typing import NDArray

from vscolor.errors import SettingError
from vscolor.files import atomic_write

RECORD: Final = "recipe.json"
PICTURES: Final = "pictures.tsv"


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Lock a run's folder, created if needed, so that no other process trains in it.

    Raises:
        SettingError: Another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise SettingError(f"another process is training in {folder}") from None
    try:
        yield
    finally:
        lock.release()


def open_run(folder: Path, checkpoint: Path, record: Mapping[str, Any], *, resume: bool) -> None:
    """Create a run's folder and write everything that affects its result to `recipe.json`.

    Args:
        folder: The run's folder.
        checkpoint: Its checkpoint file, which exists if the run was started before.
        record: Settings and data; must be serializable as JSON.
        resume: Whether to continue the run.

    Raises:
        SettingError: There is no checkpoint to resume, or one exists and `resume` is false, or the
            run was started with other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    refuse_begun(checkpoint, resume=resume)
    wanted = json.loads(json.dumps(record))
    known = folder / RECORD
    if resume and known.exists():
        _refuse_other(folder, json.loads(known.read_text()), wanted)
    with atomic_write(known) as part:
        part.write_text(json.dumps(wanted, indent=2) + "\n")


def refuse_begun(checkpoint: Path, *, resume: bool) -> None:
    """Refuse to overwrite a run that was started, or to resume one that was not.

    Raises:
        SettingError: There is no checkpoint to resume, or one exists and `resume` is false.
    """
    if resume and not checkpoint.exists():
        raise SettingError(f"{checkpoint} does not exist: there is nothing to resume")
    if checkpoint.exists() and not resume:
        raise SettingError(f"{checkpoint} exists: resume that run, or name another folder")


def _refuse_other(folder: Path, begun: Any, wanted: Any) -> None:
    before, now = dict(_leaves(begun)), dict(_leaves(wanted))
    for name in [*now, *before]:
        if before.get(name) != now.get(name):
            raise SettingError(
                f"{folder} was begun with {name} {before.get(name)}, not {now.get(name)}: "
                "a run is resumed with the same settings"
            )


def _leaves(record: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a record with their dotted names."""
    if isinstance(record, dict) and record:
        for key, value in record.items():
            yield from _leaves(value, f"{name}.{key}" if name else key)
    else:
        yield name, record


def data_of(names: tuple[str, ...]) -> dict[str, Any]:
    """A record's entry for a folder of pictures: their number and the hash of their names."""
    return {"count": len(names), "names": sha256("\n".join(names).encode()).hexdigest()}


def hash_of(file: Path | None) -> str | None:
    """SHA-256 of a weight file; None without one."""
    return None if file is None else sha256(file.read_bytes()).hexdigest()


def list_pictures(folder: Path, names: tuple[str, ...], chances: NDArray[Any]) -> None:
    """Write the pictures of a run with their sampling probabilities to `pictures.tsv`."""
    lines = [f"{name}\t{chance:.6g}\n" for name, chance in zip(names, chances, strict=True)]
    with atomic_write(folder / PICTURES) as part:
        part.write_text("".join(["file\tchance\n", *lines]))

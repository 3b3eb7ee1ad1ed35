"""What decided a run: its settings and its pictures, noted in its folder."""

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
    """Hold a run's folder, made if need be, so that no other process trains in it meanwhile.

    Raises:
        SettingError: One does.
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
    """Make a run's folder and note in `recipe.json` all that decides its outcome.

    Args:
        folder: The run's.
        checkpoint: Its file, which is there if the run was begun before.
        record: Settings and data, as JSON holds them.
        resume: Whether to go on.

    Raises:
        SettingError: There is nothing to go on from, or something and `resume` is not given, or
            the run was begun with other settings.
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
    """Keep a run that was begun, unless told to go on with it.

    Raises:
        SettingError: There is nothing to go on from, or something and `resume` is not given.
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
    """Everything in a record by its dotted name."""
    if isinstance(record, dict) and record:
        for key, value in record.items():
            yield from _leaves(value, f"{name}.{key}" if name else key)
    else:
        yield name, record


def data_of(names: tuple[str, ...]) -> dict[str, Any]:
    """What a record says of a folder of pictures: how many, and the hash of their names."""
    return {"count": len(names), "names": sha256("\n".join(names).encode()).hexdigest()}


def hash_of(file: Path | None) -> str | None:
    """SHA-256 of a file, to tell weights apart."""
    return None if file is None else sha256(file.read_bytes()).hexdigest()


def list_pictures(folder: Path, names: tuple[str, ...], chances: NDArray[Any]) -> None:
    """Write which pictures a run draws from, with the chance of each, as `pictures.tsv`."""
    lines = [f"{name}\t{chance:.6g}\n" for name, chance in zip(names, chances, strict=True)]
    with atomic_write(folder / PICTURES) as part:
        part.write_text("".join(["file\tchance\n", *lines]))

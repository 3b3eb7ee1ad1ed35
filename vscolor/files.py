"""Files that appear under their name when they are whole."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vscolor.errors import SettingError


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """A hidden name beside `target` to write to; renamed when all went well, removed when not.

    No other process has it.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def trial_name(target: Path) -> Path:
    """A hidden name beside `target`, of its kind, to try out what can be written there."""
    return target.absolute().with_name(f".{secrets.token_hex(4)}.try{target.suffix}")


def refuse_existing(target: Path | None, overwrite: bool) -> None:
    """Keep what is there, unless told otherwise.

    Raises:
        SettingError: The target exists, is a folder, or its folder does not exist.
    """
    if target is None:
        return
    if target.is_dir():
        raise SettingError(f"{target} is a folder, expected the name of a file to write")
    if target.exists() and not overwrite:
        raise SettingError(f"{target} exists; give --overwrite to replace it")
    if not target.absolute().parent.is_dir():
        raise SettingError(f"{target.parent} is not a folder")


def refuse_twins(written: Iterable[Path | None], read: Iterable[Path | None]) -> None:
    """Keep files from being written over by one another.

    Raises:
        SettingError: Two that are written are one file, or one of them is read too.
    """
    seen = {path.resolve() for path in filter(None, read)}
    for path in filter(None, written):
        if path.resolve() in seen:
            raise SettingError(
                f"output {path} is read or written by this command already, expected another name"
            )
        seen.add(path.resolve())


def check_png(target: Path | None, overwrite: bool, *others: Path | None) -> None:
    """Keep a picture to be written from another kind's name, and from what is there.

    Args:
        target: The picture; None for none.
        overwrite: Whether an existing one may be replaced.
        others: Files that are read, or written beside it.

    Raises:
        SettingError: The name does not end in `.png`, or is taken.
    """
    if target is None:
        return
    if target.suffix.lower() != ".png":
        raise SettingError(f"{target} is no PNG, expected a name that ends in .png")
    refuse_existing(target, overwrite)
    refuse_twins([target], others)

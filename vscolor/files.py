"""Files that get their name only once they are complete."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vscolor.errors import SettingError


@contextmanager
def atomic_write(target: Path) -> Iterator[Path]:
    """Yield a hidden name beside `target` to write to; renamed on success, removed on failure.

    The name is random, so no other process uses it.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def expanded(path: str | Path) -> Path:
    """A user's path with `~` expanded; a name that begins with one and is no user's stays."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path's own raises for those


def trial_name(target: Path) -> Path:
    """A hidden name beside `target`, with its suffix, to try out what can be written there."""
    return target.absolute().with_name(f".{secrets.token_hex(4)}.try{target.suffix}")


def refuse_existing(target: Path | None, overwrite: bool) -> None:
    """Refuse a target that cannot be written, or that exists unless `overwrite`.

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
    """Refuse output files that would overwrite each other or an input.

    Raises:
        SettingError: Two outputs are the same file, or one of them is also read.
    """
    seen = {path.resolve() for path in filter(None, read)}
    for path in filter(None, written):
        if path.resolve() in seen:
            raise SettingError(
                f"output {path} is read or written by this command already, expected another name"
            )
        seen.add(path.resolve())


def check_png(target: Path | None, overwrite: bool, *others: Path | None) -> None:
    """Refuse a picture to be written whose name is not `.png`, or taken.

    Args:
        target: The picture; None for none.
        overwrite: Whether an existing file may be replaced.
        others: Other files that the command reads or writes.

    Raises:
        SettingError: The name does not end in `.png`, or the target cannot be written.
    """
    if target is None:
        return
    if target.suffix.lower() != ".png":
        raise SettingError(f"{target} is no PNG, expected a name that ends in .png")
    refuse_existing(target, overwrite)
    refuse_twins([target], others)

"""Files that appear under their name when they are whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vscolor.errors import SettingError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A hidden name beside `target` to write to; renamed when all went well, removed when not."""
    part = target.with_name(f".{target.name}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def refuse_existing(target: Path | None, overwrite: bool) -> None:
    """Keep what is there, unless told otherwise.

    Raises:
        SettingError: The target exists, or its folder does not.
    """
    if target is None:
        return
    if target.exists() and not overwrite:
        raise SettingError(f"{target} exists; give --overwrite to replace it")
    if not target.absolute().parent.is_dir():
        raise SettingError(f"{target.parent} is not a folder")

"""SHA-256 of weight files, checked against the published one and that of the first use."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Final

from vscolor.errors import WeightsError
from vscolor.files import atomic_write

SUFFIX: Final = ".sha256"
SHOWN: Final = 16
"""Digits of a hash that messages show."""

_log = logging.getLogger(__name__)


def of(path: Path) -> str:
    """The file's SHA-256, 64 digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def recorded(path: Path) -> str | None:
    """The hash recorded beside a file, in the format of sha256sum; None if there is none.

    Raises:
        WeightsError: The record holds no hash.
    """
    note = _note(path)
    if not note.is_file():
        return None
    words = note.read_text(encoding="utf-8", errors="replace").split()
    if not words or len(words[0]) != 64:
        raise WeightsError(f"{note} holds no sha256; delete it if you trust {path.name}")
    return words[0]


def record(path: Path, digest: str) -> None:
    """Record a file's hash beside it, atomically."""
    try:
        with atomic_write(_note(path)) as part:
            part.write_text(f"{digest}  {path.name}\n", encoding="utf-8")
    except OSError as error:
        _log.warning("the hash of %s could not be recorded: %s", path, error)


def check(path: Path, published: str) -> str:
    """Check a file's hash, and record it at first use.

    Args:
        path: The file.
        published: Its published hash, or the leading digits of it; empty if there is none.

    Returns:
        The file's hash.

    Raises:
        WeightsError: The hash is not the published one, or not that of the first use.
    """
    digest = of(path)
    if not digest.startswith(published):
        raise WeightsError(
            f"{path} has sha256 {digest[:SHOWN]}..., expected {published[:SHOWN]} as published; "
            "delete it and fetch it again"
        )
    noted = recorded(path)
    if noted is None:
        record(path, digest)
    elif noted != digest:
        raise WeightsError(
            f"{path} has sha256 {digest[:SHOWN]}..., expected {noted[:SHOWN]}... as at first use; "
            f"fetch it again, or delete {_note(path).name} if you replaced it yourself"
        )
    return digest


def forget(path: Path) -> None:
    """Delete the recorded hash of a file that is to be replaced."""
    _note(path).unlink(missing_ok=True)


def _note(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX)

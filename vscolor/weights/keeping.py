"""Weight files that a user has already: copied into the cache, and verified later."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from vscolor.errors import WeightsError
from vscolor.weights import fetch, hashes
from vscolor.weights.catalog import WeightFile, WeightSet


def add(sets: Sequence[WeightSet], source: Path) -> list[Path]:
    """Copy a user's file into the cache, under the name by which it is looked up.

    Args:
        sets: Weights of the model.
        source: One of their files under any name, or the archive they are published in.

    Returns:
        Where it is now; of an archive, where its members are.

    Raises:
        WeightsError: It is none of the model's files; the message names the first differing keys.
    """
    if source.is_dir():
        raise WeightsError(f"{source} is a folder, expected a weight file or its archive")
    if not source.is_file():
        raise WeightsError(f"{source} does not exist, expected a weight file")
    for kept in sets:
        members = fetch.members_in(source, kept.files)
        if members:
            with fetch.unfinished(kept.path(next(iter(members))).parent) as part:
                fetch.install_members(kept, {file: part(file.name) for file in members}, source)
            return [kept.path(file) for file in members]
    kept, file = _recognise(sets, source)
    with fetch.unfinished(kept.path(file).parent) as part:
        copied = part(file.name)
        shutil.copyfile(source, copied)
        return [fetch.install(kept, file, copied)]


def _recognise(sets: Sequence[WeightSet], source: Path) -> tuple[WeightSet, WeightFile]:
    """Identify a file by its hash, by its name, else by its content."""
    known = [(kept, file) for kept in sets for file in kept.files]
    digest = hashes.of(source)
    for kept, file in known:
        if file.sha256 and digest.startswith(file.sha256):
            return kept, file
    for kept, file in known:
        if file.name == source.name:
            return kept, file
    reasons = []
    for kept, file in known:
        try:
            kept.check(file.name, source)
        except WeightsError as error:
            reasons.append(f"as {file.name}: {error}")
        else:
            return kept, file
    raise WeightsError(f"{source} is none of the model's files; {reasons[0]}")


@dataclass(frozen=True)
class State:
    """The state of a file.

    Attributes:
        path: Where it is kept.
        good: Whether its hash is right; None if it is not there.
        told: A line for the user.
    """

    path: Path
    good: bool | None
    told: str


def verify(sets: Sequence[WeightSet]) -> Iterator[State]:
    """Check every file in the cache against its hash."""
    for kept in sets:
        for file in kept.files:
            path = kept.path(file)
            if not path.is_file():
                yield State(path, None, "not installed")
                continue
            try:
                digest = hashes.check(path, file.sha256)
            except WeightsError as error:
                yield State(path, False, str(error).removeprefix(f"{path} "))
            else:
                against = "as published" if file.sha256 else "as at first use"
                yield State(path, True, f"sha256 {digest[: hashes.SHOWN]}... {against}")

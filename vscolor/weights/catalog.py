"""Where weight files come from and where they are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from vscolor.errors import WeightsError
from vscolor.weights import hashes
from vscolor.weights.loading import load_once

VARIABLE: Final = "VSCOLOR_WEIGHTS"


def folder() -> Path:
    """Where weights are kept: `VSCOLOR_WEIGHTS`, else the user's cache directory."""
    named = os.environ.get(VARIABLE)
    return (
        Path(named).expanduser() if named else platformdirs.user_cache_path("vscolor") / "weights"
    )


@dataclass(frozen=True)
class WeightFile:
    """A published file.

    Attributes:
        name: Its name in the cache.
        url: Where a program can fetch it, or the archive it is in; empty where it cannot.
        mirrors: Other addresses of the same bytes.
        sha256: As published, 64 digits or the leading ones; empty where none is.
        member: Its path inside the archive at `url`; empty where the address is the file's own.
        page: Where a person can get it; default: `url`.
    """

    name: str
    url: str = ""
    mirrors: tuple[str, ...] = ()
    sha256: str = ""
    member: str = ""
    page: str = ""

    @property
    def source(self) -> str:
        """What to tell a person who fetches it by hand."""
        where = self.page or self.url
        return f"{self.member} inside {where}" if self.member else where


@dataclass(frozen=True)
class WeightSet:
    """Files that together are the weights of one network, or of several that belong together.

    Attributes:
        folder_name: Of their folder in the cache.
        files: The files.
        check: Raises `WeightsError` where the file at a path is not of the network it is for; is
            given the file's name and the path.
        model: The model that they are fetched and added by, where the folder has another name.
    """

    folder_name: str
    files: tuple[WeightFile, ...]
    check: Callable[[str, Path], None]
    model: str = ""

    @property
    def owner(self) -> str:
        """What `vscolor models fetch` and `add` know them by."""
        return self.model or self.folder_name

    def path(self, file: WeightFile) -> Path:
        """Where a file is kept."""
        return folder() / self.folder_name / file.name

    @property
    def installed(self) -> bool:
        """Whether every file is in its place."""
        return all(self.path(file).is_file() for file in self.files)

    @property
    def fetchable(self) -> bool:
        """Whether a program can fetch every file."""
        return all(file.url for file in self.files)

    def locate(self, given: str | Path | None = None) -> dict[str, Path]:
        """Find the files.

        Args:
            given: The caller's own: a file, or a folder where there are several.

        Returns:
            Paths by file name.

        Raises:
            WeightsError: A file is missing.
        """
        if given is not None:
            return self._locate_given(Path(given).expanduser())
        for file in self.files:
            if not self.path(file).is_file():
                raise WeightsError(self.missing(file))
        return {file.name: self.path(file) for file in self.files}

    def open[T](
        self, given: str | Path | None, variant: Hashable, build: Callable[[dict[str, Path]], T]
    ) -> T:
        """Load the files, once a process; those of the cache are held against their hash.

        Args:
            given: See `locate`.
            variant: What else decides the result, such as the device.
            build: Makes the result of paths by file name.

        Raises:
            WeightsError: A file is missing, is not what it was, or is of another network.
        """
        paths = self.locate(given)

        def load() -> T:
            if given is None:
                for file in self.files:
                    hashes.check(paths[file.name], file.sha256)
            return build(paths)

        key = tuple(path.resolve() for path in paths.values())
        return load_once(key, (self.folder_name, variant), load)

    def _locate_given(self, given: Path) -> dict[str, Path]:
        if len(self.files) == 1 and given.is_file():
            return {self.files[0].name: given}
        paths = {file.name: given / file.name for file in self.files}
        absent = next((path for path in paths.values() if not path.is_file()), None)
        if absent is not None:
            names = ", ".join(paths)
            expected = "the file" if len(paths) == 1 else f"a folder with {names}"
            raise WeightsError(f"weights= is {given}, expected {expected}; no {absent.name} there")
        return paths

    def missing(self, file: WeightFile) -> str:
        """What to tell a person who lacks a file."""
        fetch = f"run: vscolor models fetch {self.owner}; or " if self.fetchable else ""
        return (
            f"weights of {self.folder_name} are not installed: {self.path(file)} does not exist; "
            f"{fetch}get {file.source} and put it there, or run: "
            f"vscolor models add {self.owner} FILE"
        )


type WeightAlternatives = tuple[WeightSet, ...]
"""Sets of which any one serves; the first is the one to fetch."""


def serving(need: WeightAlternatives) -> WeightSet:
    """The set of a need that is in place, else the first."""
    return next((s for s in need if s.installed), need[0])


def are_installed(needs: tuple[WeightAlternatives, ...]) -> bool:
    """Whether every need has a set in place."""
    return all(serving(need).installed for need in needs)

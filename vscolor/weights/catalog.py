"""Where weight files come from and where they are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import platformdirs

from vscolor.errors import WeightsError
from vscolor.files import expanded
from vscolor.weights import hashes
from vscolor.weights.loading import load_once

VARIABLE: Final = "VSCOLOR_WEIGHTS"


def folder() -> Path:
    """The folder of cached weights: `VSCOLOR_WEIGHTS`, else in the user's cache directory."""
    named = os.environ.get(VARIABLE)
    return (
        Path(named).expanduser() if named else platformdirs.user_cache_path("vscolor") / "weights"
    )


@dataclass(frozen=True)
class WeightFile:
    """A published file.

    Attributes:
        name: Its name in the cache.
        url: Download address of the file or of the archive it is in; empty if there is none.
        mirrors: Other addresses of the same bytes.
        sha256: Published hash, 64 digits or the leading ones; empty if none is published.
        member: Its path inside the archive at `url`; empty if `url` is the file itself.
        page: Where the user can get it by hand; default: `url`.
    """

    name: str
    url: str = ""
    mirrors: tuple[str, ...] = ()
    sha256: str = ""
    member: str = ""
    page: str = ""

    @property
    def source(self) -> str:
        """Where to get the file by hand, for messages."""
        where = self.page or self.url
        return f"{self.member} inside {where}" if self.member else where


@dataclass(frozen=True)
class WeightSet:
    """Files that together are the weights of one network, or of several that belong together.

    Attributes:
        folder_name: Name of their folder in the cache.
        files: The files.
        check: Called with a file's name and path; raises `WeightsError` if the file is not of the
            network it is for.
        model: Their name in `vscolor models fetch` and `add`, if it is not the folder's.
    """

    folder_name: str
    files: tuple[WeightFile, ...]
    check: Callable[[str, Path], None]
    model: str = ""

    @property
    def owner(self) -> str:
        """Their name in `vscolor models fetch` and `add`."""
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
        """Whether every file has a download address."""
        return all(file.url for file in self.files)

    def locate(self, given: str | Path | None = None) -> dict[str, Path]:
        """Find the files.

        Args:
            given: The caller's own file, or folder if there are several; None for the cached ones.

        Returns:
            Paths by file name.

        Raises:
            WeightsError: A file is missing.
        """
        if given is not None:
            return self._locate_given(expanded(given))
        for file in self.files:
            if not self.path(file).is_file():
                raise WeightsError(self.missing(file))
        return {file.name: self.path(file) for file in self.files}

    def open[T](
        self, given: str | Path | None, variant: Hashable, build: Callable[[dict[str, Path]], T]
    ) -> T:
        """Load the files, once per process; the hashes of cached ones are checked.

        Args:
            given: See `locate`.
            variant: Whatever else the result depends on, such as the device.
            build: Makes the result from paths by file name.

        Raises:
            WeightsError: A file is missing, fails its hash check, or is of another network.
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
        """Message for a missing file."""
        fetch = f"run: vscolor models fetch {self.owner}; or " if self.fetchable else ""
        return (
            f"weights of {self.folder_name} are not installed: {self.path(file)} does not exist; "
            f"{fetch}get {file.source} and put it there, or run: "
            f"vscolor models add {self.owner} FILE"
        )


type WeightAlternatives = tuple[WeightSet, ...]
"""Sets of which any one is enough; the first is the one to fetch."""


def serving(need: WeightAlternatives) -> WeightSet:
    """The first installed set of a need, else the first set."""
    return next((s for s in need if s.installed), need[0])


def are_installed(needs: tuple[WeightAlternatives, ...]) -> bool:
    """Whether every need has an installed set."""
    return all(serving(need).installed for need in needs)

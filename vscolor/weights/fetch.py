"""Download weights: fetched whole, checked, and only then renamed to their final name."""

from __future__ import annotations

import logging
import secrets
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from vscolor.errors import WeightsError
from vscolor.weights import hashes
from vscolor.weights.catalog import WeightFile, WeightSet

RETRIES: Final = 3
"""After a failed or broken connection; a wrong file is not requested again."""
PATIENCE: Final = (10.0, 60.0)
"""Seconds to wait for a connection, and for the next bytes."""
FIRST_BYTES: Final = 512
MAX_MEMBER: Final = 8 << 30


class Bar(Protocol):
    """What pooch drives to show progress."""

    total: int

    def update(self, count: int) -> None:
        """Advance by a number of bytes."""
        ...

    def reset(self) -> None:
        """Go back to zero."""
        ...

    def close(self) -> None:
        """Close the bar."""
        ...


type Watch = Callable[[str], Bar | None]
"""Makes a progress bar for a file of that name; None for no bar."""


def no_bar(_name: str) -> None:
    """Show nothing."""


def fetch(kept: WeightSet, watch: Watch = no_bar) -> list[Path]:
    """Fetch the files of a set that are missing or damaged.

    Args:
        kept: The set.
        watch: Shows progress.

    Returns:
        What was put in place.

    Raises:
        WeightsError: A file has no address, cannot be reached, or is not what it should be; the
            message says how to get it by hand.
    """
    missing = [file for file in kept.files if _is_wanted(kept, file)]
    archives: dict[str, list[WeightFile]] = {}
    for file in missing:
        if not file.url:
            raise WeightsError(kept.missing(file))
        archives.setdefault(file.url if file.member else file.name, []).append(file)
    for files in archives.values():
        try:
            _fetch_together(kept, files, watch)
        except WeightsError as error:
            by_hand = f"get {files[0].source} by hand and run: "
            command = f"vscolor models add {kept.owner} FILE"
            raise WeightsError(
                f"{error}; {by_hand}{command} (it is kept at {kept.path(files[0])})"
            ) from error
    return [kept.path(file) for file in missing]


def _is_wanted(kept: WeightSet, file: WeightFile) -> bool:
    """Whether a file is to be fetched.

    Raises:
        WeightsError: It is damaged, and has no address.
    """
    path = kept.path(file)
    if not path.is_file():
        return True
    try:
        hashes.check(path, file.sha256)
    except WeightsError:
        if not file.url:
            raise
        hashes.forget(path)  # the new file is checked against the published hash, or recorded anew
        return True
    return False


def _fetch_together(kept: WeightSet, files: list[WeightFile], watch: Watch) -> None:
    """Fetch one file, or one archive that holds several."""
    first = files[0]
    name = first.url.rpartition("/")[2] if first.member else first.name
    with unfinished(kept.path(first).parent) as part:
        arrived = part(name)
        published = "" if first.member else first.sha256
        _download((first.url, *first.mirrors), name, arrived, published, watch)
        if first.member:
            install_members(kept, {file: part(file.name) for file in files}, arrived)
        else:
            install(kept, first, arrived)


@contextmanager
def unfinished(folder: Path) -> Iterator[Callable[[str], Path]]:
    """Yield a function that makes names for unfinished files in a folder; leftovers are removed."""
    made: list[Path] = []

    def part(name: str) -> Path:
        made.append(folder / f".{name}.{secrets.token_hex(4)}.part")
        return made[-1]

    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield part
    except OSError as error:
        raise WeightsError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        for path in made:
            path.unlink(missing_ok=True)


def _download(
    addresses: tuple[str, ...], name: str, target: Path, published: str, watch: Watch
) -> None:
    """Try the addresses in turn until one delivers the file."""
    import requests

    reasons = []
    for url in addresses:
        try:
            with _closing(watch(name)) as bar:
                _pull(url, target, bar)
            _inspect(target, published)
        except requests.RequestException as error:
            reasons.append(f"{url}: {_reason(error)}")
        except WeightsError as error:
            reasons.append(f"{url}: {error}")
        else:
            return
    raise WeightsError(f"{name} could not be fetched: {'; '.join(reasons)}")


@contextmanager
def _closing(bar: Bar | None) -> Iterator[Bar | None]:
    """A bar that is always closed: pooch closes it only after success."""
    try:
        yield bar
    finally:
        if bar is not None:
            bar.close()


def _pull(url: str, target: Path, bar: Bar | None) -> None:
    """Download with pooch, which uses a temporary name of its own first."""
    import pooch
    import requests

    pooch.get_logger().setLevel(logging.WARNING)

    def download(address: str, output: str, manager: object) -> None:
        try:
            pooch.HTTPDownloader(progressbar=bar or False, timeout=PATIENCE)(
                address, output, manager
            )
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code < 500:
                raise WeightsError(_reason(error)) from error  # asking again would not help
            raise

    target.unlink(missing_ok=True)
    shelf = pooch.create(
        path=target.parent,
        base_url="",
        registry={target.name: None},
        urls={target.name: url},
        retry_if_failed=RETRIES,
    )
    shelf.fetch(target.name, downloader=download)


def _inspect(arrived: Path, published: str) -> None:
    """Refuse an error page, and a file whose hash is not the published one."""
    with arrived.open("rb") as file:
        start = file.read(FIRST_BYTES).lstrip().lower()
    digest = hashes.of(arrived)
    if published and digest.startswith(published):
        return
    if not start or start.startswith(b"<"):
        what = "an empty file" if not start else "a page"
        raise WeightsError(f"the server sent {what} instead of the file")
    if published:
        raise WeightsError(
            f"what came has sha256 {digest[: hashes.SHOWN]}..., expected "
            f"{published[: hashes.SHOWN]} as published"
        )


def _reason(error: Exception) -> str:
    """The innermost cause, one line."""
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    response = getattr(error, "response", None)
    if response is not None:
        return f"the server answered {response.status_code} {response.reason}"
    return " ".join(str(cause).split()) or type(cause).__name__


def install(kept: WeightSet, file: WeightFile, arrived: Path) -> Path:
    """Check a file that lies beside its destination under another name, and rename it.

    Raises:
        WeightsError: Its hash is not the published one, or, where none is, its keys are not those
            of the network.
    """
    return _put(kept.path(file), arrived, _checked(kept, file, arrived))


def _checked(kept: WeightSet, file: WeightFile, arrived: Path) -> str:
    """The hash of a file, checked."""
    digest = hashes.of(arrived)
    if not digest.startswith(file.sha256):
        raise WeightsError(
            f"{file.name} has sha256 {digest[: hashes.SHOWN]}..., expected "
            f"{file.sha256[: hashes.SHOWN]} as published; a file of your own is for weights="
        )
    if not file.sha256:
        kept.check(file.name, arrived)
    return digest


def _put(place: Path, arrived: Path, digest: str) -> Path:
    arrived.replace(place)
    hashes.record(place, digest)
    return place


def install_members(kept: WeightSet, parts: Mapping[WeightFile, Path], archive: Path) -> None:
    """Extract files from a zip archive to their destinations.

    Only the members wanted are read, each to a name of ours: where an archive says a member should
    go does not matter. If one is wrong none is put in place.

    Args:
        kept: The set they belong to.
        parts: For each file a temporary path in its own folder.
        archive: The archive.

    Raises:
        WeightsError: It is no zip archive, lacks a member, or a member is wrong.
    """
    try:
        with zipfile.ZipFile(archive) as held:
            for file, part in parts.items():
                _extract(held, file.member, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise WeightsError(f"the archive cannot be read: {_reason(error)}") from error
    # All of them or none: a set of which a part came from elsewhere is nobody's.
    digests = {file: _checked(kept, file, part) for file, part in parts.items()}
    for file, part in parts.items():
        _put(kept.path(file), part, digests[file])


def members_in(archive: Path, files: tuple[WeightFile, ...]) -> list[WeightFile]:
    """Those of the files that an archive holds; none if it is not an archive."""
    if not zipfile.is_zipfile(archive):
        return []
    with zipfile.ZipFile(archive) as held:
        return [file for file in files if file.member and _entries(held, file.member)]


def _entries(held: zipfile.ZipFile, member: str) -> list[zipfile.ZipInfo]:
    """Entries of a path, perhaps inside one more folder."""
    return [
        entry
        for entry in held.infolist()
        if entry.filename == member or entry.filename.endswith(f"/{member}")
    ]


def _extract(held: zipfile.ZipFile, member: str, part: Path) -> None:
    found = _entries(held, member)
    if not found:
        raise WeightsError(f"the archive has no {member}")
    if found[0].file_size > MAX_MEMBER:
        raise WeightsError(f"{member} claims {found[0].file_size} bytes, too many for weights")
    with held.open(found[0]) as source, part.open("wb") as target:
        while block := source.read(1 << 20):
            target.write(block)
            if target.tell() > MAX_MEMBER:
                raise WeightsError(f"{member} is larger than it claims")

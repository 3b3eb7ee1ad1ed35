"""Opens an input: a film, a still, a numbered series of stills, or a script."""

from __future__ import annotations

import logging
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager, redirect_stdout
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import platformdirs
import vapoursynth as vs

from vscolor.errors import SettingError, VscolorError
from vscolor.media import timing
from vscolor.media.orientation import apply_exif_orientation
from vscolor.media.timing import Timeline

type Percent = Callable[[int], None]

SERIES_RATE: Final = Fraction(25)
ATTACHED_PICTURE: Final = 0x400
SCRIPT_SUFFIXES: Final = (".vpy", ".py")
STILL_SUFFIXES: Final = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
JPEG: Final = (".jpg", ".jpeg")
SCAN: Final = b"\xda"
"""The marker, after 255, of a JPEG's samples."""

JPEG_END: Final = b"\xff\xd9"
_SERIES: Final = re.compile(r"%0?(\d*)d")
_INDEXING: Final = re.compile(r"index progress (\d+)%")


class SourceError(VscolorError):
    """The input is absent, unreadable or holds no video."""


@dataclass(frozen=True)
class Stream:
    """One track of a file.

    Attributes:
        index: Its index in the file, as ffmpeg counts.
        kind: `video`, `audio`, `subtitle`, `attachment` or `data`.
        codec: FFmpeg's name for its codec.
        disposition: FFmpeg's flags: 1 default, 0x400 attached picture.
    """

    index: int
    kind: str
    codec: str
    disposition: int

    @property
    def is_film(self) -> bool:
        """Whether it is video other than a cover picture."""
        return self.kind == "video" and not self.disposition & ATTACHED_PICTURE

    def __str__(self) -> str:
        return f"#{self.index} ({self.kind}, {self.codec})"


@dataclass(frozen=True)
class Container:
    """A file of several streams.

    Attributes:
        path: Path of the file.
        streams: All of them.
        track: Index of the video stream in use.
    """

    path: Path
    streams: tuple[Stream, ...]
    track: int


@dataclass(frozen=True)
class Source:
    """An opened input.

    Attributes:
        path: As given by the user.
        clip: The picture, with its colour if it has any.
        timeline: When its frames are shown.
        container: The file whose other streams are copied; None for a script or series alone.
        first_number: Number of the first still of a series; None for anything else.
    """

    path: Path
    clip: vs.VideoNode
    timeline: Timeline
    container: Container | None = None
    first_number: int | None = None

    @property
    def files(self) -> list[Path]:
        """The files that are read."""
        if self.first_number is None:
            return [self.path]
        numbers = range(self.first_number, self.first_number + self.clip.num_frames)
        return [numbered(self.path, number) for number in numbers]

    @property
    def is_script(self) -> bool:
        """Whether it is the output of a VapourSynth script."""
        return self.path.suffix.lower() in SCRIPT_SUFFIXES


def is_still_series(path: Path) -> bool:
    """Whether the name is a pattern of pictures, such as `frame_%04d.png`."""
    return is_still(path) and len(_SERIES.findall(path.name)) == 1


def numbered(pattern: Path, number: int) -> Path:
    """Path of one picture of a series; a `%` elsewhere in the name is kept."""
    return pattern.with_name(_SERIES.sub(lambda found: found[0] % number, pattern.name))


def is_still(path: Path) -> bool:
    """Whether the name is that of a picture or of a series of pictures."""
    return path.suffix.lower() in STILL_SUFFIXES


def open_source(path: Path, rate: Fraction | None = None, percent: Percent | None = None) -> Source:
    """Open a film, a still, a series of stills or a script.

    Args:
        path: What to open.
        rate: Frames per second of a series of stills; default: 25. Refused for anything else.
        percent: Called with 0 to 100 while a film is being indexed, from another thread.

    Raises:
        SourceError: The input is absent, unreadable or holds no video.
        SettingError: `rate` was given for anything but a series of stills.
    """
    if is_still_series(path) and not path.is_file():
        return _open_series(path, rate or SERIES_RATE)
    if rate is not None:
        raise SettingError(f"--fps is for a numbered series of pictures, got {path}")
    if path.is_dir():
        raise SourceError(f"{path} is a folder, expected a film, a picture or a script")
    if not path.is_file():
        raise SourceError(f"{path} is not a file")
    if path.suffix.lower() in SCRIPT_SUFFIXES:
        return _open_script(path)
    return _open_film(path, percent)


def _open_film(path: Path, percent: Percent | None) -> Source:
    """Open a file with bestsource."""
    streams = _streams(path)
    film = next((s for s in streams if s.is_film), None) or next(
        (s for s in streams if s.kind == "video"), None
    )
    if film is None:
        listed = ", ".join(map(str, streams)) or "nothing"
        raise SourceError(f"{path} holds no video, only {listed}")
    with _index_progress(percent):
        made = _bestsource(path, track=film.index)
    base = Fraction(made["timebasenum"], made["timebaseden"])
    clip = _as_meant(made["clip"], path)
    if is_still(path):
        _refuse_truncated(path)
        clip = apply_exif_orientation(clip, path)
    timeline = timing.of_file(_listed(made["timestamps"]), base, Fraction(clip.fps))
    return Source(path, clip, timeline, Container(path, streams, film.index))


def _refuse_truncated(path: Path) -> None:
    """Refuse a JPEG without its end, whose missing part FFmpeg fills with one colour."""
    data = path.read_bytes() if path.suffix.lower() in JPEG else b""
    if not data.startswith(b"\xff\xd8"):
        return
    at = 2
    while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] != SCAN:
        # A segment before the samples: its marker and its length, which counts itself. One may hold
        # a small picture with an end of its own. More than one 255 may precede a marker.
        filler = data[at + 1 : at + 2] == b"\xff"
        at += 1 if filler else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    if data[at + 1 : at + 2] == SCAN and JPEG_END not in data[at:]:
        raise SourceError(
            f"{path} breaks off, expected a JPEG picture with its end; save it anew to use the rest"
        )


def _open_series(pattern: Path, rate: Fraction) -> Source:
    """Open a numbered series of stills."""
    numbers = sorted({*_numbers(pattern)})
    if not numbers:
        raise SourceError(f"no file matches {pattern}")
    if numbers[-1] - numbers[0] + 1 != len(numbers):
        held = set(numbers)
        gap = next(n for n in range(numbers[0], numbers[-1]) if n not in held)
        raise SourceError(f"{pattern} has {numbers[0]} to {numbers[-1]} but not {gap}")
    made = _bestsource(_escaped(pattern), start_number=numbers[0])
    stills = _as_meant(made["clip"], pattern)
    clip = stills.std.AssumeFPS(fpsnum=rate.numerator, fpsden=rate.denominator)
    if clip.num_frames != len(numbers):
        raise SourceError(f"{pattern}: read {clip.num_frames} pictures, expected {len(numbers)}")
    return Source(pattern, clip, timing.of_rate(rate, len(numbers)), first_number=numbers[0])


def _escaped(pattern: Path) -> Path:
    """The pattern as FFmpeg reads it: every `%` but the number's is doubled."""
    number = _SERIES.search(pattern.name)
    assert number is not None
    before, after = pattern.name[: number.start()], pattern.name[number.end() :]
    return literal(pattern.parent) / f"{literal(before)}{number[0]}{literal(after)}"


def literal(path: str | Path) -> Path:
    """Escape literal text for use in an FFmpeg pattern: each `%` is doubled."""
    return Path(str(path).replace("%", "%%"))


def _as_meant(clip: vs.VideoNode, path: Path) -> vs.VideoNode:
    """Mark a grey still of unspecified range as full range, as stills are."""
    if is_still(path) and clip.format.color_family == vs.GRAY:
        with clip.get_frame(0) as frame:
            said = "_Range" in frame.props
        if not said:
            return clip.std.SetFrameProps(_Range=1)
    return clip


def _numbers(pattern: Path) -> Iterator[int]:
    """Numbers of the files that match a pattern."""
    before, after = (re.escape(part) for part in _SERIES.split(pattern.name)[::2])
    width = int(_SERIES.findall(pattern.name)[0] or 1)
    name = re.compile(rf"{before}(\d{{{width},}}){after}")
    if pattern.parent.is_dir():
        matches = (name.fullmatch(file.name) for file in pattern.parent.iterdir())
        for number in (int(match[1]) for match in matches if match):
            if (pattern.parent / numbered(pattern, number).name).exists():
                yield number


def _open_script(path: Path) -> Source:
    """Run a VapourSynth script and take its output 0."""
    vs.clear_outputs()
    script = path.resolve()
    try:
        # What a script prints must not mix with a command's own output.
        with chdir(script.parent), redirect_stdout(sys.stderr):
            runpy.run_path(str(script), run_name="__vapoursynth__")
    except (Exception, SystemExit) as error:  # whatever a user's script may raise
        raise SourceError(f"{path} failed: {type(error).__name__}: {error}") from error
    output = vs.get_outputs().get(0)
    if not isinstance(output, vs.VideoOutputTuple):
        raise SourceError(f"{path} sets no video output; end it with clip.set_output()")
    return Source(path, output.clip, timing.of_script(output.clip))


def _streams(path: Path) -> tuple[Stream, ...]:
    """The tracks of a file."""
    try:
        told: dict[str, Any] = vs.core.bs.TrackInfo(str(path))
    except vs.Error as error:
        raise SourceError(f"{path} cannot be read as video: {_bare(error)}") from error
    columns = (told["tracktypestr"], told["codecstr"], told["disposition"])
    rows = zip(*map(_listed, columns), strict=True)
    return tuple(Stream(n, kind, codec, bits) for n, (kind, codec, bits) in enumerate(rows))


def _bestsource(path: Path, **options: int) -> dict[str, Any]:
    """Open with bestsource; the index is kept in the user's cache, not beside the file."""
    cache = platformdirs.user_cache_path("vscolor") / "index"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        keeping = {"cachemode": 1, "cachepath": str(cache)}
    except OSError:
        keeping = {"cachemode": 0}
    quiet = logging.getLogger("vapoursynth")
    quiet.addFilter(_no_return_value_note)
    try:
        made: Any = vs.core.bs.VideoSource(str(path), exporttimestamps=True, **keeping, **options)
    except vs.Error as error:
        raise SourceError(f"{path} cannot be read as video: {_bare(error)}") from error
    finally:
        quiet.removeFilter(_no_return_value_note)
    return dict(made)


def _no_return_value_note(record: logging.LogRecord) -> bool:
    """Filter out VapourSynth's warning on the undeclared outputs of `exporttimestamps`."""
    return "no return value(s) named" not in record.getMessage()


@contextmanager
def _index_progress(percent: Percent | None) -> Iterator[None]:
    """Report bestsource's progress messages as percentages."""
    if percent is None:
        yield
        return

    def heard(_kind: vs.MessageType, message: str) -> None:
        if found := _INDEXING.search(message):
            percent(int(found.group(1)))

    handle = vs.core.add_log_handler(heard)
    try:
        yield
    finally:
        vs.core.remove_log_handler(handle)


def _listed(value: Any) -> list[Any]:
    """Always a list: VapourSynth returns a list of one item as the item."""
    return list(value) if isinstance(value, list | tuple) else [value]


def _bare(error: vs.Error) -> str:
    """The error's message without the name of the function that raised it."""
    return str(error).partition(": ")[2] or str(error)

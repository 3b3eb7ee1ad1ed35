"""Which streams of the source are copied to the new film, and which its container can hold."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Final, NamedTuple

from vscolor import files
from vscolor.media import ffmpeg
from vscolor.media.ffmpeg import FfmpegError
from vscolor.media.source import Container, Stream, is_still

ATTACHING: Final = (".mkv",)
MP4: Final = (".mp4", ".m4v", ".mov")
TEXTS: Final = ("subrip", "ass", "ssa", "webvtt", "text")
"""Codecs of text subtitles, which MP4 can hold only as `mov_text`; styles are lost."""
MATROSKA: Final = (".mkv", ".mka", ".webm", ".mk3d")
# Matroska's statistics of the old track, which would be wrong for the new one.
STALE_STATISTICS: Final = (
    "BPS",
    "BPS-eng",
    "DURATION",
    "DURATION-eng",
    "NUMBER_OF_BYTES",
    "NUMBER_OF_BYTES-eng",
    "NUMBER_OF_FRAMES",
    "NUMBER_OF_FRAMES-eng",
    "ENCODER",
)


class Copy(StrEnum):
    """Which streams of the source are copied."""

    ALL = "all"
    AUDIO = "audio"
    NONE = "none"


class StreamMapping(NamedTuple):
    """How the source's streams are copied.

    Attributes:
        words: Arguments for ffmpeg.
        remarks: Messages on streams left out or converted.
        container: The file they come from; None if there is none.
        covers: Pictures to attach: Matroska stores a cover as a file, not as a track.
        files: Number of attachments before the covers.
    """

    words: tuple[str, ...]
    remarks: list[str]
    container: Container | None = None
    covers: tuple[Stream, ...] = ()
    files: int = 0

    @property
    def inputs(self) -> tuple[str, ...]:
        """Arguments that open the container, if anything is copied from it."""
        copied = any(word.startswith("1:") for word in self.words)
        return ("-i", str(self.container.path.absolute())) if self.container and copied else ()


def map_streams(
    container: Container | None, target: Path, copy: Copy, *, cut: bool
) -> StreamMapping:
    """Decide which streams are copied and how.

    Args:
        container: The file they come from; None if there is none.
        target: The new file.
        copy: Which streams are wanted.
        cut: Whether the new film begins later than the source. A cover copied as a stream is a
            single packet at the start, which the cut would remove.
    """
    if is_still(target) or container is None:
        return StreamMapping(("-map", "0:v:0"), [])
    wanted = [s for s in container.streams if s.index == container.track or _goes_along(s, copy)]
    covers = [s for s in wanted if s.kind == "video" and s.index != container.track]
    attached = target.suffix.lower() in ATTACHING
    if attached or cut:
        wanted = [s for s in wanted if s not in covers]
    covers = covers if attached else []
    # ffmpeg reports the frame count of the first video, so the film must precede covers.
    wanted.sort(key=lambda s: s.kind == "video" and s.index != container.track)
    words: list[str] = []
    codecs = ["-c", "copy"]
    remarks = [
        f"left out: stream {s}"
        for s in container.streams
        if _is_missed(s, [*wanted, *covers], copy)
    ]
    for place, stream in enumerate(wanted):
        if stream.index == container.track:
            words += ["-map", "0:v:0", *_film_metadata(place, stream)]
            continue
        words += ["-map", f"1:{stream.index}", f"-map_metadata:s:{place}", f"1:s:{stream.index}"]
        # ffmpeg does not shift converted streams by the cut, so subtitles would come late.
        told = None if cut else _subtitles_as(stream, target)
        if told is None:
            _check_fits(container, stream, target)
        else:
            codecs += [f"-c:{place}", told]
            remarks.append(f"written as {told}: stream {stream}")
    words += ["-map_metadata", "1", "-map_chapters", "1", *codecs]
    files = sum(stream.kind == "attachment" for stream in wanted)
    return StreamMapping(tuple(words), remarks, container, tuple(covers), files)


@contextmanager
def attachments(mapping: StreamMapping) -> Iterator[tuple[str, ...]]:
    """Arguments that attach the covers, as files that exist while the `with` block runs.

    Raises:
        FfmpegError: A cover cannot be extracted from the container.
    """
    container = mapping.container
    if container is None or not mapping.covers:
        yield ()
        return
    with tempfile.TemporaryDirectory(prefix="vscolor-") as folder:
        words: list[str] = []
        for number, cover in enumerate(mapping.covers):
            kind = "jpeg" if cover.codec == "mjpeg" else cover.codec
            place = Path(folder) / f"cover{number or ''}.{'jpg' if kind == 'jpeg' else kind}"
            picture = ("-map", f"0:{cover.index}", "-c", "copy", "-frames:v", "1")
            made = ffmpeg.run(
                *("-v", "error", "-i", str(container.path.absolute()), *picture),
                *("-f", "image2", "-update", "1", str(place)),
            )
            if made.returncode:
                raise FfmpegError(
                    f"cover {cover} cannot be taken out: {ffmpeg.cause_of(made.stderr)}"
                )
            tag = f"-metadata:s:t:{mapping.files + number}"
            name = _file_name(container, cover) or place.name
            words += ["-attach", str(place), tag, f"mimetype=image/{kind}", tag, f"filename={name}"]
        yield tuple(words)


def _file_name(container: Container, stream: Stream) -> str | None:
    """An attachment's file name in Matroska; players look for names like `cover_land.jpg`."""
    source = ("-i", str(container.path.absolute()), "-map_metadata", f"0:s:{stream.index}")
    told = ffmpeg.run("-v", "error", *source, "-f", "ffmetadata", "-").stdout
    found = re.search(r"^filename=(.+)$", told, re.MULTILINE)
    return re.sub(r"\\(.)", r"\1", found[1]) if found else None


def _film_metadata(place: int, stream: Stream) -> list[str]:
    """Arguments that copy the film's metadata and default flag, but not its statistics."""
    words = [f"-map_metadata:s:{place}", f"1:s:{stream.index}"]
    words += [f"-disposition:{place}", "default" if stream.disposition & 1 else "0"]
    for name in STALE_STATISTICS:
        words += [f"-metadata:s:{place}", f"{name}="]
    return words


def _is_missed(stream: Stream, wanted: Sequence[Stream], copy: Copy) -> bool:
    """Whether the user would miss a stream that is not copied."""
    chapter_titles = stream.codec == "bin_data"  # MP4's chapters, which are written anew
    return copy == Copy.ALL and stream not in wanted and not chapter_titles


def _subtitles_as(stream: Stream, target: Path) -> str | None:
    """The codec that subtitles must be converted to for a container; None to copy them."""
    suffix = target.suffix.lower()
    if stream.codec == "mov_text" and suffix in MATROSKA:
        return "subrip"
    return "mov_text" if stream.codec in TEXTS and suffix in MP4 else None


def _goes_along(stream: Stream, copy: Copy) -> bool:
    if copy == Copy.AUDIO:
        return stream.kind == "audio"
    pictures = stream.kind == "video" and not stream.is_film
    return copy == Copy.ALL and (stream.kind in ("audio", "subtitle", "attachment") or pictures)


def _check_fits(container: Container, stream: Stream, target: Path) -> None:
    """Refuse a stream that the target's container cannot hold, before the first frame."""
    place = files.trial_name(target)
    reason = ffmpeg.muxer_refuses(container.path.absolute(), stream.index, place)
    if reason is not None:
        suffix = target.suffix.lower()
        other = ".mp4" if suffix in MATROSKA and suffix != ".webm" else ".mkv"
        raise FfmpegError(
            f"{target.suffix} cannot hold stream {stream} of {container.path.name} ({reason}); "
            f"write an {other}, or leave it out with --copy audio or --copy none"
        )

"""Which streams of the source go along with the new film, and what of them a container holds."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final

from vscolor import ffmpeg
from vscolor.ffmpeg import FfmpegError
from vscolor.source import Source, Stream, is_still

MATROSKA: Final = (".mkv", ".mka", ".webm", ".mk3d")
# Matroska's own counts of the old track, which would be wrong on the new one.
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
    """Which streams of the source go along."""

    ALL = "all"
    AUDIO = "audio"
    NONE = "none"


def ordered(
    source: Source, target: Path, copy: Copy, *, cut: bool
) -> tuple[tuple[str, ...], list[str]]:
    """Arguments that order the streams, and remarks on those left out or rewritten.

    Args:
        source: Where they come from.
        target: The new file.
        copy: Which of them go along.
        cut: Whether the new film begins later than the source. A cover is one packet at its very
            beginning, which would be cut away with it and leave an empty stream.
    """
    if is_still(target) or source.track is None:
        return ("-map", "0:v:0"), []
    wanted = [
        s
        for s in source.streams
        if s.index == source.track or (_goes_along(s, copy) and not (cut and s.kind == "video"))
    ]
    # ffmpeg counts frames of the first video, which has to be the film and not a cover.
    wanted.sort(key=lambda s: s.kind == "video" and s.index != source.track)
    words: list[str] = []
    codecs = ["-c", "copy"]
    remarks = [f"left out: stream {s}" for s in source.streams if _is_missed(s, wanted, copy)]
    for place, stream in enumerate(wanted):
        if stream.index == source.track:
            words += ["-map", "0:v:0", *_film_metadata(place, stream)]
            continue
        words += ["-map", f"1:{stream.index}", f"-map_metadata:s:{place}", f"1:s:{stream.index}"]
        if stream.codec == "mov_text" and target.suffix.lower() in MATROSKA:
            codecs += [f"-c:{place}", "srt"]
            remarks.append(f"written as subrip: stream {stream}")
        else:
            _check_fits(source, stream, target)
    return (*words, "-map_metadata", "1", "-map_chapters", "1", *codecs), remarks


def _film_metadata(place: int, stream: Stream) -> list[str]:
    """Arguments that give the new film its old names, but not its old statistics."""
    words = [f"-map_metadata:s:{place}", f"1:s:{stream.index}"]
    words += [f"-disposition:{place}", "default" if stream.disposition & 1 else "0"]
    for name in STALE_STATISTICS:
        words += [f"-metadata:s:{place}", f"{name}="]
    return words


def _is_missed(stream: Stream, wanted: Sequence[Stream], copy: Copy) -> bool:
    """Whether a stream stays behind that a user would look for."""
    chapter_titles = stream.codec == "bin_data"  # MP4's chapters, which are written anew
    return copy == Copy.ALL and stream not in wanted and not chapter_titles


def _goes_along(stream: Stream, copy: Copy) -> bool:
    if copy == Copy.AUDIO:
        return stream.kind == "audio"
    pictures = stream.kind == "video" and not stream.is_film
    return copy == Copy.ALL and (stream.kind in ("audio", "subtitle", "attachment") or pictures)


def _check_fits(source: Source, stream: Stream, target: Path) -> None:
    """Refuse before the first frame what the container will not hold."""
    place = target.absolute().with_name(f".{secrets.token_hex(4)}.try{target.suffix}")
    reason = ffmpeg.muxer_refuses(source.path.absolute(), stream.index, place)
    if reason is not None:
        suffix = target.suffix.lower()
        other = ".mp4" if suffix in MATROSKA and suffix != ".webm" else ".mkv"
        raise FfmpegError(
            f"{target.suffix} cannot hold stream {stream} of {source.path.name} ({reason}); "
            f"write an {other}, or leave it out with --copy audio or --copy none"
        )

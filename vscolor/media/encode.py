"""Runs a planned encode: writes frames in order to ffmpeg.

One ffmpeg process reads our frames, stamped with the source's presentation times, from a pipe, and
all other streams from the source's container. Both keep their timestamps (`-copyts`), so they stay
in sync. The output appears under its name only when it is complete.
"""

from __future__ import annotations

import re
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import vapoursynth as vs

from vscolor.media import ffmpeg, matroska, rawvideo, streams
from vscolor.media.ffmpeg import FfmpegError
from vscolor.media.rawvideo import Layout
from vscolor.media.source import literal, numbered
from vscolor.media.streams import StreamMapping
from vscolor.media.timing import Durations, Timeline

type Advance = Callable[[int], None]

WINDOWS_NEW_GROUP: Final = 0x200


@dataclass(frozen=True)
class Job:
    """Everything an encode needs, settled before the first frame is written.

    Attributes:
        clip: What to write, already cut to the span and in the layout's format.
        layout: Its format as ffmpeg knows it.
        timeline: Presentation times of the whole source.
        first: The source frame that is the clip's frame 0.
        mapping: How the source's other streams are copied.
        outputs: ffmpeg's output arguments, without the file name.
        target: The name the user gave.
        numbered: Number of the first still of a series; None for a single file.
        overwrite: Whether a file of that name may be replaced.
        forget_range: Whether the file is Matroska and its range must stay unspecified.
        notices: Messages for the user, one line each.
    """

    clip: vs.VideoNode
    layout: Layout
    timeline: Timeline
    first: int
    mapping: StreamMapping
    outputs: tuple[str, ...]
    target: Path
    numbered: int | None
    overwrite: bool
    forget_range: bool
    notices: tuple[str, ...]


def run(job: Job, advance: Advance, prefetch: int | None = None) -> list[str]:
    """Encode, and give the result its name when it is complete.

    Args:
        job: From `plan`.
        advance: Called with the number of frames written, after each.
        prefetch: Frames requested ahead; default: one per thread of the core.

    Returns:
        Messages for the user about a successful encode, one line each: ffmpeg's warnings, and
        frame durations that contradict the clip's rate.

    Raises:
        FfmpegError: ffmpeg failed, stopped early or wrote another number of frames.
        vapoursynth.Error: A frame cannot be made.
    """
    durations = Durations()
    with (
        streams.attachments(job.mapping) as attached,
        _place(job) if job.numbered is None else _series_place(job, job.numbered) as place,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as counted,
    ):
        process = _start(job, place, attached, said, counted)
        try:
            sent = _pump(job, process, advance, durations, prefetch)
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        remarks = _judge(process.returncode, sent, _text(said), _text(counted))
        if sent != job.clip.num_frames:
            raise FfmpegError(f"ffmpeg stopped after {sent} of {job.clip.num_frames} frames")
        if job.forget_range:
            matroska.forget_range(place)
    if job.timeline.rate_unverified and durations.differ:
        remarks.append(
            f"the clip states {float(job.clip.fps):.3f} frames/s but its frame durations vary: "
            "written at that rate; --streams-from FILE takes the times of its film"
        )
    return remarks


def _start(
    job: Job, place: Path, attached: Sequence[str], said: IO[bytes], counted: IO[bytes]
) -> subprocess.Popen[bytes]:
    """Start ffmpeg in its own process group: Ctrl-C is handled here, not by ffmpeg."""
    command = (
        *(ffmpeg.executable(), "-hide_banner", "-nostdin", "-loglevel", "error", "-nostats", "-y"),
        *("-progress", "pipe:1", "-copyts", "-f", "ivf", "-c:v", "rawvideo", "-i", "pipe:0"),
        *job.mapping.inputs,
        *job.outputs,
        *attached,
        str(place),
    )
    windows = sys.platform == "win32"
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=counted,
        stderr=said,
        creationflags=WINDOWS_NEW_GROUP if windows else 0,
        process_group=None if windows else 0,
    )


def _pump(
    job: Job,
    process: subprocess.Popen[bytes],
    advance: Advance,
    durations: Durations,
    prefetch: int | None,
) -> int:
    """Write all frames, or as many as ffmpeg accepts; return how many."""
    pipe = process.stdin
    assert pipe is not None
    sent = 0
    stamp = job.timeline.stamps(job.first)
    clip, base = job.clip, job.timeline.time_base
    try:
        pipe.write(rawvideo.ivf_header(job.layout, clip.width, clip.height, base))
        for frame in clip.frames(prefetch=prefetch, close=True):
            rawvideo.write_frame(pipe, frame, job.layout, stamp(frame))
            durations.see(frame)
            sent += 1
            advance(sent)
        pipe.close()
    except OSError:  # ffmpeg closed its end; its exit code and messages say why
        return sent
    return sent


def _judge(code: int, sent: int, said: str, counted: str) -> list[str]:
    """Raise unless ffmpeg succeeded and wrote all frames; return its messages."""
    if code != 0:
        reason = ffmpeg.cause_of(said)
        how = f"exit code {code}" if code > 0 else f"ended by {_signal_name(-code)}"
        raise FfmpegError(f"ffmpeg failed after {sent} frames ({how}): {reason}")
    written = ffmpeg.last_frame_count(counted)
    if written != sent:
        reason = ffmpeg.cause_of(said)
        raise FfmpegError(f"ffmpeg wrote {written} of {sent} frames: {reason}")
    return [f"ffmpeg: {line}" for line in ffmpeg.lines_of(said)]


def _signal_name(number: int) -> str:
    """A signal's name, such as SIGXFSZ (file size limit) or SIGKILL (often out of memory)."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def _around(target: Path) -> tuple[str, str]:
    """Prefix and suffix around the random token in the name of an unfinished file."""
    return f".{target.stem[:80]}.", f".part{target.suffix}"


def left_over(target: Path) -> list[Path]:
    """Unfinished files of runs to the same target that were interrupted or are still running."""
    name = re.compile("[0-9a-f]{8}".join(map(re.escape, _around(target))))
    return sorted(p for p in target.absolute().parent.iterdir() if name.fullmatch(p.name))


@contextmanager
def _place(job: Job) -> Iterator[Path]:
    """A hidden file beside the target for ffmpeg; renamed to it on success, removed otherwise."""
    target = job.target.absolute()
    hidden = target.with_name(secrets.token_hex(4).join(_around(target)))
    try:
        hidden.touch()
        yield hidden
        if target.exists() and not job.overwrite:
            raise _kept_aside(target, hidden)
        hidden.replace(target)
    finally:
        hidden.unlink(missing_ok=True)


@contextmanager
def _series_place(job: Job, first: int) -> Iterator[Path]:
    """A hidden folder for stills, renamed one by one from number `first` on success."""
    target = job.target.absolute()
    folder = Path(tempfile.mkdtemp(prefix=".vscolor-", dir=target.parent))
    try:
        yield literal(folder) / f"%d{target.suffix}"
        names = {
            folder / f"{number}{target.suffix}": numbered(target, number)
            for number in range(first, first + job.clip.num_frames)
        }
        taken = next((name for name in names.values() if name.exists()), None)
        if taken and not job.overwrite:
            raise _kept_aside(taken, folder)
        for made, name in names.items():
            made.replace(name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _kept_aside(target: Path, made: Path) -> FfmpegError:
    """Keep the result under a spare name, for its target appeared meanwhile; return the error."""
    suffix = target.suffix if made.is_file() else ""
    spare = target.with_name(f"{target.stem}.{secrets.token_hex(4)}{suffix}")
    made.replace(spare)
    return FfmpegError(f"{target} was created meanwhile; the result was saved as {spare}")

"""The ffmpeg program: which one, what its encoders accept, and why it failed."""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Final

import imageio_ffmpeg

from vscolor.errors import VscolorError

_PIX_FMTS: Final = re.compile(r"Supported pixel formats:(.*)")
_OPTIONS: Final = re.compile(r"^  -(\w+)", re.MULTILINE)
_ADDRESS: Final = re.compile(r" @ 0x[0-9a-f]+")
# After the cause, ffmpeg prints lines that only state that something failed.
_ECHO: Final = re.compile(
    r"(\[[^]]*\] )*(Error (opening|initializing|while|sending|submitting|parsing|processing)|"
    r"Conversion failed|Could not (write header|open encoder)|Failed to|Last message|Nothing was|"
    r"Task finished|Terminating|Maybe incorrect|Received|Exiting)"
)


class FfmpegError(VscolorError):
    """ffmpeg is missing, refused the job or did not finish it."""


@cache
def executable() -> str:
    """The user's ffmpeg if one is on PATH, else the one bundled with imageio-ffmpeg.

    Raises:
        FfmpegError: There is neither.
    """
    if own := shutil.which("ffmpeg"):
        return own
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise FfmpegError("no ffmpeg found; run: pip install imageio-ffmpeg") from error


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ffmpeg to its end, quietly and without a terminal; the caller reads `returncode`."""
    return subprocess.run(
        [executable(), "-hide_banner", "-nostdin", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )


def version() -> str:
    """FFmpeg's version, such as `7.1` or `n9.0.2-17-g2a571b6068`."""
    first = run("-version").stdout.partition("\n")[0].split()
    return first[2] if len(first) > 2 else "unknown"


def encoder_formats(encoder: str) -> tuple[str, ...] | None:
    """Pixel formats a video encoder accepts; None if ffmpeg does not list them.

    Raises:
        FfmpegError: This ffmpeg has no such video encoder.
    """
    found = _PIX_FMTS.search(_described(encoder))
    return tuple(found.group(1).split()) if found else None


def encoder_options(encoder: str) -> frozenset[str]:
    """Names of an encoder's own options, such as `crf`.

    Raises:
        FfmpegError: This ffmpeg has no such video encoder.
    """
    return frozenset(_OPTIONS.findall(_described(encoder)))


@cache
def _described(encoder: str) -> str:
    """The help text of a video encoder."""
    told = run("-h", f"encoder={encoder}").stdout
    if not told.startswith("Encoder ") or "Supported sample formats" in told:
        raise FfmpegError(
            f"codec {encoder!r} is not a video encoder of {executable()}; "
            "expected a name that `ffmpeg -encoders` lists"
        )
    return told


def lines_of(log: str) -> list[str]:
    """The messages in a log, without addresses and repeats."""
    lines = (_ADDRESS.sub("", line).strip() for line in log.splitlines())
    return list(dict.fromkeys(line for line in lines if line))


def cause_of(log: str) -> str:
    """The line of ffmpeg's messages that gives the cause of its failure."""
    lines = lines_of(log)
    telling = [line for line in lines if not _ECHO.match(line)] or lines
    return telling[-1] if telling else "it said nothing"


def last_frame_count(progress: str) -> int:
    """Frames written, from what `-progress` printed; 0 if it printed none."""
    counts = re.findall(r"^frame=\s*(\d+)", progress, re.MULTILINE)
    return int(counts[-1]) if counts else 0


def muxer_refuses(source: Path, stream: int, target: Path) -> str | None:
    """Why a container cannot hold a stream as it is; None if it can.

    Args:
        source: The file with the stream.
        stream: Its index there.
        target: A path with the container's suffix; nothing is left there.
    """
    copy = ("-map", f"0:{stream}", "-c", "copy", "-t", "0")
    done = run("-v", "error", "-y", "-i", str(source), *copy, str(target))
    target.unlink(missing_ok=True)
    return cause_of(done.stderr) if done.returncode else None

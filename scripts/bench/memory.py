"""Resident memory of a process that only colours a film, in three hosts."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from statistics import mean

import vapoursynth as vs

FIRST = 500
WINDOW = 200
"""Frames over which memory is averaged, as frames in flight make it fluctuate."""
PROGRESS = re.compile(rb"Frame: (\d+)/")
CACHE_MB = 1000
PROCESS = Path(__file__).with_name("hosted.py")


class Host(StrEnum):
    """The program that requests the frames."""

    OURS = "the command line's settings"
    PYTHON = "a plain Python loop"
    VSPIPE = "vspipe"


@dataclass(frozen=True)
class Held:
    """Memory of a process, in MB.

    Attributes:
        early: Resident from frame `FIRST` on, or from the middle of a shorter film, averaged over
            `WINDOW` frames.
        late: Resident over the last `WINDOW` frames, likewise.
        peak: Peak resident memory.
    """

    early: float
    late: float
    peak: float

    @property
    def growth(self) -> float:
        """Growth from early to late, in percent."""
        return 100 * (self.late / self.early - 1)


def measure(film: Path, frames: int, host: Host, tidy: bool = True) -> Held:
    """Colour a film in a process of its own, with a core cache of `CACHE_MB`.

    Args:
        film: The film to colour.
        frames: Number of frames to colour.
        host: The program that requests the frames.
        tidy: Whether vscolor returns memory that the C library keeps, as it does by default.
    """
    with tempfile.TemporaryDirectory() as settings:
        environment = os.environ | {"VSCOLOR_RETURN_MEMORY": str(int(tidy))}
        environment["XDG_CONFIG_HOME"] = settings
        samples = list(_samples(_command(film, frames, host, environment), environment))
    start = min(FIRST, frames // 2)
    early = [rss for n, rss, _ in samples if start <= n < start + WINDOW]
    late = [rss for n, rss, _ in samples if n >= frames - WINDOW]
    return Held(mean(early), mean(late), samples[-1][2])


def _command(film: Path, frames: int, host: Host, environment: dict[str, str]) -> list[str]:
    if host is not Host.VSPIPE:
        manners = "ours" if host is Host.OURS else "bare"
        return [sys.executable, str(PROCESS), str(film), str(frames), str(CACHE_MB), manners]
    # vspipe must be configured once with the Python to use.
    told = [sys.executable, "-m", "vapoursynth", "config"]
    subprocess.run(told, env=environment, stdout=subprocess.DEVNULL, check=True)
    program = Path(vs.__file__).with_name("vspipe")
    pairs = [f"film={film.absolute()}", f"frames={frames}", f"cache={CACHE_MB}"]
    words = [word for pair in pairs for word in ("--arg", pair)]
    return [str(program), "--progress", *words, str(PROCESS), "--"]


def _samples(command: list[str], environment: dict[str, str]) -> Iterator[tuple[int, float, float]]:
    """Frame number, MB resident and peak so far, whenever the process reports progress."""
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stderr is not None
        told, said = b"", b""
        while told := process.stderr.read(4096):
            said += told
            if found := PROGRESS.findall(told):
                status = Path(f"/proc/{process.pid}/status").read_text()
                yield int(found[-1]), _megabytes(status, "VmRSS"), _megabytes(status, "VmHWM")
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed: {said.decode(errors='replace')[-2000:]}")


def _megabytes(status: str, key: str) -> float:
    """MB in a line of /proc/PID/status; 0 for a process that has just ended."""
    found = re.search(rf"^{key}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) / 1024 if found else 0.0

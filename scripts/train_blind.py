"""Train `blind`: `python scripts/train_blind.py PHOTOGRAPHS FILM... --run RUN [--minutes 40]`.

FILMs are colour films; their cuts are found, and `mini`, steadied along motion, makes pairs of real
flicker from their luma. Give `--resume` to go on from RUN/checkpoint.pt.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import vapoursynth as vs
from numpy.typing import NDArray

from vscolor import colorize, stabilize
from vscolor.report import as_rgb
from vscolor.scenes import mark_detected, marked_cuts
from vscolor.training.blind import Recipe, train
from vscolor.training.footage import SHORT_SIDES, Shot, load_shots, save_shots
from vscolor.training.photographs import open_folder

MOST_FRAMES = 150
LEAST_FRAMES = 12


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="folder of colour photographs")
    parser.add_argument("films", type=Path, nargs="*", help="colour films")
    parser.add_argument("--run", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--cache", type=Path, help="decoded photographs (default: RUN/cache)")
    parser.add_argument("--minutes", type=float, default=Recipe.minutes)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt")
    return parser.parse_args()


def shots_of(path: Path) -> Iterator[Shot]:
    """The shots of a film at one size each, in turn."""
    clip = vs.core.bs.VideoSource(str(path), cachemode=0)
    cuts = [0, *(n for n, cut in marked_cuts(mark_detected(clip)) if cut), clip.num_frames]
    for i, (first, last) in enumerate(pairwise(cuts)):
        if last - first < LEAST_FRAMES:
            continue
        side = SHORT_SIDES[i % len(SHORT_SIDES)]
        scale = side / min(clip.width, clip.height)
        width, height = (round(s * scale / 8) * 8 for s in (clip.width, clip.height))
        shot = clip[first : min(last, first + MOST_FRAMES)]
        true = as_rgb(shot).resize.Bicubic(width, height, vs.YUV444P16, matrix=1)
        coloured = colorize(true)
        yield Shot(*(pixels(c) for c in (true, coloured, stabilize(coloured, radius=5, scenes=[]))))


def pixels(clip: vs.VideoNode) -> NDArray[np.uint8]:
    """RGB `[N,h,w,3]`."""
    rgb = clip.resize.Bicubic(format=vs.RGB24)
    return np.stack(
        [np.stack([np.asarray(f[p]) for p in range(3)], -1) for f in rgb.frames(close=True)]
    )


def main() -> None:
    given = arguments()
    given.run.mkdir(parents=True, exist_ok=True)
    kept = given.run / "shots.npz"
    if not kept.exists():
        save_shots(kept, [shot for film in given.films for shot in shots_of(film)])
    photographs = open_folder(given.photographs, given.cache or given.run / "cache")
    torch.set_num_threads(1)
    recipe = replace(Recipe(), minutes=given.minutes, seed=given.seed)
    train(recipe, photographs, load_shots(kept), given.run, resume=given.resume)


if __name__ == "__main__":
    main()

"""Train the still model: `python scripts/train_still.py PHOTOGRAPHS RUN [--hours 2] [--resume]`."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import torch

from vscolor.models.mini.architecture import TAPS
from vscolor.training.batches import BatchSettings
from vscolor.training.run import Places
from vscolor.training.still import Recipe, train


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="folder of colour photographs")
    parser.add_argument("run", type=Path, help="folder for checkpoint, log and weights")
    parser.add_argument("--cache", type=Path, help="decoded pictures (default: RUN/cache)")
    parser.add_argument("--hours", type=float, help="stop after this many hours")
    parser.add_argument("--samples", type=int, default=Recipe.samples, help="pictures to see")
    parser.add_argument("--batch", type=int, default=BatchSettings.size)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--collections", type=Path, help="JSON: weight of each collection")
    parser.add_argument("--init", type=Path, help="fine-tune these weights")
    parser.add_argument("--rate", type=float, default=Recipe.rate, help="peak learning rate")
    parser.add_argument(
        "--frozen-blocks",
        type=int,
        default=Recipe.frozen_blocks,
        help=f"encoder blocks that stay as they are; {TAPS[-1] + 1} keep mini-video's features",
    )
    parser.add_argument(
        "--frozen-share",
        type=float,
        default=Recipe.frozen_share,
        help="part of the schedule in which the whole encoder is frozen",
    )
    parser.add_argument("--threads", type=int, help="threads of the training process")
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt")
    return parser.parse_args()


def main() -> None:
    given = arguments()
    if given.threads:
        torch.set_num_threads(given.threads)
    recipe = replace(
        Recipe(),
        samples=given.samples,
        rate=given.rate,
        frozen_blocks=given.frozen_blocks,
        frozen_share=given.frozen_share,
        hours=given.hours,
        batches=BatchSettings(size=given.batch, seed=given.seed),
        collections=json.loads(given.collections.read_text()) if given.collections else {},
    )
    places = Places(given.photographs, given.run, given.cache or given.run / "cache")
    train(recipe, places, resume=given.resume, initial=given.init)


if __name__ == "__main__":
    main()

"""Train the embedded video model: python scripts/train_video.py PHOTOGRAPHS RUN [--hours 2]."""

from __future__ import annotations

import argparse
from pathlib import Path

from vscolor.models.mini.adapter import TORCH_FILE
from vscolor.training.episodes import EpisodeSettings
from vscolor.training.run import Places
from vscolor.training.video import VideoRecipe, train


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("photographs", type=Path, help="folder of colour photographs")
    parser.add_argument("run", type=Path, help="folder for checkpoint, log and weights")
    parser.add_argument("--mini", type=Path, default=TORCH_FILE, help="weights of the still model")
    parser.add_argument("--cache", type=Path, help="folder for decoded pictures (RUN/cache)")
    parser.add_argument("--samples", type=int, default=VideoRecipe.samples, help="scenes to see")
    parser.add_argument("--hours", type=float, help="wall-clock limit")
    parser.add_argument("--rate", type=float, default=VideoRecipe.rate, help="peak learning rate")
    parser.add_argument("--batch", type=int, default=EpisodeSettings.size, help="scenes a step")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--init", type=Path, help="weights to start from")
    parser.add_argument("--resume", action="store_true", help="go on from RUN/checkpoint.pt")
    given = parser.parse_args()
    recipe = VideoRecipe(
        samples=given.samples,
        hours=given.hours,
        rate=given.rate,
        batches=EpisodeSettings(size=given.batch, seed=given.seed),
    )
    places = Places(given.photographs, given.run, given.cache or given.run / "cache")
    print(train(recipe, places, given.mini, resume=given.resume, initial=given.init))


if __name__ == "__main__":
    main()
